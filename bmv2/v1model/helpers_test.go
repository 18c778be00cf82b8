package v1model_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

func load(t testing.TB, name string) *bmv2.Program {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := bmv2.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newSwitch(t testing.TB, name string, cfg v1model.Config) *v1model.Switch {
	t.Helper()
	sw, err := v1model.NewSwitch(load(t, name), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return sw
}

// sent is a frame that left a switch.
type sent struct {
	port  uint16
	frame string
}

// process runs one frame and returns what left.
func process(w *v1model.Worker, port uint16, frame []byte) (out []sent) {
	w.Process(port, frame, func(port uint16, frame []byte) {
		out = append(out, sent{port, string(frame)})
	})
	return out
}

// exact is an entry of exact_table of tables.p4.
func exact(nibble, small byte, port byte) *v1model.Entry {
	return &v1model.Entry{Table: "ingress.exact_table", Action: "ingress.send",
		Match:  []v1model.Match{{Value: []byte{nibble}}, {Value: []byte{small}}},
		Params: [][]byte{{port}}}
}

// frame of tables.p4: kind, nibble, small.
func frame(kind, nibble, small byte) []byte {
	f := make([]byte, 21)
	f[0], f[1], f[4] = kind, nibble<<4, small
	return f
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
