package v1model_test

import (
	"errors"
	"reflect"
	"sync"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

func setOf(name string, members ...v1model.ValueSetMember) *v1model.ValueSet {
	return &v1model.ValueSet{Name: name, Members: members}
}

func value(b ...byte) v1model.ValueSetMember { return v1model.ValueSetMember{Value: b} }

// way returns how the program valuesets parses a frame.
func way(w *v1model.Worker, kind, small, large uint16) byte {
	f := make([]byte, 20)
	f[0], f[1] = byte(kind>>8), byte(kind)
	f[2], f[3] = byte(small<<5|large>>8), byte(large)
	return process(w, 0, f)[0].frame[0]
}

func TestValueSetsAreReadAsTheyWereWritten(t *testing.T) {
	sw := newSwitch(t, "valuesets", v1model.Config{})
	got, err := sw.ValueSet("parse.pairs")
	must(t, err)
	if len(got.Members) != 0 || got.Name != "parse.pairs" {
		t.Errorf("a new set is %+v", got)
	}
	v := setOf("parse.pairs", value(0x07, 0x1f, 0xff), v1model.ValueSetMember{
		Value: []byte{1, 0, 0}, Mask: []byte{7, 0, 0}})
	v.Meta = "kept"
	must(t, sw.SetValueSet(v))
	got, err = sw.ValueSet("parse.pairs")
	must(t, err)
	want := setOf("parse.pairs", v1model.ValueSetMember{Value: []byte{1, 0, 0}, Mask: []byte{7, 0, 0}},
		value(0x07, 0x1f, 0xff))
	want.Meta = "kept"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
	// A mask that covers all bits of the key is none.
	must(t, sw.SetValueSet(setOf("parse.pairs",
		v1model.ValueSetMember{Value: []byte{5}, Mask: []byte{7, 0x1f, 0xff}})))
	got, err = sw.ValueSet("parse.pairs")
	must(t, err)
	if !reflect.DeepEqual(got.Members, []v1model.ValueSetMember{value(0, 0, 5)}) {
		t.Errorf("read %+v", got.Members)
	}
}

func TestValueSetErrors(t *testing.T) {
	sw := newSwitch(t, "valuesets", v1model.Config{})
	masked := func(v, m []byte) v1model.ValueSetMember {
		return v1model.ValueSetMember{Value: v, Mask: m}
	}
	for _, c := range []struct {
		what string
		set  *v1model.ValueSet
		want error
	}{
		{"unknown", setOf("nope"), v1model.ErrUnknown},
		{"full", setOf("parse.pairs", value(1), value(2), value(3)), v1model.ErrTableFull},
		{"twice", setOf("parse.pairs", value(1), value(0, 1)), v1model.ErrInvalid},
		{"too wide", setOf("parse.types", value(1, 0, 0)), v1model.ErrWidth},
		{"in the padding", setOf("parse.pairs", value(8, 0, 0)), v1model.ErrWidth},
		{"outside of the mask", setOf("parse.types", masked([]byte{3}, []byte{1})), v1model.ErrInvalid},
		{"mask too wide", setOf("parse.types", masked(nil, []byte{1, 0, 0})), v1model.ErrWidth},
	} {
		if err := sw.SetValueSet(c.set); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
	for _, op := range []v1model.OpType{v1model.OpInsert, v1model.OpDelete} {
		errs := sw.Update([]v1model.Op{{Type: op, Entity: setOf("parse.types", value(1))}})
		if errs == nil || !errors.Is(errs[0], v1model.ErrInvalid) {
			t.Errorf("%s: %v", op, errs)
		}
	}
	if _, err := sw.ValueSet("nope"); !errors.Is(err, v1model.ErrUnknown) {
		t.Errorf("reading an unknown set: %v", err)
	}
}

// A batch that fails as a whole leaves the sets, and what packets see of them, as they were.
func TestValueSetsAreRolledBack(t *testing.T) {
	sw := newSwitch(t, "valuesets", v1model.Config{})
	w := sw.NewWorker()
	must(t, sw.SetValueSet(setOf("parse.types", value(8, 0))))
	i, err := sw.UpdateAtomic([]v1model.Op{
		{Type: v1model.OpModify, Entity: setOf("parse.types", value(9, 0))},
		{Type: v1model.OpModify, Entity: setOf("parse.types", value(9, 0, 0))},
	})
	if i != 1 || !errors.Is(err, v1model.ErrWidth) {
		t.Fatalf("operation %d: %v", i, err)
	}
	got, err := sw.ValueSet("parse.types")
	must(t, err)
	if !reflect.DeepEqual(got.Members, []v1model.ValueSetMember{value(8, 0)}) {
		t.Errorf("members %+v", got.Members)
	}
	if way(w, 0x800, 0, 0) != 2 || way(w, 0x900, 0, 0) != 0 {
		t.Error("packets see the batch that failed")
	}
	must(t, sw.SetProgram(sw.Program()))
	if way(w, 0x800, 0, 0) != 0 {
		t.Error("a new program begins with members")
	}
}

// Two sets that are swapped in one batch: every packet sees exactly one of them.
func TestPacketsSeeOneStateOfAllSets(t *testing.T) {
	sw := newSwitch(t, "valuesets", v1model.Config{})
	update := func(types, pairs *v1model.ValueSet) {
		if errs := sw.Update([]v1model.Op{{Type: v1model.OpModify, Entity: types},
			{Type: v1model.OpModify, Entity: pairs}}); errs != nil {
			t.Error(errs)
		}
	}
	full, empty := setOf("parse.types", value(0, 7)), setOf("parse.types")
	fullPairs, emptyPairs := setOf("parse.pairs", value(1, 0, 5)), setOf("parse.pairs")
	update(full, emptyPairs)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if i%2 == 0 {
				update(empty, fullPairs)
			} else {
				update(full, emptyPairs)
			}
		}
	})
	w := sw.NewWorker()
	seen := map[byte]int{}
	for n := 0; n < 200_000 && (n < 3000 || len(seen) < 2); n++ {
		seen[way(w, 7, 1, 5)]++
	}
	close(stop)
	wg.Wait()
	if seen[2]+seen[3] == 0 || len(seen) > 2 || seen[0] > 0 {
		t.Errorf("ways taken: %v, want 2 (types) and 3 (pairs) only", seen)
	}
}

// TestTracesTellOfUnionsVarbitsAndValueSets follows one packet of each kind.
func TestTracesTellOfUnionsVarbitsAndValueSets(t *testing.T) {
	follow := func(program string, prepare func(*v1model.Switch), f []byte) *v1model.Pass {
		sw := newSwitch(t, program, v1model.Config{})
		prepare(sw)
		var trace *v1model.Trace
		stop, err := sw.Watch(v1model.Filter{}, func(x *v1model.Trace) { trace = x })
		must(t, err)
		defer stop()
		process(sw.NewWorker(), 0, f)
		return trace.Passes[0]
	}
	nothing := func(*v1model.Switch) {}

	p := follow("unions", nothing, []byte{1, 1, 0, 0, 0xb0, 0x11})
	if h := p.Headers[1]; h.Name != "u.b" || h.Union != "u" {
		t.Errorf("parsed %+v", p.Headers)
	}
	if h := p.Out.Headers[1]; h.Name != "u.s" || h.Union != "u" || p.Out.Headers[0].Union != "" {
		t.Errorf("sent %+v", p.Out.Headers)
	}

	p = follow("varbit", nothing, []byte{0, 4, 0, 0, 0, 0x1a, 0xab, 0xb2, 0x22})
	data := p.Headers[1].Fields[1]
	if data.Name != "data" || !reflect.DeepEqual(data.Value, v1model.Bytes{0xaa, 0xbb}) {
		t.Errorf("varbit %+v", p.Headers[1])
	}
	p = follow("varbit", nothing, []byte{0, 0, 0, 0, 0, 0x12, 0x22})
	if data = p.Headers[1].Fields[1]; len(data.Value) != 0 {
		t.Errorf("empty varbit %+v", p.Headers[1])
	}

	p = follow("valuesets", func(sw *v1model.Switch) {
		must(t, sw.SetValueSet(setOf("parse.pairs", value(1, 0, 5))))
	}, append([]byte{0, 7, 1 << 5, 5}, make([]byte, 16)...))
	var sets []string
	for _, s := range p.Parser {
		sets = append(sets, s.ValueSet)
	}
	if !reflect.DeepEqual(sets, []string{"", "parse.pairs", ""}) {
		t.Errorf("states %+v", p.Parser)
	}
}

// A filter on a variable-length field compares numbers, however long the field is at present.
func TestFilterOnVarbit(t *testing.T) {
	sw := newSwitch(t, "varbit", v1model.Config{})
	told := 0
	stop, err := sw.Watch(v1model.Filter{Fields: []v1model.FieldFilter{
		{Name: "options.data", Value: []byte{0xaa}, Prefix: -1}}}, func(*v1model.Trace) { told++ })
	must(t, err)
	defer stop()
	w := sw.NewWorker()
	for _, f := range [][]byte{
		{0, 2, 0, 0, 0, 0x1a, 0xa2, 0x22},       // aa
		{0, 4, 0, 0, 0, 0x10, 0x0a, 0xa2, 0x22}, // 00aa
		{0, 4, 0, 0, 0, 0x1a, 0xa0, 0x02, 0x22}, // aa00
		{0, 0, 0, 0, 0, 0x12, 0x22},             // nothing
	} {
		process(w, 0, f)
	}
	if told != 2 {
		t.Errorf("%d packets met the filter, want 2", told)
	}
}

// The packets of the packet tests cost no memory in any of the programs that use the whole
// language.
func TestNoLanguageElementAllocates(t *testing.T) {
	for _, program := range []string{"unions", "varbit", "valuesets", "exprs", "hashes", "handmade",
		"keys"} {
		sw := newSwitch(t, program, v1model.Config{})
		if program == "valuesets" {
			must(t, sw.SetValueSet(setOf("parse.types", value(8, 0),
				v1model.ValueSetMember{Value: []byte{0x12, 0}, Mask: []byte{0xff, 0}})))
			must(t, sw.SetValueSet(setOf("parse.wides", value(append([]byte{5}, make([]byte, 16)...)...))))
		}
		frames, count := seedFrames(t, program), 0
		w, out := sw.NewWorker(), func(uint16, []byte) { count++ }
		all := func() {
			for _, f := range frames {
				w.Process(0, f, out)
			}
		}
		all() // the first packets make the buffers
		if n := testing.AllocsPerRun(10, all); n != 0 || count == 0 {
			t.Errorf("%s: %v allocations for %d frames, %d sent", program, n, len(frames), count)
		}
	}
}
