// Package examples holds what docs/SWITCH.md begins with: a program, its packet test, and the same test
// in Go.
package examples

import (
	"os"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

func TestWire(t *testing.T) {
	data, err := os.ReadFile("wire.json")
	if err != nil {
		t.Fatal(err)
	}
	program, err := bmv2.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	sw, err := v1model.NewSwitch(program, v1model.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = sw.Insert(&v1model.Entry{Table: "ingress.wire", Match: []v1model.Match{{Value: []byte{1}}},
		Action: "ingress.send", Params: [][]byte{{2}}})
	if err != nil {
		t.Fatal(err)
	}
	var ports []uint16
	sw.NewWorker().Process(1, make([]byte, 60), func(port uint16, frame []byte) {
		ports = append(ports, port)
	})
	if !slices.Equal(ports, []uint16{2}) {
		t.Errorf("the frame left by the ports %v, want 2", ports)
	}
}
