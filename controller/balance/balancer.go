package balance

import (
	"time"

	"github.com/turbokv/turbokv/kv"
)

// band is where a node stands.
type band uint8

const (
	within band = iota
	over        // overloaded, and has been for long enough
	under       // underloaded, and has been for long enough
)

// watch is the memory of one node's load.
type watch struct {
	side  band          // where it stands beyond the outer band
	since time.Duration // for how long
	help  band          // what is being done for it
}

// Balancer remembers how long nodes have been out of balance and what it has touched. It is not
// safe for concurrent use.
type Balancer struct {
	cfg     Config
	watches map[kv.NodeID]watch
	rest    map[kv.SubRangeID]rest
	merging bool // there were too many sub-ranges, and still are more than nine tenths of that
}

// rest is until when a sub-range is left alone.
type rest struct{ all, moves time.Duration }

// New returns a balancer that has seen nothing.
func New(cfg Config) (*Balancer, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Balancer{
		cfg: cfg, watches: make(map[kv.NodeID]watch), rest: make(map[kv.SubRangeID]rest),
	}, nil
}

// Config returns the configuration with its defaults filled in.
func (b *Balancer) Config() Config { return b.cfg }

// Begun says that a change of any cause is being carried out: its sub-ranges are left alone for a
// while. The new sub-range of a split need not be told.
func (b *Balancer) Begun(now time.Duration, c Change) {
	r := rest{all: now + b.cfg.Settle}
	if c.Kind == Move {
		r.moves = now + b.cfg.Cooldown
	}
	for _, id := range []kv.SubRangeID{c.SubRange, c.Other} {
		if id != 0 {
			b.rest[id] = rest{max(b.rest[id].all, r.all), max(b.rest[id].moves, r.moves)}
		}
	}
}

// Propose looks at the cluster and returns what should be begun now, best first; each proposal
// counts on those before it. It should be asked about once per second. What is begun must be told
// to Begun; what is not will be proposed again.
func (b *Balancer) Propose(in Input) []Proposal {
	m := newModel(b.cfg, in)
	b.watch(in, m)
	b.forget(in)
	return b.search(in, m)
}

// Now returns what Propose would return if the cluster had been for long enough as it is, and if
// nothing had been touched lately: for an operator who asks what could be done. It changes nothing
// that Propose remembers.
func (b *Balancer) Now(in Input) []Proposal {
	eager := &Balancer{cfg: b.cfg, watches: make(map[kv.NodeID]watch)}
	eager.cfg.Hold = 0
	eager.cfg.High = b.cfg.Low
	m := newModel(eager.cfg, in)
	eager.watch(in, m)
	return eager.search(in, m)
}

// watch moves every node between the bands.
func (b *Balancer) watch(in Input, m *model) {
	seen := make(map[kv.NodeID]watch, len(m.hosts))
	for h := range m.hosts {
		if !m.hosts[h].fit {
			continue
		}
		id := m.hosts[h].ID
		w := b.watches[id]
		if side := b.side(m, h); side != w.side {
			w.side, w.since = side, in.Now
		}
		if w.help == within && w.side != within && in.Now >= w.since+b.cfg.Hold {
			w.help = w.side
		}
		if b.helped(m, h, w.help) {
			w.help = within
		}
		seen[id] = w
	}
	b.watches = seen
}

// side tells on which side of the outer band a node is, beyond what chance explains.
func (b *Balancer) side(m *model, h int) band {
	x, noise := m.ratio(h), b.cfg.Doubt*m.hosts[h].noise
	switch {
	case m.average <= 0:
		return within
	case x-noise > b.cfg.High:
		return over
	case x+noise < 1/b.cfg.High:
		return under
	}
	return within
}

// helped reports whether a node needs no more help.
func (b *Balancer) helped(m *model, h int, help band) bool {
	x := m.ratio(h)
	return help == over && x <= b.cfg.Low || help == under && x >= 1/b.cfg.Low
}

// forget drops the memory of what is over.
func (b *Balancer) forget(in Input) {
	for id, r := range b.rest {
		if in.Now >= r.all && in.Now >= r.moves {
			delete(b.rest, id)
		}
	}
}

// search takes the best action, imagines it done, and goes on.
func (b *Balancer) search(in Input, m *model) (out []Proposal) {
	plans := in.Limits.Plans
	if plans <= 0 {
		plans = b.cfg.Plans
	}
	s := &search{b: b, in: in, m: m, ids: in.Limits.FreeIDs, prefixes: in.Limits.FreePrefixes}
	for len(in.Running)+len(out) < plans {
		p, ok := s.best()
		if !ok {
			break
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		out = s.merges(plans - len(in.Running))
	}
	return out
}
