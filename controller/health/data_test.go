package health

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

var dataProbing = Config{CanProbe: true, Data: true}

// unplug cuts nodes off from clients, not from the controller.
func (r *rig) unplug(nodes ...kv.NodeID) {
	for _, n := range nodes {
		r.answering[n] = false
	}
}

func (r *rig) failed() (out []string) {
	for _, line := range r.log {
		if strings.Contains(line, "failed") {
			out = append(out, line)
		}
	}
	return out
}

func TestNodesBehindADeadSwitchFailThoughTheyBeat(t *testing.T) {
	r := newRig(t, dataProbing, 1, 2, 3, 4, 5)
	r.run(3030 * ms)
	r.want()
	r.unplug(4, 5)
	r.run(3 * time.Second)
	for i, line := range r.failed() {
		at, err := time.ParseDuration(line[:strings.Index(line, ":")])
		if took := at - 3030*ms; err != nil || took < 2*time.Second-500*ms || took > 3*time.Second ||
			!strings.HasSuffix(line, "unreachable in the data network for 2s; no answer for 250ms") {
			t.Fatalf("%d: %s: after %v", i, line, took)
		}
	}
	if len(r.failed()) != 2 || r.carriers > 0 {
		t.Fatalf("%q, %d other carriers", r.log, r.carriers)
	}
	r.answering[4] = true
	r.run(600 * ms)
	if s := r.d.Status(4); s.State != Alive {
		t.Fatalf("%+v", s)
	}
	if s := r.d.Status(5); s.State != Failed {
		t.Fatalf("%+v", s)
	}
}

func TestALostProbeIsNoSuspicion(t *testing.T) {
	r := newRig(t, dataProbing, 1, 2, 3)
	for range 20 {
		r.unplug(2)
		r.run(1400 * ms)
		r.answering[2] = true
		r.run(600 * ms)
	}
	r.want()
	if s := r.d.Status(2); s.State != Alive || r.carriers > 0 {
		t.Fatalf("%+v, %d other carriers", s, r.carriers)
	}
}

// TestTheCarrierIsSuspectedWhenMostDoNotAnswer, and nobody is failed, however long that takes.
func TestTheCarrierIsSuspectedWhenMostDoNotAnswer(t *testing.T) {
	r := newRig(t, dataProbing, 1, 2, 3, 4)
	r.run(time.Second)
	r.unplug(1, 2, 3, 4)
	r.run(3 * time.Second)
	if r.carriers != 1 {
		t.Fatalf("%d other carriers wanted", r.carriers)
	}
	r.run(60 * time.Second)
	if len(r.log) > 0 || r.carriers < 10 || r.carriers > 20 {
		t.Fatalf("%q, %d other carriers", r.log, r.carriers)
	}
	for n := kv.NodeID(1); n <= 4; n++ { // the driver takes another one
		r.d.SetProbing(r.now, n, false)
		r.d.SetProbing(r.now, n, true)
		r.answering[n] = true
	}
	wanted := r.carriers
	r.run(10 * time.Second)
	if len(r.log) > 0 || r.carriers != wanted {
		t.Fatalf("%q, %d other carriers", r.log, r.carriers-wanted)
	}
}

// TestALargeRackIsLostAfterAnotherCarrierDidNotHelp: most nodes are gone indeed.
func TestALargeRackIsLostAfterAnotherCarrierDidNotHelp(t *testing.T) {
	r := newRig(t, dataProbing, 1, 2, 3, 4, 5)
	r.run(time.Second)
	r.unplug(1, 2, 3)
	r.run(3 * time.Second)
	if r.carriers != 1 || len(r.log) > 0 {
		t.Fatalf("%q, %d other carriers", r.log, r.carriers)
	}
	for n := kv.NodeID(1); n <= 5; n++ {
		r.d.SetProbing(r.now, n, false)
		r.d.SetProbing(r.now, n, true)
	}
	r.run(5 * time.Second)
	if len(r.failed()) != 3 || r.carriers > 1 {
		t.Fatalf("%q, %d other carriers", r.log, r.carriers)
	}
	if i := slices.IndexFunc(r.failed(), func(l string) bool { return strings.Contains(l, ": 4 ") }); i >= 0 {
		t.Fatal(r.log[i])
	}
}

// TestNobodyIsFailedBecauseProbesCannotBeSent any more.
func TestNobodyIsFailedBecauseProbesCannotBeSent(t *testing.T) {
	r := newRig(t, dataProbing, 1, 2, 3)
	r.run(time.Second)
	r.unplug(2)
	r.run(1650 * ms) // it is suspected now
	for n := kv.NodeID(1); n <= 3; n++ {
		r.d.SetProbing(r.now, n, false)
	}
	r.run(60 * time.Second)
	r.want()
	if s := r.d.Status(2); s.State != Alive {
		t.Fatalf("%+v", s)
	}
}
