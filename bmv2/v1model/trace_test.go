package v1model_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// randomEntries fills the tables of tables.p4 with entries of few values, so that frames meet them.
func randomEntries(r *rand.Rand, insert func(*v1model.Entry)) {
	value := func(size, width int) []byte {
		v := make([]byte, size)
		for i := range v {
			v[i] = []byte{0, 0, 1, 0xff}[r.IntN(4)]
		}
		if width < 8*size {
			v[0] &= 1<<(width%8) - 1
		}
		return v
	}
	masked := func(v, mask []byte) v1model.Match {
		out := bytes.Clone(v)
		for i := range out {
			out[i] &= mask[i]
		}
		return v1model.Match{Value: out, Mask: mask}
	}
	prefix := func(n int) v1model.Match {
		mask := make([]byte, 16)
		for i := range n {
			mask[i/8] |= 0x80 >> (i % 8)
		}
		return v1model.Match{Value: masked(value(16, 128), mask).Value, PrefixLen: n}
	}
	for range 12 {
		port := [][]byte{{byte(1 + r.IntN(5))}}
		for _, e := range []*v1model.Entry{
			{Table: "ingress.exact_table", Match: []v1model.Match{{Value: value(1, 4)}, {Value: value(2, 16)}}},
			{Table: "ingress.lpm_table", Match: []v1model.Match{prefix(r.IntN(129)), {Value: value(2, 12)}}},
			{Table: "ingress.ternary_table", Priority: 1 + int32(r.IntN(9)), Match: []v1model.Match{
				masked(value(2, 12), value(2, 12)), {Any: true}, prefix(r.IntN(129))}},
			{Table: "ingress.range_table", Priority: 1 + int32(r.IntN(9)), Match: []v1model.Match{
				{Value: []byte{0, byte(r.IntN(3))}, High: value(2, 16)}, {Value: value(1, 4)}}},
		} {
			e.Action, e.Params = "ingress.send", port
			insert(e)
		}
	}
}

// randomFrame is one of a program of the test data, often too short.
func randomFrame(r *rand.Rand) []byte {
	f := make([]byte, r.IntN(60))
	for i := range f {
		f[i] = []byte{0, 0, 1, 0xff, byte(r.Uint32())}[r.IntN(5)]
	}
	if len(f) > 0 {
		f[0] = byte(r.IntN(16))
	}
	return f
}

// pair is a program twice: once with a watcher for all frames.
type pair struct {
	plain, watched *v1model.Switch
	notes          [2][]string
	traces         []*v1model.Trace
}

func newPair(t *testing.T, program string, seed uint64) *pair {
	p := &pair{}
	for i, sw := range []**v1model.Switch{&p.plain, &p.watched} {
		random := rand.New(rand.NewPCG(seed, 9))
		*sw = newSwitch(t, program, v1model.Config{MaxPasses: 20, Rand: random.Uint64,
			OnDigest: func(d v1model.Digest) { p.notes[i] = append(p.notes[i], fmt.Sprintf("%x", d.Values)) },
			OnLog:    func(s string) { p.notes[i] = append(p.notes[i], s) }})
		r := rand.New(rand.NewPCG(seed, 1))
		if program == "tables" {
			randomEntries(r, func(e *v1model.Entry) {
				err := (*sw).Insert(e)
				if err != nil && !errors.Is(err, v1model.ErrExists) && !errors.Is(err, v1model.ErrTableFull) &&
					!errors.Is(err, v1model.ErrInvalid) {
					t.Fatal(err)
				}
			})
		}
		if program == "stateful" {
			fill(t, *sw)
		}
		replicas := []v1model.Replica{{Port: 2}, {Port: 3, Instance: 1}}
		if errs := (*sw).Update([]v1model.Op{
			{Type: v1model.OpInsert, Entity: &v1model.CloneSession{ID: 5, Replicas: replicas}},
			{Type: v1model.OpInsert, Entity: &v1model.MulticastGroup{ID: 3, Replicas: replicas}},
		}); errs != nil {
			t.Fatal(errs)
		}
	}
	stop, err := p.watched.Watch(v1model.Filter{}, func(x *v1model.Trace) { p.traces = append(p.traces, x) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return p
}

// TestFollowedFramesFareAlike compares frames that are followed, through the program as it is written,
// with frames that are not, through the graph that the compiler made of it; and each trace with what
// really happened.
func TestFollowedFramesFareAlike(t *testing.T) {
	for _, program := range []string{"tables", "copies", "parsing", "stateful", "unions", "varbit", "keys",
		"valuesets", "hashes", "handmade"} {
		hits := 0
		for seed := range uint64(4) {
			p := newPair(t, program, seed)
			plain, watched := p.plain.NewWorker(), p.watched.NewWorker()
			r := rand.New(rand.NewPCG(seed, 2))
			for range 200 {
				f, port := randomFrame(r), uint16(r.IntN(4))
				p.traces = nil
				want, got := process(plain, port, f), process(watched, port, f)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("%s, seed %d, frame %x: got %x, want %x", program, seed, f, got, want)
				}
				hits += checkTrace(t, p.traces, port, f, got)
				if r.IntN(20) == 0 {
					checkText(t, p.traces[0])
				}
			}
			if a, b := p.plain.Stats(), p.watched.Stats(); a != b || !reflect.DeepEqual(p.notes[0], p.notes[1]) {
				t.Fatalf("%s, seed %d: stats %+v, followed %+v", program, seed, a, b)
			}
		}
		if program == "tables" && hits < 50 {
			t.Errorf("only %d hits: the tables are not tested", hits)
		}
	}
}

// checkTrace returns how many entries were hit.
func checkTrace(t *testing.T, traces []*v1model.Trace, port uint16, f []byte, out []sent) (hits int) {
	t.Helper()
	if len(traces) != 1 || traces[0].Port != port || !bytes.Equal(traces[0].Frame, f) {
		t.Fatalf("frame %x: %d traces", f, len(traces))
	}
	var left []sent
	for i, p := range traces[0].Passes {
		if p.From > i || p.From == i && i > 0 {
			t.Fatalf("pass %d was made by pass %d", i, p.From)
		}
		if p.Out != nil {
			left = append(left, sent{p.Out.Port, string(p.Out.Frame)})
		}
		for _, s := range p.Steps {
			if s.Table != nil && s.Table.Hit {
				hits++
				checkMatch(t, s.Table)
			}
		}
	}
	if !sameFrames(left, out) && traces[0].Omitted == 0 {
		t.Fatalf("frame %x: the trace says %x left, but %x did", f, left, out)
	}
	return hits
}

// checkText makes sure that the text form says everything.
func checkText(t *testing.T, x *v1model.Trace) {
	t.Helper()
	text, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	var again v1model.Trace
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if twice, err := json.Marshal(again); err != nil || !bytes.Equal(twice, text) {
		t.Fatalf("became\n%s\nfrom\n%s\n%v", twice, text, err)
	}
}

// sameFrames ignores the order: a trace lists passes when they are made, frames leave later.
func sameFrames(a, b []sent) bool {
	count := map[sent]int{}
	for _, x := range a {
		count[x]++
	}
	for _, x := range b {
		count[x]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// checkMatch reports an entry that does not match its key.
func checkMatch(t *testing.T, l *v1model.Lookup) {
	t.Helper()
	for i, m := range l.Match {
		key, ok := l.Key[i].Value, true
		switch m.Kind {
		case "exact":
			ok = bytes.Equal(key, m.Value) || m.Mask != nil
		case "lpm":
			for b := range m.PrefixLen {
				lead := 0 // the fields that are matched by prefix have whole bytes
				ok = ok && (key[(lead+b)/8]^m.Value[(lead+b)/8])>>(7-b%8)&1 == 0
			}
		case "range":
			ok = bytes.Compare(m.Value, key) <= 0 && bytes.Compare(key, m.High) <= 0
		}
		for k := range m.Mask {
			ok = ok && key[k]&m.Mask[k] == m.Value[k]
		}
		if !ok || len(m.Value) != len(key) {
			t.Fatalf("table %s: key %x is said to match %+v", l.Name, key, m)
		}
	}
}

// story writes a trace in words.
func story(x *v1model.Trace) string {
	var b strings.Builder
	for _, p := range x.Passes {
		fmt.Fprintf(&b, "%s from %d:", p.Kind, p.From)
		for _, s := range p.Parser {
			fmt.Fprintf(&b, " %s%v", s.Name, s.Extracted)
		}
		for _, h := range p.Headers {
			for _, f := range h.Fields {
				fmt.Fprintf(&b, " %s=%x", f.Name, []byte(f.Value))
			}
		}
		b.WriteString(p.ParserError + "\n")
		for _, s := range p.Steps {
			switch {
			case s.Table != nil && len(s.Table.Key) > 0:
				fmt.Fprintf(&b, "  %s: %s hit=%v %s%v\n", s.Control, s.Table.Name, s.Table.Hit, s.Table.Action,
					s.Table.Params)
			case s.Condition != nil && s.Condition.Outcome:
				fmt.Fprintf(&b, "  %s: if (%s)\n", s.Control, s.Condition.Source)
			case s.Counter != nil:
				fmt.Fprintf(&b, "  %s: %s[%d]\n", s.Control, s.Counter.Name, s.Counter.Index)
			case s.Note != "":
				fmt.Fprintf(&b, "  %s: %s\n", s.Control, s.Note)
			}
		}
		switch {
		case p.Out != nil:
			fmt.Fprintf(&b, "  out %d %x\n", p.Out.Port, []byte(p.Out.Frame))
		case p.Drop != "":
			fmt.Fprintf(&b, "  drop: %s\n", p.Drop)
		}
	}
	return b.String()
}

func TestTraceTellsTheStory(t *testing.T) {
	p := newPair(t, "copies", 1)
	w := p.watched.NewWorker()
	for what, want := range map[byte]string{
		2: `received from 0: start[order] what=02 count=00 note=0007
  ingress: if (h.order.what == 2)
  ingress: resubmitted, fields of list 1 kept
resubmitted from 0: start[order] what=02 count=00 note=0007
  ingress: if (s.instance_type == 6 || s.instance_type == 4)
  egress: if (s.instance_type == 0)
  out 1 02011111
`,
		9: `received from 0: start[order] what=09 count=00 note=0007
  ingress: if (h.order.what == 9)
  drop: the program dropped it in ingress
`,
		4: `received from 0: start[order] what=04 count=00 note=0007
  ingress: if (h.order.what == 4)
  ingress: multicast to group 3, which has 2 ports
replica from 0: what=04 count=01 note=0007
  egress: if (s.instance_type == 5)
  out 2 04010000
replica from 0: what=04 count=01 note=0007
  egress: if (s.instance_type == 5)
  out 3 04010001
`,
	} {
		p.traces = nil
		process(w, 1, []byte{what, 0, 0, 7})
		if got := story(p.traces[0]); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
	p.traces = nil
	process(w, 1, []byte{1})
	if got := p.traces[0].Passes[0].ParserError; got != "PacketTooShort" {
		t.Errorf("parser error %q", got)
	}
}

func TestTraceIsBounded(t *testing.T) {
	sw := newSwitch(t, "copies", v1model.Config{MaxPasses: 1000})
	var got *v1model.Trace
	stop, err := sw.Watch(v1model.Filter{}, func(x *v1model.Trace) { got = x })
	must(t, err)
	process(sw.NewWorker(), 0, []byte{8, 0, 0, 0}) // recirculates for ever
	if len(got.Passes) != 64 || got.Omitted != 1000+1-64 {
		t.Errorf("%d passes, %d omitted", len(got.Passes), got.Omitted)
	}
	stop()
	got = nil
	process(sw.NewWorker(), 0, []byte{0, 0, 0, 0})
	if got != nil {
		t.Error("a frame was followed after stop")
	}
}

func TestFilters(t *testing.T) {
	sw := newSwitch(t, "copies", v1model.Config{})
	w := sw.NewWorker()
	field := func(name string, prefix int, value ...byte) v1model.Filter {
		return v1model.Filter{Fields: []v1model.FieldFilter{{Name: name, Value: value, Prefix: prefix}}}
	}
	for name, c := range map[string]struct {
		filter v1model.Filter
		want   bool
	}{
		"all":            {v1model.Filter{}, true},
		"port":           {v1model.Filter{Ports: []uint16{4, 3}}, true},
		"other port":     {v1model.Filter{Ports: []uint16{4}}, false},
		"field":          {field("order.note", -1, 0x12, 0x34), true},
		"padded field":   {field("order.what", -1, 0, 0, 0), true},
		"other field":    {field("order.note", -1, 0x12, 0x35), false},
		"prefix":         {field("order.note", 15, 0x12, 0x35), true},
		"raw":            {v1model.Filter{Raw: []v1model.RawFilter{{Offset: 3, Bytes: []byte{0x34, 9}}}}, true},
		"raw beyond end": {v1model.Filter{Raw: []v1model.RawFilter{{Offset: 4, Bytes: []byte{9, 9}}}}, false},
		"raw outside":    {v1model.Filter{Raw: []v1model.RawFilter{{Offset: 99}}}, false},
	} {
		met := false
		stop, err := sw.Watch(c.filter, func(*v1model.Trace) { met = true })
		must(t, err)
		process(w, 3, []byte{0, 0, 0x12, 0x34, 9})
		stop()
		if met != c.want {
			t.Errorf("%s: met %v, want %v", name, met, c.want)
		}
	}
	for want, f := range map[string]v1model.Filter{
		`the headers are order`:                    field("ip.src", -1, 1),
		`the fields of order are what, count, not`: field("order.node", -1, 1),
		`value too wide`:                           field("order.what", -1, 1, 0),
		`the field has 8`:                          field("order.what", 9, 1),
		`offset -1`:                                {Raw: []v1model.RawFilter{{Offset: -1}}},
	} {
		if _, err := sw.Watch(f, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
