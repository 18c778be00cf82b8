package dataplane

import (
	"net/netip"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/reconcile"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// Tables lists the tables that belong to the controller: it removes rows that it does not know.
var Tables = []string{p4src.ServiceTable, p4src.IPv4Table, p4src.LearnTable, p4src.SubRangeTable,
	p4src.PartitionTable, p4src.PortTable, p4src.HopTable}

// Order is how the tables refer to each other: rows that choose a group come after its slots, and rows
// of requests after the routes that lead on from here. A service address stands for all keyspaces: a switch
// that starts empty resolves nothing before it knows them, or it would answer NO_KEYSPACE, which
// clients take for the truth.
var Order = reconcile.Order{p4src.HopTable, p4src.IPv4Table, p4src.SubRangeTable, p4src.PartitionTable,
	p4src.ServiceTable}

// Port names a port of a switch as P4Runtime numbers it.
type Port uint32

// Route says where packets for one address go.
type Route struct {
	Addr   netip.Addr
	MAC    wire.MAC
	Port   Port
	Switch string // to which the host is attached; empty: to the one in question
}

// Switch is what is particular to one switch.
type Switch struct {
	Name     string
	Services []netip.Addr // service addresses that the switch resolves
	Hosts    []Route      // learned, here or at other switches: routed, and known to the learn table
	Silent   []Route      // learned long ago: routed only, to be reported again
	// Fabric joins the switch to others; nil: it stands alone, and serves all sub-ranges.
	Fabric *Fabric
	// Local are routes of a switch that stands alone: the controller itself, by p4src.CPUPort; uplinks.
	Local []Route
}

// learnDigest: hosts are few and new ones impatient, so every report goes out at once, and a
// report is repeated if nobody confirmed it for a second.
var learnDigest = tables.Digest{Name: p4src.LearnDigest, MaxTimeoutNS: 0, MaxListSize: 1,
	AckTimeoutNS: 1e9}

// Desired returns all that a switch must hold for the directory.
func Desired(v directory.View, sw Switch) tables.State {
	s := tables.State{
		CloneSessions: []tables.CloneSession{{
			// The copy is recirculated from egress whatever its port: any that exists will do.
			ID:       p4src.ScanCloneSession,
			Replicas: []tables.Replica{{Port: p4src.CPUPort, Instance: 1}},
		}},
		Digests: []tables.Digest{learnDigest},
	}
	for _, a := range sw.Services {
		s.Entries = append(s.Entries, serviceEntry(a))
	}
	if sw.Fabric == nil {
		s.Entries = append(s.Entries, alone(v, sw)...)
	} else {
		s.Entries = append(s.Entries, sw.Fabric.entries(v, sw)...)
	}
	for i := range s.Entries {
		s.Entries[i].Normalize()
	}
	return s
}

// alone returns the rows of a switch without others: all sub-ranges, and what is attached to it.
func alone(v directory.View, sw Switch) []tables.Entry {
	out := routes(v, sw)
	for _, r := range v.SubRanges() {
		if r.Created {
			out = append(out, subRangeEntry(r))
			for _, p := range r.Interval.Cover() {
				out = append(out, setEntry(r, p))
			}
		}
	}
	return out
}

func serviceEntry(a netip.Addr) tables.Entry {
	return tables.Entry{
		Table: p4src.ServiceTable, Action: p4src.ToService,
		Match: []tables.Match{{Field: p4src.DstAddr, Kind: tables.Exact, Value: address(a)}},
	}
}

// routes gives nodes and the controller precedence over what was learned about their addresses.
func routes(v directory.View, sw Switch) (out []tables.Entry) {
	taken := make(map[netip.Addr]bool)
	add := func(r Route, known bool) {
		if taken[r.Addr] {
			return
		}
		taken[r.Addr] = true
		out = append(out, routeEntry(r))
		if known {
			out = append(out, knownEntry(r))
		}
	}
	for _, r := range sw.Local {
		add(r, false)
	}
	for _, n := range v.Nodes() {
		if n.Switch == sw.Name {
			add(routeOfNode(n), true) // it said so itself
		}
	}
	for _, r := range sw.Hosts {
		add(r, true)
	}
	for _, r := range sw.Silent {
		add(r, false)
	}
	return out
}

func routeOfNode(n directory.Node) Route {
	return Route{Addr: n.ID.Addr(), MAC: n.MAC, Port: Port(n.Port), Switch: n.Switch}
}

func routeEntry(r Route) tables.Entry {
	return routeTo(netip.PrefixFrom(r.Addr, 32), p4src.Forward, portParams(r.Port, r.MAC[:]))
}

func routeTo(dst netip.Prefix, action string, params []tables.Param) tables.Entry {
	return tables.Entry{
		Table: p4src.IPv4Table, Action: action, Params: params,
		Match: []tables.Match{{Field: p4src.DstAddr, Kind: tables.LPM, Value: address(dst.Addr()),
			Prefix: dst.Bits()}},
	}
}

func knownEntry(r Route) tables.Entry {
	return tables.Entry{
		Table: p4src.LearnTable, Action: p4src.Known,
		Match: []tables.Match{
			{Field: p4src.SrcAddr, Kind: tables.Exact, Value: address(r.Addr)},
			{Field: p4src.IngressPort, Kind: tables.Exact, Value: tables.Uint(uint64(r.Port))},
		},
	}
}

// setEntry is a row of the detail of a sub-range.
func setEntry(r directory.SubRange, p kv.Prefix) tables.Entry {
	return partitionEntry(r.Keyspace, p, p4src.SetSubRange,
		[]tables.Param{{Name: p4src.ID, Value: tables.Uint(uint64(r.ID))}})
}

func partitionEntry(keyspace kv.KeyspaceID, p kv.Prefix, action string, params []tables.Param,
) tables.Entry {
	e := tables.Entry{
		Table: p4src.PartitionTable, Action: action, Params: params,
		Match: []tables.Match{
			{Field: p4src.Keyspace, Kind: tables.Exact, Value: tables.Uint(uint64(keyspace))},
		},
	}
	if p.Len > 0 {
		e.Match = append(e.Match, tables.Match{Field: p4src.IndexKey, Kind: tables.LPM,
			Value: tables.Bytes(p.Key[:]), Prefix: p.Len})
	}
	return e
}

// nodeParams are the places of a chain, head first.
var nodeParams = [kv.MaxChain]string{p4src.Node0, p4src.Node1, p4src.Node2, p4src.Node3,
	p4src.Node4, p4src.Node5}

// subRangeEntry never names a learner: it serves nobody.
func subRangeEntry(r directory.SubRange) tables.Entry {
	match := []tables.Match{{Field: p4src.ID, Kind: tables.Exact, Value: tables.Uint(uint64(r.ID))}}
	if r.Blocked {
		return tables.Entry{Table: p4src.SubRangeTable, Action: p4src.Block, Match: match}
	}
	last := r.Interval.Last
	next, more := last.Next()
	isLast := uint64(0)
	if !more {
		isLast, next = 1, kv.MinIndexKey
	}
	params := []tables.Param{
		{Name: p4src.Epoch, Value: tables.Uint(uint64(r.Epoch))},
		{Name: p4src.ChainLength, Value: tables.Uint(uint64(len(r.Chain)))},
		{Name: p4src.LastIndexKey, Value: tables.Bytes(last[:])},
		{Name: p4src.NextIndexKey, Value: tables.Bytes(next[:])},
		{Name: p4src.IsLast, Value: tables.Uint(isLast)},
	}
	for i, name := range nodeParams {
		var n kv.NodeID
		if i < len(r.Chain) {
			n = r.Chain[i]
		}
		params = append(params, tables.Param{Name: name, Value: tables.Uint(uint64(n))})
	}
	return tables.Entry{
		Table: p4src.SubRangeTable, Action: p4src.Serve, Params: params, Match: match,
	}
}

func address(a netip.Addr) tables.Value {
	b := a.Unmap().As4()
	return tables.Bytes(b[:])
}
