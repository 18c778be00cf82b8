// Package pipeline measures how many packets a second the built-in switch processes with TurboKV's
// P4 program, in process and on one core: parsing, tables, deparsing, no ports.
package pipeline

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"text/tabwriter"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// The size of the measured configuration: that of a small rack.
const (
	subRanges = 64
	nodes     = 5
	chain     = 3
	frames    = 1024 // distinct frames, so that no cache holds the answer
	valueSize = 1000 // bytes, of writes
	keyspace  = kv.KeyspaceID(1)
)

var (
	service = netip.MustParseAddrPort("10.0.255.1:21579")
	client  = netip.MustParseAddrPort("10.0.200.1:21580")
)

func nodeAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i%nodes)}) }

// NewSwitch returns a switch that runs the P4 program with all its tables filled.
func NewSwitch() (*v1model.Switch, error) {
	program, err := bmv2.Load(p4src.DeviceConfig())
	if err != nil {
		return nil, err
	}
	sw, err := v1model.NewSwitch(program, v1model.Config{})
	if err != nil {
		return nil, err
	}
	for i, err := range sw.Update(entries()) {
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return sw, nil
}

// entries are what a controller would install.
func entries() (ops []v1model.Op) {
	add := func(table, action string, match []v1model.Match, params ...[]byte) {
		ops = append(ops, v1model.Op{Type: v1model.OpInsert, Entity: &v1model.Entry{
			Table: "ingress." + table, Action: "ingress." + action, Match: match, Params: params,
		}})
	}
	add("service.service_table", "service.to_service", []v1model.Match{exact(addr(service.Addr()))})
	add("learn.learn_table", "learn.known", []v1model.Match{exact(addr(client.Addr())),
		exact([]byte{9})})
	for i, part := range kv.EvenSplit(subRanges) {
		id := number(uint32(i + 1))
		for _, p := range part.Cover() {
			add("resolve.partition_table", "resolve.set_sub_range", []v1model.Match{
				exact(number(uint32(keyspace))), {Value: p.Key[:], PrefixLen: p.Len},
			}, id)
		}
		add("sub_range.sub_range_table", "sub_range.serve", []v1model.Match{exact(id)}, serve(i, part)...)
	}
	for i := range nodes {
		add("forwarding.ipv4_table", "forwarding.forward",
			[]v1model.Match{{Value: addr(nodeAddr(i)), PrefixLen: 32}},
			[]byte{byte(1 + i)}, []byte{2, 0, 0, 0, 0, byte(i)})
	}
	return ops
}

func serve(i int, part kv.Interval) [][]byte {
	params := [][]byte{number(1), {chain}}
	for n := range kv.MaxChain {
		member := number(0)
		if n < chain {
			member = addr(nodeAddr(i + n))
		}
		params = append(params, member)
	}
	next, more := part.Last.Next()
	last := byte(1)
	if more {
		last = 0
	}
	return append(params, part.Last[:], next[:], []byte{last})
}

func exact(value []byte) v1model.Match { return v1model.Match{Value: value} }

func number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func addr(a netip.Addr) []byte {
	b := a.As4()
	return b[:]
}

// Load is one kind of packet to measure.
type Load struct {
	Name   string
	Frames [][]byte
}

// Loads are a read, a write of 1 KB and a packet between nodes, which is plain IPv4 to the switch.
func Loads() []Load {
	r := rand.New(rand.NewPCG(1, 1))
	loads := []Load{{Name: "GET"}, {Name: "PUT 1 KB"}, {Name: "forward 1 KB"}}
	value := make([]byte, valueSize)
	for range frames {
		key := binary.BigEndian.AppendUint64(nil, r.Uint64())
		loads[0].Frames = append(loads[0].Frames, request(wire.OpGet, key, nil, service))
		loads[1].Frames = append(loads[1].Frames, request(wire.OpPut, key, value, service))
		to := netip.AddrPortFrom(nodeAddr(int(key[0])), service.Port())
		loads[2].Frames = append(loads[2].Frames, request(wire.OpChainUpdate, key, value, to))
	}
	return loads
}

func request(op wire.Op, key, value []byte, to netip.AddrPort) []byte {
	p := wire.Packet(wire.AppendKeyed(wire.Append(nil, op), key, value))
	p.SetKeyspace(keyspace)
	p.SetIndexKey(kv.RangePartitioned.IndexKey(key))
	p.Seal()
	return wire.AppendFrame(nil, wire.Flow{Src: client, Dst: to}, p)
}

// As behind a port, frames are processed where they were received, in one of a batch of buffers; the
// bytes that a switch may parse, and so overwrite, are those of another frame every time.
const (
	buffers = 64
	headers = wire.FrameOverhead + wire.HeaderSize + keySize
	keySize = 2 + 8 // and its length
)

// Run returns a benchmark of one load; it fails if any packet does not leave the switch.
func Run(sw *v1model.Switch, l Load) func(*testing.B) {
	return func(b *testing.B) {
		worker := sw.NewWorker()
		sent := 0
		count := func(uint16, []byte) { sent++ }
		var received [buffers][]byte
		for i := range received {
			received[i] = bytes.Clone(l.Frames[i])
		}
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			f := received[n%buffers]
			copy(f, l.Frames[n%len(l.Frames)][:headers])
			worker.ProcessInPlace(9, f, count)
			n++
		}
		if sent != n {
			b.Fatalf("%d of %d packets left the switch", sent, n)
		}
	}
}

// Measure prints packets a second on one core and allocations a packet for every load.
func Measure(w io.Writer) error {
	sw, err := NewSwitch()
	if err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "pipeline, one core\tpackets/s\tns/packet\tallocations/packet\t")
	for _, l := range Loads() {
		r := testing.Benchmark(Run(sw, l))
		if r.N == 0 {
			return fmt.Errorf("pipeline: packets of the load %s did not all leave the switch", l.Name)
		}
		seconds := r.T.Seconds() / float64(r.N)
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%d\t\n", l.Name, 1/seconds, seconds*1e9, r.AllocsPerOp())
	}
	return t.Flush()
}
