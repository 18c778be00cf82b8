package v1model_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

func TestDigestCarriesTheFieldsOfItsList(t *testing.T) {
	var got []string
	sw := newSwitch(t, "copies", v1model.Config{OnDigest: func(d v1model.Digest) {
		got = append(got, fmt.Sprintf("%s %x", d.List.Name, d.Values))
	}})
	process(sw.NewWorker(), 0x123, []byte{5, 0, 0xab, 0xcd})
	if len(got) != 1 || got[0] != "news_t [0123 abcd 05]" {
		t.Errorf("digests %q", got)
	}
}

func TestLogMessages(t *testing.T) {
	var got []string
	sw := newSwitch(t, "copies", v1model.Config{OnLog: func(s string) { got = append(got, s) }})
	process(sw.NewWorker(), 0, []byte{13, 0, 1, 2})
	if len(got) != 1 || got[0] != "note 258 of 13" {
		t.Errorf("messages %q", got)
	}
}

func TestLoopsEnd(t *testing.T) {
	sw := newSwitch(t, "copies", v1model.Config{MaxPasses: 100})
	w := sw.NewWorker()
	session := &v1model.CloneSession{ID: 5, Replicas: []v1model.Replica{{Port: 2}, {Port: 3}}}
	if errs := sw.Update([]v1model.Op{{Type: v1model.OpInsert, Entity: session}}); errs != nil {
		t.Fatal(errs)
	}
	process(w, 0, []byte{8, 0, 0, 0}) // recirculates for ever
	if s := sw.Stats(); s.Recirculated != 100 || s.TooManyLoops != 1 {
		t.Errorf("%+v", s)
	}
	if out := process(w, 0, []byte{14, 0, 0, 0}); len(out) == 0 || len(out) > 101 {
		t.Errorf("%d frames from clones that clone themselves twice", len(out))
	}
	if out := process(w, 0, []byte{0, 0, 0, 0}); len(out) != 1 {
		t.Errorf("the next frame: %v", out)
	}
}

func TestCloneIsCutToItsSession(t *testing.T) {
	sw := newSwitch(t, "copies", v1model.Config{})
	session := &v1model.CloneSession{ID: 5, MaxBytes: 5, Replicas: []v1model.Replica{{Port: 2}}}
	if errs := sw.Update([]v1model.Op{{Type: v1model.OpInsert, Entity: session}}); errs != nil {
		t.Fatal(errs)
	}
	out := process(sw.NewWorker(), 0, []byte("\x01\x00\x00\x00payload"))
	if len(out) != 2 || len(out[0].frame)+len(out[1].frame) != 11+5 {
		t.Errorf("frames %+v", out)
	}
}

func TestStatsCountEachFate(t *testing.T) {
	sw := newSwitch(t, "copies", v1model.Config{})
	w := sw.NewWorker()
	for _, what := range []byte{0, 2, 3, 9, 4, 12} {
		process(w, 0, []byte{what, 0, 0, 0})
	}
	process(w, 0, []byte{0})
	want := v1model.Stats{Received: 7, Sent: 4, Dropped: 2, Resubmitted: 1, Recirculated: 2,
		Failed:       1,
		ParserErrors: 1}
	if got := sw.Stats(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestPacketsSeeWholeBatches(t *testing.T) {
	sw := newSwitch(t, "tables", v1model.Config{})
	pair := func(port byte) []v1model.Op {
		return []v1model.Op{{Type: v1model.OpModify, Entity: exact(1, 1, port)},
			{Type: v1model.OpModify, Entity: exact(2, 2, port)}}
	}
	must(t, sw.Insert(exact(1, 1, 1)))
	must(t, sw.Insert(exact(2, 2, 1)))
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			w := sw.NewWorker()
			last := uint16(0)
			for !stop.Load() {
				a, b := process(w, 0, frame(0, 1, 1)), process(w, 0, frame(0, 2, 2))
				// b was looked up later, so it must not be older than a.
				if len(a) != 1 || len(b) != 1 || b[0].port < a[0].port || a[0].port < last {
					t.Errorf("ports %v then %v after %d", a, b, last)
					return
				}
				last = b[0].port
			}
		})
	}
	for port := range byte(250) {
		if errs := sw.Update(pair(port + 1)); errs != nil {
			t.Error(errs)
		}
	}
	stop.Store(true)
	wg.Wait()
}

func TestProcessingAllocatesNothing(t *testing.T) {
	digests := 0
	sw := newSwitch(t, "copies", v1model.Config{OnDigest: func(v1model.Digest) { digests++ }})
	w := sw.NewWorker()
	ops := []v1model.Op{
		{Type: v1model.OpInsert, Entity: &v1model.CloneSession{ID: 5,
			Replicas: []v1model.Replica{{Port: 2}}}},
		{Type: v1model.OpInsert, Entity: &v1model.MulticastGroup{ID: 3,
			Replicas: []v1model.Replica{{Port: 1}, {Port: 2}}}},
	}
	if errs := sw.Update(ops); errs != nil {
		t.Fatal(errs)
	}
	frames, count := make([][]byte, 14), 0
	for what := range frames {
		frames[what] = append([]byte{byte(what), 0, 0, 0}, make([]byte, 200)...)
	}
	out := func(uint16, []byte) { count++ }
	all := func() {
		for _, f := range frames {
			w.Process(3, f, out)
		}
	}
	all() // the first packets make the buffers
	if n := testing.AllocsPerRun(20, all); n != 0 {
		t.Errorf("%v allocations for %d frames", n, len(frames))
	}
	if digests == 0 || count == 0 {
		t.Error("nothing happened")
	}
}

func TestWrongPrograms(t *testing.T) {
	p := load(t, "copies")
	broken := *p
	broken.Pipelines = p.Pipelines[:1]
	if _, err := v1model.NewSwitch(&broken, v1model.Config{}); err == nil {
		t.Error("a program without an egress pipeline is accepted")
	}
	if err := v1model.Verify(&broken); err == nil {
		t.Error("Verify accepts it")
	}
	if err := v1model.Verify(p); err != nil {
		t.Error(err)
	}
	if _, err := v1model.NewSwitch(p, v1model.Config{DropPort: 600}); err == nil {
		t.Error("a drop port of 10 bits is accepted")
	}
}
