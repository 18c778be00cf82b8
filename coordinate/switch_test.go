package coordinate_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// Addresses of the rack of the tests: the client hangs on clientPort, every node on its own port.
var (
	clientAddr  = netip.MustParseAddrPort("10.0.9.1:40001")
	serviceAddr = netip.MustParseAddrPort("10.0.0.100:21579")
)

const (
	clientPort = 100
	cableDrops = 32
)

func node(i int) kv.NodeID { return kv.NodeID(10<<24 | i) }

// sent is a datagram that left, without the Ethernet and IPv4 around it.
type sent struct {
	to      netip.AddrPort
	payload string
}

// reference is the P4 program in the built-in switch, with the tables that a map stands for.
type reference struct {
	t      *testing.T
	live   *v1model.Switch
	worker *v1model.Worker
	drops  string // name of the counter
}

func newReference(t *testing.T, subRanges []coordinate.SubRange, nodes int) *reference {
	t.Helper()
	program, err := bmv2.Load(p4src.DeviceConfig())
	if err != nil {
		t.Fatal(err)
	}
	live, err := v1model.NewSwitch(program, v1model.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{t: t, live: live, worker: live.NewWorker()}
	session := &v1model.CloneSession{ID: p4src.ScanCloneSession,
		Replicas: []v1model.Replica{{Port: clientPort}}}
	for _, err := range live.Update([]v1model.Op{{Type: v1model.OpInsert, Entity: session}}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	r.insert(p4src.ServiceTable, p4src.ToService, []v1model.Match{exact(serviceAddr.Addr().AsSlice())})
	for i := 1; i <= nodes; i++ {
		r.route(node(i).Addr(), uint16(i))
	}
	for _, s := range subRanges {
		r.install(s)
	}
	return r
}

func exact(v []byte) v1model.Match { return v1model.Match{Value: v} }

func (r *reference) insert(table, action string, match []v1model.Match, params ...[]byte) {
	r.t.Helper()
	e := &v1model.Entry{Match: match, Params: params}
	for _, t := range r.live.Program().Tables() {
		if !strings.HasSuffix(t.Name, "."+table) {
			continue
		}
		e.Table = t.Name
		for _, a := range t.Actions {
			if strings.HasSuffix(a.Name, "."+action) {
				e.Action = a.Name
			}
		}
	}
	if err := r.live.Insert(e); err != nil {
		r.t.Fatalf("%s %s: %v", table, action, err)
	}
}

func (r *reference) route(addr netip.Addr, port uint16) {
	mac := transport.MACOf(addr)
	r.insert(p4src.IPv4Table, p4src.Forward,
		[]v1model.Match{{Value: addr.AsSlice(), PrefixLen: 32}},
		binary.BigEndian.AppendUint16(nil, port), mac[:])
}

// install writes the rows that the controller would write.
func (r *reference) install(s coordinate.SubRange) {
	id := binary.BigEndian.AppendUint32(nil, uint32(s.ID))
	for _, p := range s.Interval.Cover() {
		m := v1model.Match{Any: true}
		if p.Len > 0 {
			m = v1model.Match{Value: p.Key[:], PrefixLen: p.Len}
		}
		r.insert(p4src.PartitionTable, p4src.SetSubRange, []v1model.Match{
			exact(binary.BigEndian.AppendUint16(nil, uint16(s.Keyspace))), m,
		}, id)
	}
	if s.Blocked {
		r.insert(p4src.SubRangeTable, p4src.Block, []v1model.Match{exact(id)})
		return
	}
	next, more := s.Interval.Last.Next()
	isLast := byte(1)
	if more {
		isLast = 0
	}
	params := [][]byte{binary.BigEndian.AppendUint32(nil, uint32(s.Epoch)), {byte(len(s.Chain))}}
	for i := range kv.MaxChain {
		n := kv.NodeID(0)
		if i < len(s.Chain) {
			n = s.Chain[i]
		}
		params = append(params, binary.BigEndian.AppendUint32(nil, uint32(n)))
	}
	params = append(params, s.Interval.Last[:], next[:], []byte{isLast})
	r.insert(p4src.SubRangeTable, p4src.Serve, []v1model.Match{exact(id)}, params...)
}

// send sends one datagram of the client to the service and returns what leaves, and which drop
// counters grew by how much.
func (r *reference) send(request []byte) (out []sent, drops [cableDrops]int) {
	r.t.Helper()
	before := r.dropped()
	frame := wire.AppendFrame(nil, wire.Flow{
		SrcMAC: transport.MACOf(clientAddr.Addr()), DstMAC: transport.GatewayMAC,
		Src: clientAddr, Dst: serviceAddr,
	}, request)
	r.worker.Process(clientPort, frame, func(port uint16, frame []byte) {
		flow, payload, ok := wire.ParseFrame(frame)
		if !ok {
			r.t.Fatalf("frame %x left port %d", frame, port)
		}
		out = append(out, sent{flow.Dst, string(payload)})
	})
	for i, n := range r.dropped() {
		drops[i] = n - before[i]
	}
	return out, drops
}

func (r *reference) dropped() (counts [cableDrops]int) {
	for _, reason := range p4src.DropReasons() {
		v, err := r.live.ReadCounter(r.dropCounter(), int(reason))
		if err != nil {
			r.t.Fatal(err)
		}
		counts[reason] = int(v.Packets)
	}
	return counts
}

// dropCounter finds the full name of the counter.
func (r *reference) dropCounter() string {
	if r.drops == "" {
		for _, c := range r.live.Program().Counters {
			if strings.HasSuffix(c.Name, "."+p4src.DropCounter) {
				r.drops = c.Name
			}
		}
	}
	return r.drops
}

// describe prints packets for a failed comparison.
func describe(packets []sent) string {
	var b bytes.Buffer
	for _, s := range packets {
		fmt.Fprintf(&b, "\n  to %v: %x", s.to, s.payload)
	}
	return b.String()
}
