package links

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/turbokv/turbokv/topology"
)

// twin knows what has happened to each direction of each link, and finds its state by looking back.
type twin struct {
	cfg     Config
	net     *topology.Network
	history map[topology.End][]fact // by the port that hears
	session map[string]bool
	broken  map[int]bool // links whose interval is spoiled: a session came or went
}

// fact is an interval that counted, or what happened within one.
type fact struct {
	kind  factKind
	clean bool // of interval: the right neighbour was heard, and only it
	heard bool // of interval: the right neighbour was heard
}

type factKind int

const (
	interrupted factKind = iota // a session of the link came or went
	counted                     // an interval
	lostSignal
	gotSignal
	heardWrong
)

func newTwin(cfg Config, n *topology.Network) *twin {
	return &twin{cfg: cfg.withDefaults(), net: n, history: map[topology.End][]fact{},
		session: map[string]bool{}, broken: map[int]bool{}}
}

// last returns the position after the latest point in history at which n counted intervals in a row
// were as wanted; 0 if there is none. What breaks tells which facts end a row.
func last(history []fact, n int, wanted func(fact) bool, breaks func(fact) bool) (at int) {
	row := 0
	for i, f := range history {
		switch {
		case breaks(f) || f.kind == counted && !wanted(f):
			row = 0
		case f.kind == counted:
			if row++; row >= n {
				at = i + 1
			}
		}
	}
	return at
}

func lastOf(history []fact, kind factKind) (at int) {
	for i, f := range history {
		if f.kind == kind {
			at = i + 1
		}
	}
	return at
}

// well applies the rules of the package comment to one direction.
func (w *twin) well(at topology.End) bool {
	h := w.history[at]
	healed := last(h, w.cfg.Heard, func(f fact) bool { return f.clean }, func(f fact) bool {
		return f.kind == interrupted || f.kind == heardWrong || f.kind == lostSignal
	})
	silent := last(h, w.cfg.Missed, func(f fact) bool { return !f.heard }, func(f fact) bool {
		return f.kind == interrupted
	})
	dark, lit := lastOf(h, lostSignal), lastOf(h, gotSignal)
	return silent <= healed && lastOf(h, heardWrong) <= healed && (dark <= healed || dark <= lit)
}

func (w *twin) down() (out []int) {
	for i, l := range w.net.Links {
		if isTrunk(w.net, l) && !(w.well(l.A) && w.well(l.B)) {
			out = append(out, i)
		}
	}
	return out
}

func isTrunk(n *topology.Network, l topology.Link) bool {
	_, a := n.Switch(l.A.Name)
	_, b := n.Switch(l.B.Name)
	return a && b
}

func (w *twin) add(at topology.End, f fact) { w.history[at] = append(w.history[at], f) }

// change notes that a session came or went.
func (w *twin) change(name string, up bool) {
	w.session[name] = up
	for _, x := range w.net.Neighbours(name) {
		l := w.net.Links[x.Link]
		w.broken[x.Link] = true
		w.add(l.A, fact{kind: interrupted})
		w.add(l.B, fact{kind: interrupted})
	}
}

// endInterval notes what each port has heard: the sets of right and of wrong neighbours heard.
func (w *twin) endInterval(heard, mistaken map[topology.End]bool) {
	var count []topology.Link
	anything := false
	for i, l := range w.net.Links {
		if isTrunk(w.net, l) && w.session[l.A.Name] && w.session[l.B.Name] && !w.broken[i] {
			count = append(count, l)
			for _, e := range []topology.End{l.A, l.B} {
				anything = anything || heard[e] || mistaken[e]
			}
		}
	}
	w.broken = map[int]bool{}
	if len(count) > 1 && !anything {
		return
	}
	for _, l := range count {
		for _, e := range []topology.End{l.A, l.B} {
			w.add(e, fact{kind: counted, heard: heard[e], clean: heard[e] && !mistaken[e]})
		}
	}
}

// trial plays one seed: cables that break, in one direction or both, are swapped, lose frames; ports
// whose signal goes and comes; sessions that end and begin.
type trial struct {
	*world
	r               *rand.Rand
	twin            *twin
	cfg             Config
	loss            float64
	heard, mistaken map[topology.End]bool
	trunks          []topology.Link
}

func newTrial(t *testing.T, seed uint64) *trial {
	r := rand.New(rand.NewPCG(seed, 9))
	shapes := []string{"spine-leaf:1x1", "spine-leaf:1x2", "spine-leaf:2x3", "fat-tree:2"}
	w := newWorld(t, shapes[r.IntN(len(shapes))])
	cfg := Config{Missed: 1 + r.IntN(5), Heard: 1 + r.IntN(4)}
	var err error
	if w.links, err = New(cfg, w.net); err != nil {
		t.Fatal(err)
	}
	p := &trial{world: w, r: r, cfg: cfg, twin: newTwin(cfg, w.net)}
	for _, s := range w.net.Switches {
		p.setSession(s.Name, r.IntN(4) > 0)
	}
	for _, l := range w.net.Links {
		if isTrunk(w.net, l) {
			p.trunks = append(p.trunks, l)
		}
	}
	p.begin()
	return p
}

func (p *trial) begin() {
	p.heard, p.mistaken = map[topology.End]bool{}, map[topology.End]bool{}
}

func (p *trial) setSession(name string, up bool) {
	if up {
		p.links.SwitchBack(p.now, name)
	} else {
		p.links.SwitchGone(p.now, name)
	}
	p.twin.change(name, up)
}

func (p *trial) trunkEnd() topology.End {
	l := p.trunks[p.r.IntN(len(p.trunks))]
	return []topology.End{l.A, l.B}[p.r.IntN(2)]
}

// mishap changes something.
func (p *trial) mishap() {
	a, b := p.trunkEnd(), p.trunkEnd()
	switch p.r.IntN(7) {
	case 0:
		delete(p.cable, a)
	case 1:
		p.cable[a] = p.builtFor(a)
	case 2: // swapped, or looped
		p.cable[a], p.cable[b] = b, a
	case 3:
		p.signal(a, false)
	case 4:
		p.signal(a, true)
	case 5:
		p.setSession(a.Name, p.r.IntN(2) == 0)
	case 6:
		p.loss = p.r.Float64() * float64(p.r.IntN(2))
	}
}

func (p *trial) builtFor(e topology.End) topology.End {
	for _, l := range p.trunks {
		if l.A == e {
			return l.B
		}
		if l.B == e {
			return l.A
		}
	}
	return topology.End{}
}

func (p *trial) signal(at topology.End, up bool) {
	p.links.PortStatus(p.now, at, up)
	kind := gotSignal
	if !up {
		kind = lostSignal
		p.heard[at] = false
	}
	p.twin.add(at, fact{kind: kind})
}

// round is one interval: its frames travel, mishaps come between them.
func (p *trial) round(mishaps int) {
	p.twin.endInterval(p.heard, p.mistaken)
	frames := p.links.Tick(p.now)
	p.begin()
	p.compare()
	for range mishaps {
		frames = append(frames, Frame{}) // stands for a mishap
	}
	p.r.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
	for _, f := range frames {
		if p.now += time.Millisecond; f.Data == nil {
			p.mishap()
		} else if to, ok := p.cable[end(f.Switch, f.Port)]; ok && p.r.Float64() >= p.loss {
			p.deliver(to, f)
		}
		p.compare()
	}
	p.now = p.links.NextTick()
}

func (p *trial) deliver(to topology.End, f Frame) {
	p.links.Received(p.now, to, f.Data)
	from := end(f.Switch, f.Port)
	switch {
	case !p.twin.session[to.Name]:
	case from == p.builtFor(to):
		p.heard[to] = true
	default:
		p.mistaken[to] = true
		p.twin.add(to, fact{kind: heardWrong})
	}
}

func (p *trial) compare() {
	p.t.Helper()
	if got, want := p.links.Down(), p.twin.down(); !slices.Equal(got, want) {
		p.t.Fatalf("at %v links %v are down, the twin says %v", p.now, got, want)
	}
}

// settle gives everybody a session, makes all calm, and checks the state against the cables.
func (p *trial) settle() {
	p.loss = 0
	for _, s := range p.net.Switches {
		if !p.twin.session[s.Name] {
			p.setSession(s.Name, true)
		}
	}
	for range 2 + max(p.twin.cfg.Missed, p.twin.cfg.Heard) {
		p.round(0)
	}
	var want []int
	anything := false
	for i, l := range p.net.Links {
		if !isTrunk(p.net, l) {
			continue
		}
		if p.cable[l.A] != l.B || p.cable[l.B] != l.A || p.hearsOthers(l.A) || p.hearsOthers(l.B) {
			want = append(want, i)
		}
		_, a := p.cable[l.A]
		_, b := p.cable[l.B]
		anything = anything || a || b
	}
	if got := p.links.Down(); !slices.Equal(got, want) && (anything || len(p.trunks) == 1) {
		p.t.Fatalf("at %v, when all is calm, links %v are down, and cables of %v are wrong", p.now, got, want)
	}
}

// hearsOthers reports whether frames of a port that is not the right one arrive at a port.
func (p *trial) hearsOthers(at topology.End) bool {
	for from, to := range p.cable {
		if to == at && from != p.builtFor(at) {
			return true
		}
	}
	return false
}

// TestRandom compares with the twin after every input, and with the cables whenever all is calm.
func TestRandom(t *testing.T) {
	seeds := uint64(100)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			p := newTrial(t, seed)
			for range 4 {
				for range 25 {
					p.round(p.r.IntN(3) * p.r.IntN(2))
				}
				p.settle()
			}
		})
	}
}
