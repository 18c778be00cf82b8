package links

import (
	"fmt"
	"strings"
	"time"

	"github.com/turbokv/turbokv/topology"
)

// cable is a link between two switches.
type cable struct {
	link  int
	ears  [2]*ear
	sent  bool // both ends were told to send, and have kept their sessions since
	up    bool
	since time.Duration
}

// ear is one direction of a cable, seen from where it is heard.
type ear struct {
	of       *cable
	at, from topology.End // hears here what is sent from there

	// In this interval.
	heard    bool // from
	mistaken bool // another one

	// In the last intervals in a row.
	missed int
	row    int

	// What is wrong.
	silent bool
	dark   bool         // no signal
	wrong  topology.End // who was heard instead; zero: nobody
}

// forget makes a fresh start: what is not heard now says nothing. The verdict stays.
func (c *cable) forget() {
	c.begin(false)
	for _, e := range c.ears {
		e.missed, e.row = 0, 0
	}
}

// begin starts an interval.
func (c *cable) begin(sent bool) {
	c.sent = sent
	for _, e := range c.ears {
		e.heard, e.mistaken = false, false
	}
}

// judge ends an interval.
func (l *Links) judge() {
	if l.deaf() {
		return
	}
	for _, c := range l.cables {
		if !c.sent {
			continue
		}
		for _, e := range c.ears {
			e.judge(l.cfg)
		}
		l.settle(c)
	}
}

// deaf reports whether several cables should have carried frames and nobody has heard any.
func (l *Links) deaf() bool {
	sent := 0
	for _, c := range l.cables {
		if !c.sent {
			continue
		}
		sent++
		for _, e := range c.ears {
			if e.heard || e.mistaken {
				return false
			}
		}
	}
	return sent > 1
}

func (e *ear) judge(cfg Config) {
	if !e.heard {
		e.missed++
		e.silent = e.silent || e.missed >= cfg.Missed
	} else {
		e.missed = 0
	}
	if !e.heard || e.mistaken {
		e.row = 0
		return
	}
	if e.row++; e.row >= cfg.Heard {
		e.silent, e.dark, e.wrong = false, false, topology.End{}
	}
}

func (e *ear) well() bool { return !e.silent && !e.dark && e.wrong == topology.End{} }

func (e *ear) why() string {
	switch {
	case e.wrong != topology.End{}:
		return fmt.Sprintf("%v hears %v instead of %v", e.at, e.wrong, e.from)
	case e.dark:
		return fmt.Sprintf("%v has no signal", e.at)
	case e.silent:
		return fmt.Sprintf("%v does not hear %v", e.at, e.from)
	}
	return ""
}

func (c *cable) why() string {
	var out []string
	for _, e := range c.ears {
		if !e.well() {
			out = append(out, e.why())
		}
	}
	return strings.Join(out, ", ")
}

// settle reports a change of the state of a cable.
func (l *Links) settle(c *cable) {
	up := c.ears[0].well() && c.ears[1].well()
	if up == c.up {
		return
	}
	c.up, c.since = up, l.now
	kind := Down
	if up {
		kind = Up
	}
	l.events = append(l.events, Event{Kind: kind, Link: c.link, Why: c.why()})
}

// mistaken says that another neighbour than expected was heard.
func (l *Links) mistaken(e *ear, from topology.End) {
	e.mistaken = true
	if e.wrong == from {
		return
	}
	e.wrong = from
	l.events = append(l.events, Event{
		Kind: Miswired, Link: e.of.link, At: e.at, Want: e.from, Found: from,
	})
	l.settle(e.of)
}

// stranger is a switch that was heard on a port that should have a host, or nothing.
type stranger struct {
	from           topology.End
	seen, reported time.Duration
}

// strangerEvery is the least time between two reports of one port: there a host may send what it
// likes, and shall not fill the logs.
const strangerEvery = 10 * time.Second

// hearStranger reports one who is new on the port, or has come back after a while.
func (l *Links) hearStranger(at, from topology.End) {
	s, known := l.strangers[at]
	changed := s.from != from || l.now-s.seen >= strangerEvery
	s.from, s.seen = from, l.now
	if !known || changed && l.now-s.reported >= strangerEvery {
		s.reported = l.now
		l.events = append(l.events, Event{Kind: Miswired, Link: -1, At: at, Found: from})
	}
	l.strangers[at] = s
}
