package core

import "time"

// reach is whether a switch is within reach, and since when that is so.
type reach struct {
	is    bool
	since time.Duration
}

func (c *Core) reach(name string, is bool) {
	if r, known := c.reaches[name]; !known || r.is != is {
		c.reaches[name] = reach{is, c.now}
		c.dirty = true
	}
}

// homesAtOnce bounds the sub-ranges that get another home in one step, each in a new epoch.
const homesAtOnce = 64

// rehomeEvery is how often the homes are looked at.
const rehomeEvery = time.Second

// rehome gives sub-ranges another home when switches have come or gone for good.
func (c *Core) rehome() {
	if len(c.cfg.Directory.Switches) < 2 {
		return
	}
	if next := c.rehomed + rehomeEvery; c.now < next {
		c.wakeAt(next)
		return
	}
	c.rehomed = c.now
	c.wakeAt(c.now + rehomeEvery)
	steady := func(name string) bool { return c.now >= c.steadyAt(name) }
	if e := c.dir.Rehome(steady, homesAtOnce); len(e.Changes) > 0 {
		c.take(e)
	}
}

// steadyAt is when a switch will have been within reach or out of it for long enough. Of one that was
// never heard of that counts from the start.
func (c *Core) steadyAt(name string) time.Duration {
	r, known := c.reaches[name]
	if !known {
		r.since = c.started
	}
	return r.since + c.cfg.Policy.SwitchPatience
}
