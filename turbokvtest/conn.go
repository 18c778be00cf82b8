package turbokvtest

import "time"

// The management network carries the sessions between nodes, controller and switches. It loses no
// messages, but a session over a path that stays cut breaks.
const (
	wireDelayMax = 2 * time.Millisecond   // of a message
	reconnectMax = 60 * time.Millisecond  // pause before another attempt
	lookEvery    = 100 * time.Millisecond // how often a session looks whether its path is cut
)

// management is that network.
type management struct {
	c    *Cluster
	cuts cuts
	// patience is how long a session bears a cut path before its ends give it up.
	patience time.Duration
}

// open reports whether both directions between two places work.
func (m *management) open(a, b place) bool { return m.cuts.open(a, b) && m.cuts.open(b, a) }

// end is one side of a session.
type end struct {
	place   place
	open    bool
	receive func(message any)
	closed  func() // called once, when the end learns that the session is over
	queue   []any  // on their way to the other end, in order
	busy    bool   // a delivery from the queue is on the agenda
}

// conn is a session: reliable and in order in each direction, as TCP is.
type conn struct {
	net  *management
	ends [2]*end
	cut  time.Duration // for how long the path has been seen cut
}

// dial opens a session between two ends.
func (m *management) dial(a, b *end) *conn {
	k := &conn{net: m, ends: [2]*end{a, b}}
	a.open, b.open = true, true
	m.c.events.after(lookEvery, k.look)
	return k
}

// look is the keepalive: a session whose path is cut in either direction, or whose other end is
// gone, breaks after a while, for each end by itself.
func (k *conn) look() {
	a, b := k.ends[0], k.ends[1]
	if !a.open && !b.open {
		return
	}
	if a.open && b.open && k.net.open(a.place, b.place) {
		k.cut = 0
	} else if k.cut += lookEvery; k.cut > k.net.patience {
		for _, e := range k.ends {
			k.net.c.events.after(k.net.c.within(lookEvery), func() { k.shut(e) })
		}
	}
	k.net.c.events.after(lookEvery, k.look)
}

// shut makes an end learn that the session is over.
func (k *conn) shut(e *end) {
	if e.open {
		e.open = false
		e.closed()
	}
}

// hangUp ends the session from one side, as the end of its process does. The other side learns of
// it at once if the path allows, and from its keepalive otherwise.
func (k *conn) hangUp(e *end) {
	if !e.open {
		return
	}
	e.open = false
	to := k.other(e)
	k.net.c.events.after(k.net.c.within(wireDelayMax), func() {
		if k.net.cuts.open(e.place, to.place) {
			k.shut(to)
		}
	})
}

// vanish ends the session from one side without a word, as the loss of its machine does.
func (k *conn) vanish(e *end) { e.open = false }

func (k *conn) other(e *end) *end {
	if k.ends[0] == e {
		return k.ends[1]
	}
	return k.ends[0]
}

// send gives a message to the other end.
func (k *conn) send(from *end, message any) {
	if !from.open {
		return
	}
	from.queue = append(from.queue, message)
	if !from.busy {
		from.busy = true
		k.net.c.events.after(k.net.c.within(wireDelayMax), func() { k.pump(from) })
	}
}

// pump delivers what is under way from an end.
func (k *conn) pump(from *end) {
	to := k.other(from)
	if !to.open {
		from.queue = nil
		return
	}
	if !k.net.cuts.open(from.place, to.place) { // TCP tries again, while there is one
		if !from.open {
			from.queue = nil
			return
		}
		k.net.c.events.after(lookEvery/4, func() { k.pump(from) })
		return
	}
	batch := from.queue
	from.queue, from.busy = nil, false
	for _, m := range batch {
		if to.open {
			to.receive(m)
		}
	}
}
