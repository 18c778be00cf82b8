package p4src_test

import (
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// TestScriptsOnFollowedSwitch runs the scripts while every packet is followed through the program as it
// is written, instead of the graph that the compiler made of it: both must do the same.
func TestScriptsOnFollowedSwitch(t *testing.T) {
	traces := 0
	runScripts(t, func(t *testing.T) device {
		d := newBuiltIn(t)
		stop, err := d.live.Watch(v1model.Filter{}, func(*v1model.Trace) { traces++ })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		return d
	})
	if traces == 0 {
		t.Error("no packet was followed")
	}
}
