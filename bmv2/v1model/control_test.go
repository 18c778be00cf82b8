package v1model_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

func TestEntryLifeCycle(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	w := sw.NewWorker()
	e := exact(1, 2, 9)
	if out := process(w, 1, frame(0, 1, 2)); out != nil {
		t.Fatalf("before the insert: %v", out)
	}
	must(t, sw.Insert(e))
	if err := sw.Insert(e); !errors.Is(err, v1model.ErrExists) {
		t.Errorf("second insert: %v", err)
	}
	if out := process(w, 1, frame(0, 1, 2)); len(out) != 1 || out[0].port != 9 {
		t.Fatalf("after the insert: %v", out)
	}
	must(t, sw.Modify(exact(1, 2, 10)))
	if out := process(w, 1, frame(0, 1, 2)); len(out) != 1 || out[0].port != 10 {
		t.Fatalf("after the modify: %v", out)
	}
	v, err := sw.DirectCounter(e)
	if err != nil || v != (v1model.CounterValue{Packets: 2, Bytes: 42}) {
		t.Errorf("the counter must survive the modify: %+v, %v", v, err)
	}
	must(t, sw.Delete(e))
	if out := process(w, 1, frame(0, 1, 2)); out != nil {
		t.Fatalf("after the delete: %v", out)
	}
	for _, err := range []error{sw.Delete(e), sw.Modify(e)} {
		if !errors.Is(err, v1model.ErrNotFound) {
			t.Errorf("after the delete: %v", err)
		}
	}
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	change := func(f func(*v1model.Entry)) *v1model.Entry {
		e := exact(1, 2, 3)
		f(e)
		return e
	}
	ternary := &v1model.Entry{Table: "ingress.ternary_table", Action: "ingress.drop",
		Match:    []v1model.Match{{Value: []byte{3}, Mask: []byte{1}}, {Any: true}, {Any: true}},
		Priority: 1}
	for _, c := range []struct {
		e    *v1model.Entry
		want error
		text string
	}{
		{change(func(e *v1model.Entry) { e.Table = "nope" }), v1model.ErrUnknown,
			"ingress.lpm_table"},
		{change(func(e *v1model.Entry) { e.Action = "nope" }), v1model.ErrUnknown,
			"ingress.drop, ingress.send"},
		{change(func(e *v1model.Entry) { e.Action = "ingress.send_wide" }), v1model.ErrUnknown,
			"send_wide"},
		{change(func(e *v1model.Entry) { e.Match = e.Match[1:] }), v1model.ErrInvalid,
			"h.key.nibble (exact, 4 bits)"},
		{change(func(e *v1model.Entry) { e.Match[0].Value = []byte{16} }), v1model.ErrWidth,
			"h.key.nibble"},
		{change(func(e *v1model.Entry) { e.Match[0].Any = true }), v1model.ErrInvalid, "exact"},
		{change(func(e *v1model.Entry) { e.Params = nil }), v1model.ErrInvalid, "1"},
		{change(func(e *v1model.Entry) { e.Params[0] = []byte{2, 0} }), v1model.ErrWidth, `"port"`},
		{change(func(e *v1model.Entry) { e.Priority = 1 }), v1model.ErrInvalid, "priority 1"},
		{ternary, v1model.ErrInvalid, "outside its mask"},
		{&v1model.Entry{Table: "ingress.const_table"}, v1model.ErrConst, "const entries"},
		{&v1model.Entry{Table: "ingress.lpm_table", Action: "ingress.drop", Match: []v1model.Match{
			{Value: []byte{1}, PrefixLen: 3}, {Value: []byte{1}}}}, v1model.ErrInvalid, "prefix"},
		{&v1model.Entry{Table: "ingress.lpm_table", Action: "ingress.drop", Match: []v1model.Match{
			{PrefixLen: 129}, {Value: []byte{1}}}}, v1model.ErrInvalid, "0 to 128"},
		{&v1model.Entry{Table: "ingress.range_table", Action: "ingress.drop", Priority: 1,
			Match: []v1model.Match{{Value: []byte{2}, High: []byte{1}}, {}}}, v1model.ErrInvalid,
			"empty"},
	} {
		err := sw.Insert(c.e)
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("insert %+v: %v; want %v with %q", c.e, err, c.want, c.text)
		}
	}
	if all, err := sw.Entries("ingress.exact_table"); err != nil || len(all) != 0 {
		t.Errorf("failed inserts left %d entries, error %v", len(all), err)
	}
}

func TestTableFull(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	for i := range byte(4) { // size = 4
		must(t, sw.Insert(exact(i, 0, 1)))
	}
	if err := sw.Insert(exact(5, 0, 1)); !errors.Is(err, v1model.ErrTableFull) {
		t.Errorf("fifth insert: %v", err)
	}
	must(t, sw.Delete(exact(2, 0, 1)))
	must(t, sw.Insert(exact(5, 0, 1)))
}

func TestBatchReportsEachOperation(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	errs := sw.Update([]v1model.Op{
		{Type: v1model.OpInsert, Entity: exact(1, 1, 1)},
		{Type: v1model.OpInsert, Entity: exact(1, 1, 2)},
		{Type: v1model.OpInsert, Entity: &v1model.CloneSession{ID: 7,
			Replicas: []v1model.Replica{{Port: 1}}}},
		{Type: v1model.OpInsert, Entity: &v1model.MulticastGroup{ID: 0}},
		{Type: v1model.OpModify, Entity: exact(1, 1, 3)},
	})
	if len(errs) != 5 || errs[0] != nil || !errors.Is(errs[1], v1model.ErrExists) ||
		errs[2] != nil ||
		!errors.Is(errs[3], v1model.ErrInvalid) || errs[4] != nil {
		t.Fatalf("errors %v", errs)
	}
	e, err := sw.Entry(exact(1, 1, 0))
	if err != nil || !bytes.Equal(e.Params[0], []byte{0, 3}) {
		t.Errorf("entry %+v, error %v", e, err)
	}
	if s := sw.CloneSessions(); len(s) != 1 || s[0].ID != 7 {
		t.Errorf("sessions %v", s)
	}
}

func TestAtomicBatchLeavesNothingBehind(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	must(t, sw.Insert(exact(1, 1, 1)))
	must(t, sw.Insert(exact(2, 2, 2)))
	must(t, sw.WriteCounter("ingress.kinds", 3, v1model.CounterValue{Packets: 5}))
	i, err := sw.UpdateAtomic([]v1model.Op{
		{Type: v1model.OpInsert, Entity: exact(3, 3, 3)},
		{Type: v1model.OpModify, Entity: exact(1, 1, 9)},
		{Type: v1model.OpDelete, Entity: exact(2, 2, 2)},
		{Type: v1model.OpModify, Entity: &v1model.DefaultEntry{Table: "ingress.exact_table",
			Action: "ingress.send", Params: [][]byte{{8}}}},
		{Type: v1model.OpModify, Entity: &v1model.CounterCell{Counter: "ingress.kinds", Index: 3}},
		{Type: v1model.OpInsert, Entity: &v1model.CloneSession{ID: 1}},
		{Type: v1model.OpDelete, Entity: exact(4, 4, 4)},
	})
	if i != 6 || !errors.Is(err, v1model.ErrNotFound) {
		t.Fatalf("operation %d: %v", i, err)
	}
	all, err := sw.Entries("ingress.exact_table")
	must(t, err)
	var ports []byte
	for _, e := range all {
		ports = append(ports, e.Params[0][1])
	}
	slices.Sort(ports)
	if !bytes.Equal(ports, []byte{1, 2}) {
		t.Errorf("entries to ports %v, want 1 and 2", ports)
	}
	if d, err := sw.Default("ingress.exact_table"); err != nil || d.Action != "ingress.drop" {
		t.Errorf("default %+v, error %v", d, err)
	}
	if v, err := sw.ReadCounter("ingress.kinds", 3); err != nil || v.Packets != 5 {
		t.Errorf("counter %+v, error %v", v, err)
	}
	if len(sw.CloneSessions()) != 0 {
		t.Error("the clone session stayed")
	}
	w := sw.NewWorker()
	if out := process(w, 0, frame(0, 1, 1)); len(out) != 1 || out[0].port != 1 {
		t.Errorf("entry 1 forwards %v", out)
	}
	if out := process(w, 0, frame(0, 3, 3)); out != nil {
		t.Errorf("entry 3 forwards %v", out)
	}
}

func TestDefaultEntries(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	send := &v1model.DefaultEntry{Table: "ingress.wide_table", Action: "ingress.drop"}
	must(t, sw.SetDefault(&v1model.DefaultEntry{Table: "ingress.exact_table",
		Action: "ingress.send",
		Params: [][]byte{{5}}}))
	w := sw.NewWorker()
	if out := process(w, 0, frame(0, 9, 9)); len(out) != 1 || out[0].port != 5 {
		t.Errorf("the new default forwards %v", out)
	}
	errs := sw.Update([]v1model.Op{{Type: v1model.OpDelete,
		Entity: &v1model.DefaultEntry{Table: "ingress.exact_table"}}})
	if errs != nil {
		t.Fatal(errs)
	}
	if out := process(w, 0, frame(0, 9, 9)); out != nil {
		t.Errorf("the program's default forwards %v", out)
	}
	if err := sw.SetDefault(send); !errors.Is(err, v1model.ErrConst) {
		t.Errorf("const default: %v", err)
	}
}

func TestReadingReturnsTheCanonicalForm(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	must(t, sw.Insert(&v1model.Entry{Table: "ingress.ternary_table", Priority: 3, Meta: "kept",
		Action: "ingress.send", Params: [][]byte{{0, 0, 0, 7}},
		Match: []v1model.Match{{Value: []byte{5}, Mask: []byte{0, 0, 0xff}}, {}, {PrefixLen: 0}}}))
	all, err := sw.Entries("ingress.ternary_table")
	if err != nil || len(all) != 1 {
		t.Fatalf("%d entries, error %v", len(all), err)
	}
	e := all[0]
	if !bytes.Equal(e.Match[0].Value, []byte{0, 5}) || !bytes.Equal(e.Match[0].Mask, []byte{0,
		0xff}) ||
		!e.Match[1].Any || !e.Match[2].Any || !bytes.Equal(e.Params[0], []byte{0, 7}) ||
		e.Meta != "kept" {
		t.Errorf("entry %+v", e)
	}
}

func TestConstEntriesCanBeRead(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	all, err := sw.Entries("ingress.const_table")
	if err != nil || len(all) != 3 {
		t.Fatalf("%d entries, error %v", len(all), err)
	}
	for i := range all[1:] {
		if all[i].Priority <= all[i+1].Priority {
			t.Errorf("entry %d has priority %d, the next %d", i, all[i].Priority, all[i+1].Priority)
		}
	}
}

func TestCells(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	must(t, sw.WriteRegister("ingress.wides", 1, []byte{1, 2, 3}))
	v, err := sw.ReadRegister("ingress.wides", 1)
	if want := append(make([]byte, 13), 1, 2, 3); err != nil || !bytes.Equal(v, want) {
		t.Errorf("register %x, error %v", v, err)
	}
	for _, c := range []struct {
		err, want error
	}{
		{sw.WriteRegister("ingress.wides", 2, nil), v1model.ErrRange},
		{sw.WriteRegister("ingress.wides", 0, make([]byte, 17)), nil},
		{sw.WriteRegister("ingress.seen", 0, []byte{1, 0, 0, 0, 0}), v1model.ErrWidth},
		{sw.WriteRegister("nope", 0, nil), v1model.ErrUnknown},
		{sw.WriteCounter("ingress.kinds", 8, v1model.CounterValue{}), v1model.ErrRange},
		{sw.WriteCounter("ingress.exact_hits", 0, v1model.CounterValue{}), v1model.ErrUnknown},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("error %v, want %v", c.err, c.want)
		}
	}
}

func TestNewProgramForgetsTheOldState(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	w := sw.NewWorker()
	must(t, sw.Insert(exact(1, 1, 4)))
	process(w, 0, frame(0, 1, 1))
	must(t, sw.SetProgram(load(t, "copies")))
	if out := process(w, 0, []byte{0, 0, 0, 0}); len(out) != 1 || out[0] != (sent{1,
		"\x00\x01\x00\x00"}) {
		t.Errorf("the new program forwards %v", out)
	}
	must(t, sw.SetProgram(load(t, "tables")))
	if out := process(w, 0, frame(0, 1, 1)); out != nil {
		t.Errorf("the table is not empty: %v", out)
	}
}
