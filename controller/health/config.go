package health

import (
	"fmt"
	"time"
)

// Config says how long to wait for what. The zero value of a field means its default.
type Config struct {
	// BeatInterval is the time between two messages of a healthy node in its session. Default
	// 100 ms: ten small messages per second and node.
	BeatInterval time.Duration
	// Missed is the number of BeatIntervals of silence that make a node suspect. Default 5, so that
	// a collection of garbage or a slow disk is not yet a suspicion.
	Missed int
	// ProbeEvery is the time between two probes of a suspected node. Default 25 ms, ten probes
	// within the patience, so that some get through a lossy network.
	ProbeEvery time.Duration
	// ProbePatience is how long a suspected node may leave probes unanswered. Default 250 ms: a
	// killed process, whose session closes at once, is failed within 300 ms.
	ProbePatience time.Duration
	// SessionPatience is how long a node may be without a session, or silent in it, although it
	// answers probes. Default 3 s, longer than a node waits between two attempts to connect.
	SessionPatience time.Duration
	// CanProbe says that probes can be sent. Nodes that cannot be probed (see Detector.SetProbing)
	// are given Missed beats instead of ProbePatience, time enough to connect again.
	CanProbe bool
	// Data says that nodes are to be probed also while they beat, because sessions and requests go
	// through different networks.
	Data bool
	// DataProbeEvery is the time between two such probes. Default 500 ms: a lost packet or two are no
	// suspicion, and a thousand nodes are two thousand small packets per second.
	DataProbeEvery time.Duration
	// DataPatience is how long a node that beats may leave them unanswered. Default 2 s, long enough
	// for the switches to take another way around a link that is lost.
	DataPatience time.Duration
}

// withDefaults fills in zero fields.
func (c Config) withDefaults() Config {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&c.BeatInterval, 100*time.Millisecond)
	set(&c.ProbeEvery, 25*time.Millisecond)
	set(&c.ProbePatience, 250*time.Millisecond)
	set(&c.SessionPatience, 3*time.Second)
	set(&c.DataProbeEvery, 500*time.Millisecond)
	set(&c.DataPatience, 2*time.Second)
	if c.Missed == 0 {
		c.Missed = 5
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.BeatInterval < 0 || c.Missed < 2:
		return fmt.Errorf("health: beat interval %v, missed %d: must be positive, and at least 2",
			c.BeatInterval, c.Missed)
	case c.ProbeEvery < 0 || c.ProbePatience < c.ProbeEvery:
		return fmt.Errorf("health: probe every %v, probe patience %v: must be positive, "+
			"and the patience at least as long", c.ProbeEvery, c.ProbePatience)
	case c.SessionPatience < c.silence()+c.ProbePatience:
		return fmt.Errorf("health: session patience %v: must be at least %d beats of %v and the "+
			"probe patience %v", c.SessionPatience, c.Missed, c.BeatInterval, c.ProbePatience)
	case c.DataProbeEvery < 0 || c.DataPatience < suspectAfter*c.DataProbeEvery:
		return fmt.Errorf("health: data probe every %v, data patience %v: must be positive, and the "+
			"patience at least %d times as long", c.DataProbeEvery, c.DataPatience, suspectAfter)
	}
	return nil
}

// silence is how long a node may say nothing without being suspected.
func (c Config) silence() time.Duration { return time.Duration(c.Missed) * c.BeatInterval }

// pause is how late the detector may be called without mistrusting its own eyes.
func (c Config) pause() time.Duration { return c.silence() / 2 }

// Bound returns the longest time from the last sign of life of a node that has fallen silent to its
// failure, if another node is healthy, probes go out and inputs come in time.
func (c Config) Bound() time.Duration {
	c = c.withDefaults()
	patience := c.ProbePatience
	if !c.CanProbe {
		patience = max(patience, c.silence())
	}
	return c.silence() + patience + 2*c.BeatInterval + 2*c.ProbeEvery
}
