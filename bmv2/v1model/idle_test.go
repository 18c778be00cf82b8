package v1model_test

import (
	"errors"
	"testing"
	"time"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

func aging(flow byte, timeout time.Duration) *v1model.Entry {
	return &v1model.Entry{Table: "ingress.aging_table", Match: []v1model.Match{{Value: []byte{flow}}},
		Action: "ingress.send", Params: [][]byte{{1}}, IdleTimeout: timeout}
}

// TestEntriesExpire walks through the life of three entries: one that is hit, one that is not, and
// one without a timeout.
func TestEntriesExpire(t *testing.T) {
	var c clock
	sw := newSwitch(t, "stateful", v1model.Config{Now: c.read})
	w := sw.NewWorker()
	c.now = 5e6
	apply(t, sw, insert(aging(1, time.Second), aging(2, time.Second), aging(3, 0))...)
	for _, step := range []struct {
		after time.Duration // since the step before
		hit   bool          // a packet of entry 1
		want  string        // flows that expire
		since time.Duration // entry 1 was hit
	}{
		{0, false, "", 0},
		{999 * time.Millisecond, true, "", 0},
		{time.Millisecond, false, "\x02", time.Millisecond},
		{998 * time.Millisecond, false, "", 999 * time.Millisecond},
		{time.Millisecond, false, "\x01", time.Second},
		{time.Millisecond, false, "\x02", 1001 * time.Millisecond}, // again, a timeout later
		{10 * time.Second, false, "\x01\x02", 11001 * time.Millisecond},
		{0, false, "", 11001 * time.Millisecond},
		{500 * time.Millisecond, true, "", 0},
		{500 * time.Millisecond, false, "\x02", 500 * time.Millisecond},
		{500 * time.Millisecond, false, "\x01", time.Second},
	} {
		c.now += uint64(step.after.Microseconds())
		if step.hit {
			process(w, 0, stateful(kindAging, 1, 0))
		}
		var got string
		for _, e := range sw.Expired() {
			got += string(e.Match[0].Value)
		}
		if got != step.want {
			t.Errorf("at %d us: %x expired, want %x", c.now, got, step.want)
		}
		since, err := sw.TimeSinceHit(aging(1, 0))
		if err != nil || since != step.since {
			t.Errorf("at %d us: hit %s ago, want %s, %v", c.now, since, step.since, err)
		}
	}
}

func TestIdleTimeoutCanBeChanged(t *testing.T) {
	var c clock
	sw := newSwitch(t, "stateful", v1model.Config{Now: c.read})
	apply(t, sw, insert(aging(1, time.Hour))...)
	c.now = 1e6
	must(t, sw.Modify(aging(1, time.Second)))
	if got := sw.Expired(); len(got) != 1 || got[0].IdleTimeout != time.Second {
		t.Errorf("expired: %+v", got)
	}
	must(t, sw.Modify(aging(1, 0)))
	c.now = 1e12
	if got := sw.Expired(); len(got) != 0 {
		t.Errorf("expired without a timeout: %+v", got)
	}
	must(t, sw.Delete(aging(1, 0)))
	if _, err := sw.TimeSinceHit(aging(1, 0)); !errors.Is(err, v1model.ErrNotFound) {
		t.Errorf("an entry that is gone: %v", err)
	}
}

func TestIdleTimeoutNeedsItsTable(t *testing.T) {
	sw := newSwitch(t, "stateful", v1model.Config{})
	e := metered(1)
	e.IdleTimeout = time.Second
	if err := sw.Insert(e); !errors.Is(err, v1model.ErrInvalid) {
		t.Errorf("in a table without support_timeout: %v", err)
	}
	if err := sw.Insert(aging(1, -1)); !errors.Is(err, v1model.ErrInvalid) {
		t.Errorf("negative: %v", err)
	}
	must(t, sw.Insert(metered(1)))
	if _, err := sw.TimeSinceHit(metered(1)); !errors.Is(err, v1model.ErrInvalid) {
		t.Errorf("time since a hit: %v", err)
	}
}

// TestIdleTimeNeedsNoPackets has a clock for packets that stands still because none come.
func TestIdleTimeNeedsNoPackets(t *testing.T) {
	packets, control := clock{now: 5e6}, clock{now: 5e6}
	sw := newSwitch(t, "stateful", v1model.Config{Now: packets.read, Clock: control.read})
	control.now += 10e6
	must(t, sw.Insert(aging(1, time.Second)))
	if got := sw.Expired(); len(got) != 0 {
		t.Errorf("a new entry expired: %+v", got)
	}
	control.now += 1e6
	if got, err := sw.TimeSinceHit(aging(1, 0)); err != nil || got != time.Second {
		t.Errorf("%s since the insertion, %v", got, err)
	}
	if got := sw.Expired(); len(got) != 1 {
		t.Errorf("expired: %+v", got)
	}
}
