package health

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// Steps of the random world. Everything in it happens at multiples of one step.
const (
	step       = 5 * ms
	gapMax     = 300 * ms  // between two beats of a healthy node
	answerMax  = 150 * ms  // until a healthy node answers a probe
	absenceMax = 2500 * ms // without session, of a node that works
)

// life is what a node of the random world is doing.
type life struct {
	id       kv.NodeID
	cut      bool          // does not answer since deadAt, though it beats
	dead     bool          // says nothing since deadAt
	deadAt   time.Duration // or when the detector could see it again, whichever is later
	session  bool
	beatAt   time.Duration
	openAt   time.Duration // when it connects again
	portUpAt time.Duration
	calmAt   time.Duration // since when nothing strange has happened to it
	answerAt []time.Duration
	failed   bool
	why      string // it was
}

// world is a random cluster around one detector, with checks of what the detector may decide.
type world struct {
	t     *testing.T
	rng   *rand.Rand
	d     *Detector
	now   time.Duration
	nodes []*life
	wise  time.Duration // since when the detector has been awake and somebody well
	fails int
}

func newWorld(t *testing.T, seed uint64) *world {
	cfg := probing
	cfg.Data = seed%2 == 1
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 7)), d: d}
	for i := range 2 + w.rng.IntN(6) {
		l := &life{id: kv.NodeID(i + 1), session: true}
		d.SessionOpened(0, l.id)
		w.nodes = append(w.nodes, l)
	}
	return w
}

func (w *world) upTo(d time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(d/step))+1) * step
}

// disturb does something to one node, or to all.
func (w *world) disturb() {
	l := w.nodes[w.rng.IntN(len(w.nodes))]
	switch w.rng.IntN(11) {
	case 0, 1: // dies; a killed process closes its session, a hung one does not
		if !l.dead {
			l.dead, l.deadAt = true, w.now
			if l.session && w.rng.IntN(2) == 0 {
				l.session = false
				w.d.SessionClosed(w.now, l.id)
			}
		}
	case 2: // starts again
		if l.dead {
			l.dead, l.session, l.answerAt = false, true, nil
			l.portUpAt, l.beatAt = 0, w.now
			w.d.SessionOpened(w.now, l.id)
			w.d.PortUp(w.now, l.id)
		}
	case 3, 4: // loses its session, but works
		if !l.dead && l.session {
			l.session, l.openAt = false, w.now+w.upTo(absenceMax)
			w.d.SessionClosed(w.now, l.id)
		}
	case 5: // its port flaps for shorter than a probe can wait
		if !l.dead && l.portUpAt == 0 {
			l.portUpAt = w.now + w.upTo(100*ms)
			w.d.PortDown(w.now, l.id)
		}
	case 6: // a rack, or a part of one, is cut off from clients
		if w.d.Config().Data && !l.dead && !l.cut {
			l.cut, l.deadAt, l.answerAt = true, w.now, nil
		}
	case 7, 8:
		l.cut = false
	default: // the controller is asleep; what the nodes have sent is waiting
		pause := w.upTo(100 * ms)
		if w.rng.IntN(2) == 0 {
			pause = 300*ms + w.upTo(30*time.Second)
		}
		w.pause(pause)
	}
	l.calmAt = w.now
}

func (w *world) pause(d time.Duration) {
	w.now += d
	w.wise = w.now
	for _, l := range w.nodes {
		l.calmAt = w.now
		for i := range l.answerAt {
			l.answerAt[i] = max(l.answerAt[i], w.now)
		}
	}
	w.rng.Shuffle(len(w.nodes), func(i, j int) {
		w.nodes[i], w.nodes[j] = w.nodes[j], w.nodes[i]
	})
	if w.rng.IntN(2) == 0 {
		w.d.Tick(w.now)
	}
}

// live lets every node do what is due.
func (w *world) live() {
	for _, l := range w.nodes {
		if l.portUpAt > 0 && l.portUpAt <= w.now {
			l.portUpAt = 0
			w.d.PortUp(w.now, l.id)
		}
		if l.dead {
			continue
		}
		for len(l.answerAt) > 0 && l.answerAt[0] <= w.now {
			l.answerAt = l.answerAt[1:]
			if l.portUpAt == 0 && !l.cut {
				w.d.Alive(w.now, l.id)
			}
		}
		if !l.session && l.openAt <= w.now {
			l.session, l.beatAt = true, w.now
			w.d.SessionOpened(w.now, l.id)
		}
		if l.session && l.beatAt <= w.now {
			l.beatAt = w.now + w.upTo(gapMax)
			w.d.Beat(w.now, l.id)
		}
	}
	if next, ok := w.d.NextTick(); ok && next <= w.now {
		w.d.Tick(w.now)
	}
}

func (w *world) node(id kv.NodeID) *life {
	for _, l := range w.nodes {
		if l.id == id {
			return l
		}
	}
	panic(id)
}

// check judges the judge.
func (w *world) check() error {
	out := w.d.Take()
	for _, id := range out.Probes {
		l := w.node(id)
		if !l.dead && !l.cut && l.session && l.portUpAt == 0 && w.now > l.calmAt+time.Second &&
			!w.d.Config().Data {
			return fmt.Errorf("healthy node %d is probed", id)
		}
		if !l.cut {
			l.answerAt = append(l.answerAt, w.now+w.upTo(answerMax))
		}
	}
	for _, v := range out.Failed {
		l := w.node(v.Node)
		if !l.dead && !l.cut {
			return fmt.Errorf("node %d lives and is failed: %s", v.Node, v.Why)
		}
		if l.failed {
			return fmt.Errorf("node %d fails twice", v.Node)
		}
		l.failed, l.why = true, v.Why
		w.fails++
	}
	for _, id := range out.Recovered {
		l := w.node(id)
		if !l.failed || l.dead || l.cut && strings.Contains(l.why, "data network") {
			return fmt.Errorf("node %d recovers, dead %v, failed %v", id, l.dead, l.failed)
		}
		l.failed = false
	}
	return w.checkSilent()
}

// checkSilent demands a verdict about every dead node when it was possible long enough.
func (w *world) checkSilent() error {
	well := false
	for _, l := range w.nodes {
		well = well || !l.dead && !l.cut && l.session && l.portUpAt == 0 && w.now > l.calmAt+time.Second
	}
	if !well {
		w.wise = w.now
	}
	limit := w.d.Config().SessionPatience + w.d.Config().Bound() + time.Second
	if w.d.Config().Data { // it may have been the carrier
		limit += 3 * w.d.Config().DataPatience
	}
	for _, l := range w.nodes {
		if (l.dead || l.cut && w.now > l.calmAt+limit) && !l.failed && w.now > max(l.deadAt, w.wise)+limit {
			return fmt.Errorf("node %d is dead since %v and not failed: %+v", l.id, l.deadAt,
				w.d.Status(l.id))
		}
	}
	return nil
}

// TestOnlyTheDeadAreFailedAndAllOfThem plays random lives: no node that works within bounds is ever
// failed, every silent one is within a bound, and healthy ones are left in peace.
func TestOnlyTheDeadAreFailedAndAllOfThem(t *testing.T) {
	fails := 0
	for seed := range uint64(150) {
		w := newWorld(t, seed)
		calm := 200 + w.rng.IntN(2000) // steps between two disturbances, on average
		for range 12000 {
			w.now += step
			if w.rng.IntN(calm) == 0 {
				w.disturb()
			}
			w.live()
			if err := w.check(); err != nil {
				t.Fatalf("seed %d at %v: %v", seed, w.now, err)
			}
		}
		fails += w.fails
	}
	if fails < 300 {
		t.Fatalf("only %d failures: the world is too quiet to prove anything", fails)
	}
}
