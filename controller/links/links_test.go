package links

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/topology"
)

const interval = 100 * time.Millisecond

// world is a network with cables of its own, which need not be those of the topology.
type world struct {
	t     *testing.T
	net   *topology.Network
	links *Links
	now   time.Duration
	// cable says where a frame sent by a port arrives, if anywhere.
	cable map[topology.End]topology.End
	log   []string
}

func newWorld(t *testing.T, shape string) *world {
	t.Helper()
	s, err := topology.ParseShape(shape)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, net: s.Network(), cable: make(map[topology.End]topology.End)}
	w.links, err = New(Config{}, w.net)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range w.net.Links {
		w.cable[l.A], w.cable[l.B] = l.B, l.A
	}
	for _, s := range w.net.Switches {
		w.links.SwitchBack(0, s.Name)
	}
	return w
}

// play lets intervals pass.
func (w *world) play(intervals int) {
	w.t.Helper()
	for range intervals {
		for _, f := range w.links.Tick(w.now) {
			if to, ok := w.cable[topology.End{Name: f.Switch, Port: f.Port}]; ok {
				w.links.Received(w.now, to, f.Data)
			}
		}
		w.note()
		w.now += interval
	}
}

func (w *world) note() {
	for _, e := range w.links.Take() {
		w.log = append(w.log, fmt.Sprintf("%v %v", w.now, e))
	}
}

// said checks and clears the events so far.
func (w *world) said(want ...string) {
	w.t.Helper()
	w.note()
	if !slices.Equal(w.log, want) {
		w.t.Errorf("events:\n%s\nwant:\n%s", strings.Join(w.log, "\n"), strings.Join(want, "\n"))
	}
	w.log = nil
}

func (w *world) down(want ...int) {
	w.t.Helper()
	if got := w.links.Down(); !slices.Equal(got, want) {
		w.t.Errorf("at %v links %v are down, want %v", w.now, got, want)
	}
}

func end(name string, port uint32) topology.End { return topology.End{Name: name, Port: port} }

// pair returns the two ends of the i-th link, first the one of the leaf.
func (w *world) pair(i int) (leaf, spine topology.End) {
	l := w.net.Links[i]
	if s, _ := w.net.Switch(l.A.Name); s.Level == 0 {
		return l.A, l.B
	}
	return l.B, l.A
}

// between returns the number of the link between two switches.
func (w *world) between(a, b string) int {
	return slices.IndexFunc(w.net.Links, func(l topology.Link) bool {
		return l.A.Name == a && l.B.Name == b || l.A.Name == b && l.B.Name == a
	})
}

func TestAGoodNetworkIsQuiet(t *testing.T) {
	w := newWorld(t, "fat-tree:4")
	if n := len(w.links.Tick(0)); n != 64 {
		t.Errorf("%d frames in an interval of a fat tree of 4, want 64", n)
	}
	w.play(50)
	w.said()
	w.down()
	if n := len(w.links.States()); n != 32 {
		t.Errorf("%d links between switches, want 32", n)
	}
}

// TestALinkThatLosesOneWayIsDown also pins the times: down after four frames, up after three.
func TestALinkThatLosesOneWayIsDown(t *testing.T) {
	w := newWorld(t, "spine-leaf:2x3")
	w.play(10)
	i := w.between("s1", "s4")
	leaf, spine := w.pair(i)
	delete(w.cable, leaf) // cut after the frames of 900ms
	w.play(4)
	w.down()
	w.play(1) // 1s to 1.3s were missed
	w.down(i)
	w.said(fmt.Sprintf("1.4s link %d is down: %v does not hear %v", i, spine, leaf))
	w.cable[leaf] = spine // 1.5s to 1.7s arrive
	w.play(3)
	w.down(i)
	w.play(1)
	w.down()
	w.said(fmt.Sprintf("1.8s link %d is up", i))
}

func TestALostFrameIsNoFailure(t *testing.T) {
	w := newWorld(t, "spine-leaf:2x3")
	leaf, spine := w.pair(w.between("s2", "s5"))
	for range 20 {
		w.cable[spine] = leaf
		w.play(1)
		delete(w.cable, spine)
		w.play(3)
	}
	w.said()
	w.down()
}

// TestALinkThatComesAndGoesStaysDown has it carry two frames of three.
func TestALinkThatComesAndGoesStaysDown(t *testing.T) {
	w := newWorld(t, "spine-leaf:2x3")
	i := w.between("s2", "s5")
	leaf, spine := w.pair(i)
	delete(w.cable, spine)
	w.play(6)
	w.down(i)
	w.log = nil
	for range 20 {
		w.cable[spine] = leaf
		w.play(2)
		delete(w.cable, spine)
		w.play(1)
	}
	w.said()
	w.down(i)
}

func TestALostSignalCountsAtOnce(t *testing.T) {
	w := newWorld(t, "spine-leaf:2x3")
	w.play(5)
	i := w.between("s3", "s4")
	leaf, _ := w.pair(i)
	w.links.PortStatus(w.now, leaf, false)
	w.down(i)
	w.said(fmt.Sprintf("500ms link %d is down: %v has no signal", i, leaf))
	w.links.PortStatus(w.now, leaf, true)
	w.down()
	w.said(fmt.Sprintf("500ms link %d is up", i))

	// The switch never says that the port is up again: then frames do.
	w.links.PortStatus(w.now, leaf, false)
	w.play(3)
	w.down(i)
	w.play(1)
	w.down()
	w.log = nil

	// Ports of hosts, and of nobody.
	w.links.PortStatus(w.now, end("s3", 1), false)
	w.links.PortStatus(w.now, end("s9", 1), false)
	w.said()
}

// TestNoNewsIsNoFailure loses a session, then a cable of the switch, then has both again.
func TestNoNewsIsNoFailure(t *testing.T) {
	w := newWorld(t, "spine-leaf:2x3")
	w.play(5)
	i := w.between("s1", "s4")
	leaf, spine := w.pair(i)
	w.links.SwitchGone(w.now, "s4")
	delete(w.cable, leaf)
	w.play(50)
	w.said()
	w.down()
	for _, f := range w.links.Tick(w.now) {
		if f.Switch == "s4" {
			t.Fatal("a frame for a switch without session")
		}
	}
	w.links.SwitchBack(w.now, "s4")
	w.now += interval
	w.play(4)
	w.down()
	w.play(1)
	w.down(i)

	// A broken link stays broken without news, too.
	w.links.SwitchGone(w.now, "s1")
	w.cable[leaf] = spine
	w.play(50)
	w.down(i)
	w.links.SwitchBack(w.now, "s1")
	w.play(4)
	w.down()
}

// TestADeafControllerBlamesNobody loses all frames at once.
func TestADeafControllerBlamesNobody(t *testing.T) {
	w := newWorld(t, "spine-leaf:2x3")
	w.play(5)
	cables := w.cable
	w.cable = nil
	w.play(50)
	w.said()
	w.cable = cables
	w.play(5)
	w.said()
	w.down()

	// A single link has no others to compare it with.
	w = newWorld(t, "spine-leaf:1x1")
	w.cable = nil
	w.play(5)
	w.down(w.between("s1", "s2"))
}

func TestATickInTimeOnly(t *testing.T) {
	w := newWorld(t, "spine-leaf:2x3")
	if len(w.links.Tick(0)) == 0 || w.links.NextTick() != interval {
		t.Errorf("next tick at %v", w.links.NextTick())
	}
	if f := w.links.Tick(interval - 1); f != nil {
		t.Errorf("%d frames before the interval is over", len(f))
	}
	if f := w.links.Tick(time.Hour); len(f) != 12 || w.links.NextTick() != time.Hour+interval {
		t.Errorf("%d frames, next tick at %v", len(f), w.links.NextTick())
	}
}

func TestSwappedCablesAreReported(t *testing.T) {
	w := newWorld(t, "spine-leaf:2x3")
	w.play(5)
	// s1 and s2 have their cables to s4 swapped.
	i, j := w.between("s1", "s4"), w.between("s2", "s4")
	a, spineA := w.pair(i)
	b, spineB := w.pair(j)
	w.cable[a], w.cable[spineB] = spineB, a
	w.cable[b], w.cable[spineA] = spineA, b
	w.play(1)
	w.down(i, j)
	w.said(
		fmt.Sprintf("500ms wrong cable: %v hears %v, where the topology has %v", spineB, a, b),
		fmt.Sprintf("500ms link %d is down: %v hears %v instead of %v", j, spineB, a, b),
		fmt.Sprintf("500ms wrong cable: %v hears %v, where the topology has %v", b, spineA, spineB),
		fmt.Sprintf("500ms wrong cable: %v hears %v, where the topology has %v", spineA, b, a),
		fmt.Sprintf("500ms link %d is down: %v hears %v instead of %v", i, spineA, b, a),
		fmt.Sprintf("500ms wrong cable: %v hears %v, where the topology has %v", a, spineB, spineA),
	)
	w.play(20)
	w.said() // once is enough

	w.cable[a], w.cable[spineA], w.cable[b], w.cable[spineB] = spineA, a, spineB, b
	w.play(4)
	w.down()
}

func TestASwitchWhereNoneShouldBe(t *testing.T) {
	w := newWorld(t, "spine-leaf:2x3")
	w.play(1)
	_, spine := w.pair(w.between("s1", "s4"))
	w.cable[spine] = end("s1", 1) // where a host should be
	w.play(5)
	w.said(fmt.Sprintf("100ms wrong cable: s1-p1 hears the switch port %v, where the topology has no switch", spine),
		fmt.Sprintf("500ms link %d is down: %v does not hear %v", w.between("s1", "s4"), w.net.Links[w.between("s1", "s4")].At("s1"), spine))

	// A host may make things up, but not fill the log.
	for i := range 1000 {
		frame, err := Encode(end("s2", uint32(i)), 1)
		if err != nil {
			t.Fatal(err)
		}
		w.links.Received(w.now, end("s2", 1), frame)
		w.now += 30 * time.Millisecond
	}
	if w.note(); len(w.log) < 2 || len(w.log) > 4 {
		t.Errorf("%d reports of one port in 30 s", len(w.log))
	}
}

func TestOthersFramesAreCounted(t *testing.T) {
	w := newWorld(t, "spine-leaf:2x3")
	w.links.Received(0, end("s1", 1), []byte("whatever"))
	w.links.Received(0, end("s9", 1), []byte("of a switch that is not in the network"))
	if w.said(); w.links.Unreadable() != 1 {
		t.Errorf("%d unreadable frames, want 1", w.links.Unreadable())
	}
}

func TestWrongConfigIsRefused(t *testing.T) {
	if _, err := New(Config{Missed: -1}, new(topology.Network)); err == nil ||
		!strings.Contains(err.Error(), "missed -1") {
		t.Errorf("error %v", err)
	}
	if _, err := New(Config{}, new(topology.Network)); err != nil {
		t.Errorf("a network without links: %v", err)
	}
}
