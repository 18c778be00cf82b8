package dataplane

import (
	"testing"
	"time"
)

// TestTheCarrierIsTheHighestThatReachesAllAndIsNear follows one carrier through a day of its life.
func TestTheCarrierIsTheHighestThatReachesAllAndIsNear(t *testing.T) {
	rack := Candidate{Name: "s1", Level: 0, Reach: 3}
	poor := Candidate{Name: "s4", Level: 1, Reach: 2} // lacks a cable
	spine := Candidate{Name: "s5", Level: 1, Reach: 3}
	other := Candidate{Name: "s6", Level: 1, Reach: 3}
	all := func(near, complete string) (out []Candidate) {
		for i, x := range []Candidate{rack, poor, spine, other} {
			x.Near, x.Complete = near[i] == '1', complete[i] == '1'
			out = append(out, x)
		}
		return out
	}
	c := NewCarrier(all("0000", "0000"))
	for i, step := range []struct {
		now            time.Duration
		near, complete string
		leave          bool
		want           string
	}{
		{0, "1101", "0000", false, "s5"},               // it may come yet
		{3 * time.Second, "1101", "0000", false, "s6"}, // it does not
		{4 * time.Second, "1111", "1111", false, "s6"}, // it is no better now
		{5 * time.Second, "1100", "1100", false, "s1"}, // the poor spine does not reach all
		{6 * time.Second, "1110", "1100", false, "s1"}, // the good one is not complete
		{7 * time.Second, "1110", "1110", false, "s5"},
		{8 * time.Second, "1110", "1110", true, "s1"},
		{9 * time.Second, "1110", "1110", false, "s1"}, // it has just failed
		{9 * time.Second, "1111", "1111", false, "s6"},
		{9 * time.Second, "0000", "0000", true, "s6"},
	} {
		x := all(step.near, step.complete)
		if step.leave {
			c.Leave(x)
		} else {
			c.Choose(step.now, x)
		}
		if c.At() != step.want {
			t.Fatalf("step %d: %s carries, want %s", i, c.At(), step.want)
		}
	}
	c.Leave(all("0001", "0001")) // nobody else
	c.Leave(all("0011", "0011"))
	c.Attached("s6")
	if c.At() != "s5" || c.Choose(0, all("0011", "0011")) {
		t.Fatalf("%s carries", c.At())
	}
}
