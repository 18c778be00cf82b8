package scenario

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// The rack of the key-value scenarios.
const (
	subRanges = 1000
	nodes     = 16
	chain     = 3
	valueSize = 1000 // bytes, of writes
	keyspace  = kv.KeyspaceID(1)
)

var (
	service = netip.MustParseAddrPort("10.0.255.1:21579")
	client  = netip.MustParseAddrPort("10.0.200.1:21580")
)

func gets() (*Scenario, error) {
	return keyValue(fmt.Sprintf("turbokv.p4 GET, %d sub-ranges", subRanges), wire.OpGet, nil)
}

func puts() (*Scenario, error) {
	about := fmt.Sprintf("turbokv.p4 PUT of %d bytes, %d sub-ranges, chains of %d", valueSize, subRanges, chain)
	return keyValue(about, wire.OpPut, make([]byte, valueSize))
}

// keyValue is TurboKV's own program with requests for random keys.
func keyValue(about string, op wire.Op, value []byte) (*Scenario, error) {
	info, err := p4src.P4Info()
	if err != nil {
		return nil, err
	}
	s := &Scenario{
		Name: "turbokv " + op.String(), About: about, Entries: rack(),
		Pipeline: p4rt.Pipeline{P4Info: info, DeviceConfig: p4src.DeviceConfig()},
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range frames {
		key := binary.BigEndian.AppendUint64(nil, r.Uint64())
		f := request(op, key, value)
		s.Frames = append(s.Frames, append(f, make([]byte, StampSize)...))
	}
	return s, nil
}

func request(op wire.Op, key, value []byte) []byte {
	p := wire.Packet(wire.AppendKeyed(wire.Append(nil, op), key, value))
	p.SetKeyspace(keyspace)
	p.SetIndexKey(kv.RangePartitioned.IndexKey(key))
	p.Seal()
	return wire.AppendFrame(nil, wire.Flow{Src: client, Dst: service}, p)
}

// rack is what a controller would install, with all nodes behind one port.
func rack() []tables.Entry {
	out := []tables.Entry{{
		Table: p4src.ServiceTable, Action: p4src.ToService,
		Match: []tables.Match{number(p4src.DstAddr, address(service.Addr()))},
	}, {
		Table: p4src.LearnTable, Action: p4src.Known,
		Match: []tables.Match{
			number(p4src.SrcAddr, address(client.Addr())), number(p4src.IngressPort, In),
		},
	}}
	for i := range nodes {
		out = append(out, tables.Entry{
			Table: p4src.IPv4Table, Action: p4src.Forward,
			Match:  []tables.Match{prefix(p4src.DstAddr, address(node(i)), 32)},
			Params: []tables.Param{param(p4src.Port, Out), param(p4src.DstMAC, station+uint64(i))},
		})
	}
	for i, part := range kv.EvenSplit(subRanges) {
		id := uint64(i + 1)
		for _, p := range part.Cover() {
			out = append(out, tables.Entry{
				Table: p4src.PartitionTable, Action: p4src.SetSubRange,
				Match: []tables.Match{number(p4src.Keyspace, uint64(keyspace)), {
					Field: p4src.IndexKey, Kind: tables.LPM, Value: tables.Bytes(p.Key[:]), Prefix: p.Len,
				}},
				Params: []tables.Param{param(p4src.ID, id)},
			})
		}
		out = append(out, tables.Entry{
			Table: p4src.SubRangeTable, Action: p4src.Serve,
			Match: []tables.Match{number(p4src.ID, id)}, Params: serve(i, part),
		})
	}
	return out
}

func serve(i int, part kv.Interval) []tables.Param {
	out := []tables.Param{param(p4src.Epoch, 1), param(p4src.ChainLength, chain)}
	for n, name := range []string{
		p4src.Node0, p4src.Node1, p4src.Node2, p4src.Node3, p4src.Node4, p4src.Node5,
	} {
		member := uint64(0)
		if n < chain {
			member = address(node(i + n))
		}
		out = append(out, param(name, member))
	}
	next, more := part.Last.Next()
	last := uint64(1)
	if more {
		last = 0
	}
	return append(out, tables.Param{Name: p4src.LastIndexKey, Value: tables.Bytes(part.Last[:])},
		tables.Param{Name: p4src.NextIndexKey, Value: tables.Bytes(next[:])}, param(p4src.IsLast, last))
}

func node(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i%nodes)}) }

func address(a netip.Addr) uint64 {
	b := a.As4()
	return uint64(binary.BigEndian.Uint32(b[:]))
}

func prefix(field string, value uint64, bits int) tables.Match {
	return tables.Match{Field: field, Kind: tables.LPM, Value: tables.Uint(value), Prefix: bits}
}
