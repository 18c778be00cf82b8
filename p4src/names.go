package p4src

// Names by which P4Info (preamble alias, match field and parameter names) knows the objects of the
// program.
const (
	// ServiceTable: DstAddr exact -> ToService. The service addresses (VIPs).
	ServiceTable = "service_table"
	ToService    = "to_service"

	// PartitionTable: Keyspace exact, IndexKey LPM -> SetSubRange(ID).
	PartitionTable = "partition_table"
	SetSubRange    = "set_sub_range"

	// SubRangeTable: ID exact -> Serve(Epoch, ChainLength, Node0 to Node5, LastIndexKey,
	// NextIndexKey, IsLast) or Block().
	SubRangeTable = "sub_range_table"
	Serve         = "serve"
	Block         = "block"

	// IPv4Table: DstAddr LPM -> Forward(Port, DstMAC).
	IPv4Table = "ipv4_table"
	Forward   = "forward"

	// LearnTable: SrcAddr exact, IngressPort exact -> Known(). Silences LearnDigest.
	LearnTable = "learn_table"
	Known      = "known"

	// LearnDigest: a struct of source address (32 bits), source MAC (48) and port (9).
	LearnDigest = "learn_digest"

	// ReadCounter and WriteCounter count requests by sub-range id, DropCounter by DropReason.
	ReadCounter  = "read_counter"
	WriteCounter = "write_counter"
	DropCounter  = "drop_counter"

	// PacketIn and PacketOut are the headers of the controller's port.
	PacketIn  = "packet_in"
	PacketOut = "packet_out"
)

// Match fields, action parameters and metadata of controller headers.
const (
	DstAddr      = "dst_addr"
	SrcAddr      = "src_addr"
	IngressPort  = "ingress_port"
	EgressPort   = "egress_port"
	Submit       = "submit_to_ingress"
	Keyspace     = "keyspace"
	IndexKey     = "index_key"
	ID           = "id"
	Epoch        = "epoch"
	ChainLength  = "chain_length"
	Node0        = "node0"
	Node1        = "node1"
	Node2        = "node2"
	Node3        = "node3"
	Node4        = "node4"
	Node5        = "node5"
	LastIndexKey = "last_index_key"
	NextIndexKey = "next_index_key"
	IsLast       = "is_last"
	Port         = "port"
	DstMAC       = "dst_mac"
)

// Numbers that the program and its controller share.
const (
	// CPUPort is the port of packet-in and packet-out: start simple_switch_grpc with --cpu-port.
	CPUPort = 510
	// ScanCloneSession is the clone session of split scans. It needs one replica, to any port:
	// the copy is recirculated. Without it a scan ends at its first sub-range.
	ScanCloneSession = 1
	// MaxScanBudget is the largest number of further pieces that a switch makes of one scan.
	MaxScanBudget = 16
)
