package links

import (
	"fmt"
	"time"
)

// Config says how often frames are sent and how many decide. The zero value of a field means its
// default.
type Config struct {
	// Interval is the time between two frames of a port. Default 100 ms: a fat tree of 20 switches
	// has 64 ports towards others, 640 frames per second for a controller.
	Interval time.Duration
	// Missed is the number of frames in a row that are lost on a broken link. Default 4: of a link
	// that loses every tenth frame a direction is taken for broken once in 10,000 intervals, and a
	// broken one is found in half a second.
	Missed int
	// Heard is the number of intervals in a row in which a broken link must carry frames to work
	// again. Default 3, so that a cable that comes and goes stays down.
	Heard int
}

func (c Config) withDefaults() Config {
	if c.Interval == 0 {
		c.Interval = 100 * time.Millisecond
	}
	if c.Missed == 0 {
		c.Missed = 4
	}
	if c.Heard == 0 {
		c.Heard = 3
	}
	return c
}

func (c Config) validate() error {
	if c.Interval < 0 || c.Missed < 0 || c.Heard < 0 {
		return fmt.Errorf("links: interval %v, missed %d, heard %d: must be positive",
			c.Interval, c.Missed, c.Heard)
	}
	return nil
}

// ttl is how long a frame tells the truth to other listeners, in seconds.
func (c Config) ttl() uint16 {
	return uint16(min(1+c.Interval*time.Duration(c.Missed)/time.Second, 1<<16-1))
}
