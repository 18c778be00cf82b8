package v1model_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// filled is a switch that runs stateful.p4 with something in all that the program keeps.
func filled(t testing.TB, cfg v1model.Config) *v1model.Switch {
	t.Helper()
	sw := newSwitch(t, "stateful", cfg)
	fill(t, sw)
	return sw
}

func fill(t testing.TB, sw *v1model.Switch) {
	t.Helper()
	if i, err := sw.UpdateAtomic(filling()); err != nil {
		t.Fatalf("operation %d: %v", i, err)
	}
}

// filling puts something in all that stateful.p4 keeps.
func filling() []v1model.Op {
	config := &v1model.MeterConfig{CIR: 1000, CBurst: 2, PIR: 2000, PBurst: 4}
	return append(insert(
		member(nexthops, 1, "mark", 1, 5), member(paths, 1, "send", 1), member(paths, 2, "send", 2),
		profileGroup(7, v1model.GroupMember{Member: 1, Weight: 1,
			Watch: v1model.WatchPort{Port: 1, Set: true}}, v1model.GroupMember{Member: 2, Weight: 3}),
		metered(1), pointing("indirect_table", 1, v1model.RefMember, 1),
		pointing("second_table", 1, v1model.RefMember, 1),
		pointing("selected_table", 1, v1model.RefGroup, 7), aging(1, 1e9)),
		modify(&v1model.DirectMeter{Entry: metered(1), Config: config}),
		modify(&v1model.MeterCell{Meter: "ingress.packet_meter", Index: 1, Config: config}),
		modify(&v1model.MeterCell{Meter: "ingress.byte_meter", Index: 1, Config: config}))
}

func TestStatefulPacketsAllocateNothing(t *testing.T) {
	var c clock
	w := filled(t, v1model.Config{Now: c.read}).NewWorker()
	var frames [][]byte
	for kind := byte(kindPacketMeter); kind <= kindAging; kind++ {
		frames = append(frames, stateful(kind, 1, 77), stateful(kind, 2, 77))
	}
	all := func() {
		for _, f := range frames {
			c.now++
			w.Process(1, f, func(uint16, []byte) {})
		}
	}
	if n := testing.AllocsPerRun(20, all); n != 0 {
		t.Errorf("%.1f allocations for %d frames", n, len(frames))
	}
}

// TestPacketsMeetWholeBatches changes the members of a group together while packets choose among
// them: whatever a packet takes, both of its parameters are of one batch.
func TestPacketsMeetWholeBatches(t *testing.T) {
	sw := newSwitch(t, "stateful", v1model.Config{})
	set := func(typ v1model.OpType, n byte) []v1model.Op {
		return []v1model.Op{{Type: typ, Entity: member(paths, 1, "mark", n, n)},
			{Type: typ, Entity: member(paths, 2, "mark", n, n)}}
	}
	group := profileGroup(1, v1model.GroupMember{Member: 1, Weight: 1,
		Watch: v1model.WatchPort{Port: 3, Set: true}}, v1model.GroupMember{Member: 2, Weight: 2})
	apply(t, sw, append(set(v1model.OpInsert, 1), insert(group,
		pointing("selected_table", 1, v1model.RefGroup, 1))...)...)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			w := sw.NewWorker()
			last := byte(0)
			for h := uint16(0); ; h++ {
				select {
				case <-stop:
					return
				default:
				}
				out := process(w, 0, stateful(kindSelected, 1, h))
				port, next := byte(out[0].port), out[0].frame[5]
				if port != next || port < last {
					t.Errorf("port %d, next %d, after %d", port, next, last)
					return
				}
				last = port
			}
		})
	}
	for n := range byte(200) {
		apply(t, sw, set(v1model.OpModify, n+2)...)
		sw.SetPort(3, n%2 == 0)
		group.Members[1].Weight = 1 + int(n%4)
		apply(t, sw, modify(group))
	}
	close(stop)
	readers.Wait()
}

func TestTraceTellsWhatWasChosen(t *testing.T) {
	sw := filled(t, v1model.Config{})
	w := sw.NewWorker()
	var got *v1model.Trace
	stop, err := sw.Watch(v1model.Filter{}, func(t *v1model.Trace) { got = t })
	must(t, err)
	defer stop()
	lookup := func(kind byte, hash uint16) *v1model.Lookup {
		process(w, 0, stateful(kind, 1, hash))
		for _, s := range got.Passes[0].Steps {
			if s.Table != nil && strings.HasSuffix(s.Table.Name, "_table") {
				return s.Table
			}
		}
		t.Fatalf("no table in %+v", got.Passes[0].Steps)
		return nil
	}
	if l := lookup(kindMetered, 0); l.Color != "green" || l.Action != "ingress.police" {
		t.Errorf("direct meter: %+v", l)
	}
	if l := lookup(kindIndirect, 0); l.Member != 1 || l.Group != 0 || l.Color != "" ||
		l.Action != "ingress.mark" || len(l.Params) != 2 || len(l.Match) != 1 {
		t.Errorf("member: %+v", l)
	}
	seen := map[uint32]bool{}
	for h := range uint16(64) {
		l := lookup(kindSelected, h)
		if l.Group != 7 || l.Params[0].Value[1] != byte(l.Member) {
			t.Errorf("group: %+v", l)
		}
		seen[l.Member] = true
	}
	if len(seen) != 2 {
		t.Errorf("members seen: %v", seen)
	}
	process(w, 0, stateful(kindPacketMeter, 1, 0))
	for _, s := range got.Passes[0].Steps {
		if s.Meter != nil && *s.Meter != (v1model.Metering{Name: "ingress.packet_meter", Index: 1,
			Color: "green"}) {
			t.Errorf("meter: %+v", s.Meter)
		}
	}
	apply(t, sw, modify(profileGroup(7)))
	if l := lookup(kindSelected, 0); !l.Hit || l.Action != "" || l.Group != 7 || l.Member != 0 {
		t.Errorf("an empty group: %+v", l)
	}
}

func benchmarkKind(b *testing.B, kind byte) {
	var c clock
	w := filled(b, v1model.Config{Now: c.read}).NewWorker()
	out := func(uint16, []byte) {}
	f := stateful(kind, 1, 0)
	b.ReportAllocs()
	for i := range b.N {
		c.now++
		f[3] = byte(i)
		w.Process(1, f, out)
	}
}

func BenchmarkStatefulMeter(b *testing.B)       { benchmarkKind(b, kindPacketMeter) }
func BenchmarkStatefulDirectMeter(b *testing.B) { benchmarkKind(b, kindMetered) }
func BenchmarkStatefulMember(b *testing.B)      { benchmarkKind(b, kindIndirect) }
func BenchmarkStatefulGroup(b *testing.B)       { benchmarkKind(b, kindSelected) }
func BenchmarkStatefulIdle(b *testing.B)        { benchmarkKind(b, kindAging) }

// benchmarkEntries inserts entries, each with a one-shot of four actions, into a table that gets
// large.
func benchmarkEntries(b *testing.B, batch int) {
	prog := load(b, "stateful")
	table := prog.Table("ingress.selected_table")
	const most = 20000 // no packets come, so the key may be wider than its field
	table.MaxSize, prog.Profile(paths).MaxSize, table.Key[0].Width = most, 4*most, 16
	var sw *v1model.Switch
	var ops []v1model.Op
	b.ReportAllocs()
	for i := range b.N {
		n := i % most
		if n == 0 {
			var err error
			sw, err = v1model.NewSwitch(prog, v1model.Config{})
			must(b, err)
		}
		e := &v1model.Entry{Table: table.Name, Match: []v1model.Match{{Value: num(uint64(n), 2)}},
			Ref: v1model.ActionRef{Kind: v1model.RefOneShot}}
		for k := range byte(4) {
			e.Ref.OneShot = append(e.Ref.OneShot, v1model.WeightedAction{Action: "ingress.send",
				Params: [][]byte{{k}}, Weight: 1})
		}
		if ops = append(ops, insert(e)...); len(ops) == batch || n == most-1 || i == b.N-1 {
			if errs := sw.Update(ops); errs != nil {
				b.Fatal(errs)
			}
			ops = ops[:0]
		}
	}
}

func BenchmarkOneShotAlone(b *testing.B)   { benchmarkEntries(b, 1) }
func BenchmarkOneShotBatches(b *testing.B) { benchmarkEntries(b, 100) }
