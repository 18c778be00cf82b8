package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Config are the parameters of a Session. Rand is required; zero values of the rest stand for the
// defaults given.
type Config struct {
	// Rand draws session numbers and jitter. The Session uses it alone.
	Rand *rand.Rand
	// Window bounds the requests that were sent and have not ended. Default 1024.
	Window int
	// Queue bounds the requests that wait for room in the window. Default 4096.
	Queue int
	// Span bounds the writes from the lowest outstanding one on, ended ones included: the
	// results that the nodes must keep for this session. Default 4096, as many as a node keeps.
	Span int
	// MinRTO is the shortest retransmission time-out. Default 5 ms: a loaded node or a garbage
	// collection may delay a reply by a few milliseconds.
	MinRTO time.Duration
	// FirstRTO is the time-out before the first round trip has been measured. Default 50 ms,
	// well above any round trip inside a data centre; an fsync may be part of it.
	FirstRTO time.Duration
	// MaxRTO is where exponential backoff ends. Default 250 ms, so that a request finds a chain
	// soon after it has been repaired.
	MaxRTO time.Duration
}

// Defaults of Config.
const (
	DefaultWindow   = 1024
	DefaultQueue    = 4096
	DefaultSpan     = 4096
	DefaultMinRTO   = 5 * time.Millisecond
	DefaultFirstRTO = 50 * time.Millisecond
	DefaultMaxRTO   = 250 * time.Millisecond
)

// maxWindow bounds Window and Queue: slot numbers are 31 bits, and memory is finite.
const maxWindow = 1 << 20

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// complete fills in the defaults and rejects what cannot work.
func (c Config) complete() (Config, error) {
	c.Window = orDefault(c.Window, DefaultWindow)
	c.Queue = orDefault(c.Queue, DefaultQueue)
	c.Span = orDefault(c.Span, DefaultSpan)
	c.MinRTO = orDefault(c.MinRTO, DefaultMinRTO)
	c.FirstRTO = orDefault(c.FirstRTO, DefaultFirstRTO)
	c.MaxRTO = orDefault(c.MaxRTO, DefaultMaxRTO)
	switch {
	case c.Rand == nil:
		return c, errors.New("session: Rand must be set")
	case c.Window < 1 || c.Window > maxWindow:
		return c, fmt.Errorf("session: window of %d requests: must be 1 to %d", c.Window, maxWindow)
	case c.Queue < 1 || c.Queue > maxWindow:
		return c, fmt.Errorf("session: queue of %d requests: must be 1 to %d", c.Queue, maxWindow)
	case c.Span < 1 || c.Span > maxWindow:
		return c, fmt.Errorf("session: span of %d writes: must be 1 to %d", c.Span, maxWindow)
	case c.MinRTO < 0 || c.FirstRTO < c.MinRTO || c.MaxRTO < c.FirstRTO:
		return c, fmt.Errorf("session: time-outs %v, %v, %v: must be positive and ascending",
			c.MinRTO, c.FirstRTO, c.MaxRTO)
	}
	return c, nil
}
