package netplan

import (
	"testing"

	"github.com/turbokv/turbokv/bmv2/link"
	"github.com/turbokv/turbokv/bmv2/port"
)

// TestSwitchUnderstandsItsPorts: what a plan says of links is what the built-in switch makes of it.
func TestSwitchUnderstandsItsPorts(t *testing.T) {
	p := plan(t, slowSpine(t), options)
	want := map[string]link.Spec{
		"s1-eth1": {Delay: 2e6, Rate: 1e7, Both: true},
		"s1-eth3": {Delay: 2e6, Rate: 1e7, Loss: 0.001, Queue: 50},
	}
	s1, _ := p.Process("s1")
	for i, word := range s1.Args {
		if word != "-i" {
			continue
		}
		spec, err := port.ParseSpec(s1.Args[i+1])
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := want[spec.Interface]; ok && spec.Link != w {
			t.Errorf("%s: %+v, want %+v", s1.Args[i+1], spec.Link, w)
		}
		delete(want, spec.Interface)
	}
	if len(want) > 0 {
		t.Errorf("no ports %v", want)
	}
}
