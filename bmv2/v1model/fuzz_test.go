package v1model_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// FuzzProcess feeds frames to programs that use everything; none may panic, hang, or make a
// frame longer than the headers a program can add.
func FuzzProcess(f *testing.F) {
	programs := []string{"tables", "copies", "parsing", "unions", "varbit", "valuesets", "exprs",
		"hashes", "handmade", "stateful", "registers"}
	for i := range programs {
		f.Add(byte(i), uint16(1), []byte{})
		f.Add(byte(i), uint16(511),
			[]byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x88\x47\x00\x06\x43\x40\x45"))
		for what := range byte(15) {
			f.Add(byte(i), uint16(what), append([]byte{what, what << 4, 1, 2, 3}, make([]byte,
				30)...))
		}
	}
	var workers []*v1model.Worker
	for _, name := range programs {
		sw := newSwitch(f, name, v1model.Config{MaxPasses: 50})
		if name == "tables" {
			must(f, sw.Insert(exact(1, 2, 3)))
		}
		if name == "stateful" {
			fill(f, sw)
		}
		sw.Update([]v1model.Op{{Type: v1model.OpInsert,
			Entity: &v1model.CloneSession{ID: 5, Replicas: []v1model.Replica{{Port: 2},
				{Port: 3}}}}})
		workers = append(workers, sw.NewWorker())
	}
	f.Fuzz(func(t *testing.T, which byte, port uint16, frame []byte) {
		w := workers[int(which)%len(workers)]
		w.Process(port, frame, func(_ uint16, out []byte) {
			if len(out) > len(frame)+100 {
				t.Errorf("%d bytes became %d", len(frame), len(out))
			}
		})
	})
}

// FuzzProgram changes programs: what loads and compiles must run without a panic.
func FuzzProgram(f *testing.F) {
	for _, name := range []string{"tables", "copies", "parsing", "unions", "varbit", "valuesets",
		"hashes", "handmade", "stateful", "registers"} {
		data, err := os.ReadFile(filepath.Join("..", "testdata", name+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, 10, byte('0'), make([]byte, 60))
	}
	f.Fuzz(func(t *testing.T, data []byte, at int, to byte, frame []byte) {
		if at >= 0 && at < len(data) {
			data = bytes.Clone(data)
			data[at] = to
		}
		p, err := bmv2.Load(data)
		if err != nil {
			return
		}
		sw, err := v1model.NewSwitch(p, v1model.Config{MaxPasses: 20})
		if err != nil {
			return
		}
		w := sw.NewWorker()
		for what := range byte(16) {
			if len(frame) > 0 {
				frame[0] = what
			}
			w.Process(1, frame, func(uint16, []byte) {})
		}
	})
}
