package dataplane

import (
	"fmt"
	"net/netip"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/reconcile"
	"github.com/turbokv/turbokv/controller/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Names in the P4 program.
const (
	ServiceTable   = "service_table"
	PartitionTable = "partition_table"
	SubRangeTable  = "sub_range_table"
	IPv4Table      = "ipv4_table"
	LearnTable     = "learn_table"

	ReadCounter  = "read_counter"
	WriteCounter = "write_counter"
	DropCounter  = "drop_counter"

	LearnDigest = "learn_digest_t"

	PacketInPort  = "ingress_port"
	PacketOutPort = "egress_port"
	PacketSubmit  = "submit_to_ingress"
)

// Tables lists the tables that belong to the controller: it removes rows that it does not know.
var Tables = []string{ServiceTable, IPv4Table, LearnTable, SubRangeTable, PartitionTable}

// Order is how the tables refer to each other.
var Order = reconcile.Order{SubRangeTable, PartitionTable}

// Numbers that the P4 program and the controller must agree on (p4src/include/ids.p4).
const (
	// CPUPort is the port of packet-in and packet-out: the last of 9 bits before the drop port.
	CPUPort = 510
	// ScanCloneSession copies scans that go on in the next sub-range.
	ScanCloneSession = 1
)

// Port names a port of a switch as P4Runtime numbers it.
type Port uint32

// Route says where packets for one address go.
type Route struct {
	Addr netip.Addr
	MAC  wire.MAC
	Port Port
}

// Switch is what is particular to one switch.
type Switch struct {
	Name     string
	Services []netip.Addr // service addresses that the switch resolves
	Local    []Route      // the controller itself, by CPUPort; uplinks
	Hosts    []Route      // learned: routed, and known to the learn table
}

// learnDigest: hosts are few and new ones impatient, so every report goes out at once, and a
// report is repeated if nobody confirmed it for a second.
var learnDigest = tables.Digest{Name: LearnDigest, MaxTimeoutNS: 0, MaxListSize: 1,
	AckTimeoutNS: 1e9}

// Desired returns all that a switch must hold for the directory.
func Desired(v directory.View, sw Switch) tables.State {
	s := tables.State{
		CloneSessions: []tables.CloneSession{{
			// The copy is recirculated from egress whatever its port: any that exists will do.
			ID: ScanCloneSession, Replicas: []tables.Replica{{Port: CPUPort, Instance: 1}},
		}},
		Digests: []tables.Digest{learnDigest},
	}
	for _, a := range sw.Services {
		s.Entries = append(s.Entries, serviceEntry(a))
	}
	s.Entries = append(s.Entries, routes(v, sw)...)
	for _, r := range v.SubRanges() {
		if r.Created {
			s.Entries = append(s.Entries, subRangeEntry(r))
			s.Entries = append(s.Entries, partitionEntries(r)...)
		}
	}
	for i := range s.Entries {
		s.Entries[i].Normalize()
	}
	return s
}

func serviceEntry(a netip.Addr) tables.Entry {
	return tables.Entry{
		Table: ServiceTable, Action: "to_service",
		Match: []tables.Match{{Field: "dst_addr", Kind: tables.Exact, Value: address(a)}},
	}
}

// routes gives nodes and the controller precedence over what was learned about their addresses.
func routes(v directory.View, sw Switch) (out []tables.Entry) {
	taken := make(map[netip.Addr]bool)
	add := func(r Route) bool {
		if taken[r.Addr] {
			return false
		}
		taken[r.Addr] = true
		out = append(out, routeEntry(r))
		return true
	}
	for _, r := range sw.Local {
		add(r)
	}
	for _, n := range v.Nodes() {
		if n.Switch == sw.Name {
			r := Route{Addr: n.ID.Addr(), MAC: n.MAC, Port: Port(n.Port)}
			if add(r) {
				out = append(out, knownEntry(r)) // it said so itself
			}
		}
	}
	for _, r := range sw.Hosts {
		if add(r) {
			out = append(out, knownEntry(r))
		}
	}
	return out
}

func routeEntry(r Route) tables.Entry {
	return tables.Entry{
		Table: IPv4Table, Action: "forward",
		Match: []tables.Match{{Field: "dst_addr", Kind: tables.LPM, Value: address(r.Addr), Prefix: 32}},
		Params: []tables.Param{
			{Name: "port", Value: tables.Uint(uint64(r.Port))},
			{Name: "dst_mac", Value: tables.Bytes(r.MAC[:])},
		},
	}
}

func knownEntry(r Route) tables.Entry {
	return tables.Entry{
		Table: LearnTable, Action: "known",
		Match: []tables.Match{
			{Field: "src_addr", Kind: tables.Exact, Value: address(r.Addr)},
			{Field: "ingress_port", Kind: tables.Exact, Value: tables.Uint(uint64(r.Port))},
		},
	}
}

func partitionEntries(r directory.SubRange) (out []tables.Entry) {
	for _, p := range r.Interval.Cover() {
		match := []tables.Match{
			{Field: "keyspace", Kind: tables.Exact, Value: tables.Uint(uint64(r.Keyspace))},
		}
		if p.Len > 0 {
			match = append(match, tables.Match{
				Field: "index_key", Kind: tables.LPM, Value: tables.Bytes(p.Key[:]), Prefix: p.Len,
			})
		}
		out = append(out, tables.Entry{
			Table: PartitionTable, Action: "set_sub_range", Match: match,
			Params: []tables.Param{{Name: "id", Value: tables.Uint(uint64(r.ID))}},
		})
	}
	return out
}

func subRangeEntry(r directory.SubRange) tables.Entry {
	last := r.Interval.Last
	next, more := last.Next()
	isLast := uint64(0)
	if !more {
		isLast, next = 1, kv.MinIndexKey
	}
	params := []tables.Param{
		{Name: "epoch", Value: tables.Uint(uint64(r.Epoch))},
		{Name: "chain_length", Value: tables.Uint(uint64(len(r.Chain)))},
		{Name: "last_index_key", Value: tables.Bytes(last[:])},
		{Name: "next_index_key", Value: tables.Bytes(next[:])},
		{Name: "is_last", Value: tables.Uint(isLast)},
	}
	for i := range kv.MaxChain {
		var n kv.NodeID
		if i < len(r.Chain) {
			n = r.Chain[i]
		}
		params = append(params, tables.Param{
			Name: fmt.Sprintf("node%d", i), Value: tables.Uint(uint64(n)),
		})
	}
	return tables.Entry{
		Table: SubRangeTable, Action: "serve", Params: params,
		Match: []tables.Match{{Field: "id", Kind: tables.Exact, Value: tables.Uint(uint64(r.ID))}},
	}
}

func address(a netip.Addr) tables.Value {
	b := a.Unmap().As4()
	return tables.Bytes(b[:])
}
