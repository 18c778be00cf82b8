package p4src

// Names by which P4Info (preamble alias, match field and parameter names) knows the objects of the
// program.
const (
	// ServiceTable: DstAddr exact -> ToService. The service addresses (VIPs).
	ServiceTable = "service_table"
	ToService    = "to_service"

	// PartitionTable: Keyspace exact, IndexKey LPM -> SetSubRange(ID) at the home of the sub-range,
	// else PassDown(Port, DstMAC) or PassUp(Group) on the way to it.
	PartitionTable = "partition_table"
	SetSubRange    = "set_sub_range"
	PassDown       = "pass_down"
	PassUp         = "pass_up"

	// SubRangeTable: ID exact -> Serve(Epoch, ChainLength, Node0 to Node5, LastIndexKey,
	// NextIndexKey, IsLast) or Block().
	SubRangeTable = "sub_range_table"
	Serve         = "serve"
	Block         = "block"

	// IPv4Table: DstAddr LPM -> Forward(Port, DstMAC) or ToGroup(Group).
	IPv4Table = "ipv4_table"
	Forward   = "forward"
	ToGroup   = "to_group"

	// HopTable: Group exact, Slot exact -> Hop(Port, DstMAC). A group needs all GroupSlots slots:
	// a packet whose slot is missing is dropped. See GroupID.
	HopTable = "hop_table"
	Hop      = "hop"

	// LearnTable: SrcAddr exact, IngressPort exact -> Known(). Silences LearnDigest. Never for a
	// port with another switch: a known source is taken for a host without a look at PortTable.
	LearnTable = "learn_table"
	Known      = "known"

	// PortTable: IngressPort exact -> FromHost() (the same as no entry), FromBelow(), FromAbove():
	// a switch of a lower or a higher level hangs there.
	PortTable = "port_table"
	FromHost  = "from_host"
	FromBelow = "from_below"
	FromAbove = "from_above"

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
	Group        = "group"
	Slot         = "slot"
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
	// GroupSlots is the number of slots of a group of HopTable.
	GroupSlots = 16
	// EtherTypeLLDP is the one EtherType that a switch sends to its controller from every port.
	EtherTypeLLDP = 0x88cc
)

// GroupID returns the id of the n-th group of a switch of the given level, n from 0 to 16,383. Its
// two lowest bits say which four bits of a flow's hash choose the slot. Switches of neighbouring
// levels must differ in them: all that a switch gets from one below has chosen alike there, and by
// the same bits it would choose alike again.
func GroupID(level, n int) uint16 { return uint16(n<<2 | level&3) }
