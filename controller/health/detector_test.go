package health

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

const ms = time.Millisecond

// rig drives a detector in virtual time: what is due happens when it is due.
type rig struct {
	t         *testing.T
	d         *Detector
	now       time.Duration
	beating   map[kv.NodeID]bool // says a beat every interval
	answering map[kv.NodeID]bool // answers probes after 1 ms
	nextBeat  time.Duration
	answers   []answer
	probes    map[kv.NodeID]int
	carriers  int      // how often another carrier was wanted
	log       []string // verdicts
}

type answer struct {
	at   time.Duration
	node kv.NodeID
}

func newRig(t *testing.T, cfg Config, nodes ...kv.NodeID) *rig {
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		t: t, d: d, beating: map[kv.NodeID]bool{}, answering: map[kv.NodeID]bool{},
		probes: map[kv.NodeID]int{},
	}
	for _, n := range nodes {
		d.SessionOpened(0, n)
		r.beating[n], r.answering[n] = true, true
	}
	return r
}

// kill makes the process of a node end: its session closes at once.
func (r *rig) kill(n kv.NodeID) {
	r.beating[n], r.answering[n] = false, false
	r.d.SessionClosed(r.now, n)
	r.take()
}

// hang makes a node say nothing.
func (r *rig) hang(n kv.NodeID) { r.beating[n], r.answering[n] = false, false }

// run lets time pass, beat by beat and tick by tick.
func (r *rig) run(for_ time.Duration) {
	end := r.now + for_
	for {
		at := r.nextBeat
		if next, ok := r.d.NextTick(); ok {
			at = min(at, next)
		}
		if len(r.answers) > 0 {
			at = min(at, r.answers[0].at)
		}
		if at > end {
			r.now = end
			return
		}
		r.now = max(at, r.now)
		r.step()
	}
}

func (r *rig) step() {
	if r.now >= r.nextBeat {
		r.nextBeat = r.now + r.d.Config().BeatInterval
		for _, n := range slices.Sorted(keys(r.beating)) {
			r.d.Beat(r.now, n)
		}
	}
	for len(r.answers) > 0 && r.answers[0].at <= r.now {
		a := r.answers[0]
		r.answers = r.answers[1:]
		if r.answering[a.node] {
			r.d.Alive(r.now, a.node)
		}
	}
	if next, ok := r.d.NextTick(); ok && next <= r.now {
		r.d.Tick(r.now)
	}
	r.take()
}

func keys(m map[kv.NodeID]bool) func(func(kv.NodeID) bool) {
	return func(yield func(kv.NodeID) bool) {
		for n, on := range m {
			if on && !yield(n) {
				return
			}
		}
	}
}

func (r *rig) take() {
	out := r.d.Take()
	if out.Carrier {
		r.carriers++
	}
	for _, n := range out.Probes {
		r.probes[n]++
		if r.answering[n] {
			r.answers = append(r.answers, answer{r.now + ms, n})
		}
	}
	for _, v := range out.Failed {
		r.log = append(r.log, fmt.Sprintf("%v: %d failed since %v: %s", r.now, v.Node, v.Since, v.Why))
	}
	for _, n := range out.Recovered {
		r.log = append(r.log, fmt.Sprintf("%v: %d recovered", r.now, n))
	}
}

func (r *rig) want(lines ...string) {
	r.t.Helper()
	if !slices.Equal(r.log, lines) {
		r.t.Fatalf("verdicts:\n  %s\nwant:\n  %s", strings.Join(r.log, "\n  "),
			strings.Join(lines, "\n  "))
	}
}

var probing = Config{CanProbe: true}

func TestAKilledNodeIsFailedWithin300Milliseconds(t *testing.T) {
	r := newRig(t, probing, 1, 2, 3)
	r.run(1030 * ms)
	r.kill(2)
	r.run(5 * time.Second)
	r.want("1.28s: 2 failed since 1.03s: session closed; no answer for 250ms")
	if r.probes[2] != 10 || r.probes[1] != 0 || r.probes[3] != 0 {
		t.Fatalf("probes %v: want 10 of the dead node and none of others", r.probes)
	}
	if !r.d.ConfirmedSince(1, 1030*ms) || r.d.ConfirmedSince(2, 0) {
		t.Fatal("1 outlived 2")
	}
	r.d.SessionOpened(r.now, 2)
	r.take()
	r.want("1.28s: 2 failed since 1.03s: session closed; no answer for 250ms", "6.03s: 2 recovered")
}

func TestASilentNodeIsProbedThenFailed(t *testing.T) {
	r := newRig(t, probing, 1, 2)
	r.run(1 * time.Second)
	r.hang(1)
	r.run(600 * ms)
	if s := r.d.Status(1); s.State != Suspected || s.Why != "no beat for 500ms" ||
		s.Heard != time.Second {
		t.Fatalf("%+v", s)
	}
	r.run(3 * time.Second)
	r.want("1.75s: 1 failed since 1.5s: no beat for 500ms; no answer for 250ms")
	if took := 750 * ms; took > probing.Bound() {
		t.Fatalf("bound %v", probing.Bound())
	}
	r.d.Alive(r.now, 1) // an answer that was very late
	r.d.Beat(r.now, 1)
	r.take()
	if s := r.d.Status(1); s.State != Alive || len(r.log) != 2 {
		t.Fatalf("%+v %v", s, r.log)
	}
}

func TestAnAnswerEndsTheSuspicionOfMissedBeats(t *testing.T) {
	r := newRig(t, probing, 1, 2)
	r.run(1 * time.Second)
	r.beating[1] = false // but it answers
	r.run(2 * time.Second)
	r.want()
	if r.probes[1] == 0 || r.probes[1] > 6 {
		t.Fatalf("%d probes in two seconds, want one per suspicion", r.probes[1])
	}
	r.run(2 * time.Second)
	if len(r.log) != 1 || !strings.Contains(r.log[0], "nothing in a session for 3s") {
		t.Fatalf("%v: want 1 failed, it cannot be given an epoch", r.log)
	}
}

func TestANodeWithoutSessionFailsAnyway(t *testing.T) {
	r := newRig(t, probing, 1, 2)
	r.run(1 * time.Second)
	r.beating[1] = false
	r.d.SessionClosed(r.now, 1)
	r.take()
	r.run(2900 * ms)
	r.want()
	r.run(200 * ms)
	r.want("4s: 1 failed since 1s: session closed; nothing in a session for 3s")
	probes := r.probes[1]
	r.run(10 * time.Second)
	if r.probes[1] != probes {
		t.Fatal("a failed node is probed")
	}
}

func TestASessionThatComesBackInTimeIsForgiven(t *testing.T) {
	r := newRig(t, probing, 1, 2)
	r.run(1 * time.Second)
	r.beating[1] = false
	r.d.SessionClosed(r.now, 1)
	r.take()
	r.run(2 * time.Second)
	r.d.SessionOpened(r.now, 1)
	r.beating[1] = true
	before := r.probes[1]
	r.run(10 * time.Second)
	r.want()
	if r.probes[1] != before {
		t.Fatal("a healthy node is probed")
	}
}

func TestADeadPortFailsANodeThatBeats(t *testing.T) {
	r := newRig(t, probing, 1, 2, 3)
	r.run(1 * time.Second)
	r.answering[1] = false
	r.d.PortDown(r.now, 1)
	r.take()
	r.run(2 * time.Second)
	r.want("1.25s: 1 failed since 1s: port of the switch down; no answer for 250ms")
	r.d.PortUp(r.now, 1)
	r.take()
	r.run(time.Second)
	r.want(r.log[0], "3s: 1 recovered")
}

func TestAPortThatFlapsIsForgiven(t *testing.T) {
	r := newRig(t, probing, 1, 2)
	r.run(1 * time.Second)
	r.d.PortDown(r.now, 1)
	r.take()
	r.run(2 * time.Second) // it answers the probe
	r.want()
	if r.d.Status(1).State != Alive || r.probes[1] != 1 {
		t.Fatalf("%+v, %d probes", r.d.Status(1), r.probes[1])
	}
}

func TestAFailedPortIsTriedNowAndThen(t *testing.T) {
	r := newRig(t, probing, 1, 2)
	r.run(1 * time.Second)
	r.answering[1] = false
	r.d.PortDown(r.now, 1)
	r.take()
	r.run(5 * time.Second)
	r.answering[1] = true // nobody tells that the port is up
	r.run(5 * time.Second)
	if len(r.log) != 2 || !strings.HasSuffix(r.log[1], "1 recovered") {
		t.Fatalf("%v", r.log)
	}
}

func TestWithoutProbesANodeHasTimeToConnectAgain(t *testing.T) {
	r := newRig(t, Config{}, 1, 2)
	r.run(1 * time.Second)
	r.kill(1)
	r.run(400 * ms)
	r.want()
	r.run(400 * ms)
	r.want("1.5s: 1 failed since 1s: session closed; no answer for 500ms")
	if r.probes[1] != 0 {
		t.Fatal("there is nothing to probe with")
	}
}

func TestKnownNodesHaveTimeToCome(t *testing.T) {
	d, _ := New(probing)
	r := &rig{t: t, d: d, beating: map[kv.NodeID]bool{}, answering: map[kv.NodeID]bool{},
		probes: map[kv.NodeID]int{}}
	d.Track(0, 1)
	d.Track(0, 2)
	r.run(2 * time.Second)
	d.SessionOpened(r.now, 1) // after a dark time: 2 has as long again
	r.beating[1] = true
	r.run(2900 * ms)
	r.want()
	r.run(200 * ms)
	r.want("5s: 2 failed since 0s: no session for 3s")
}

// A controller whose own network is cut hears nobody.
func TestWhoSeesNobodyJudgesNobody(t *testing.T) {
	r := newRig(t, probing, 1, 2, 3)
	r.run(1 * time.Second)
	for n := kv.NodeID(1); n <= 3; n++ {
		r.hang(n)
	}
	r.run(2 * time.Second)
	for n := kv.NodeID(1); n <= 3; n++ {
		r.d.SessionClosed(r.now, n)
	}
	r.run(60 * time.Second)
	r.want()
	if !r.d.Blind() {
		t.Fatal("nobody is heard")
	}
	r.d.SessionOpened(r.now, 3) // the first to come back must not condemn the others
	r.beating[3] = true
	r.run(2 * time.Second)
	r.d.SessionOpened(r.now, 1)
	r.beating[1] = true
	r.run(30 * time.Second)
	if len(r.log) != 1 || !strings.Contains(r.log[0], ": 2 failed") || r.d.Blind() {
		t.Fatalf("%v: want only 2 failed, which never came back", r.log)
	}
}

// All sessions end because the controller's side of them did.
func TestAllSessionsClosedAtOnce(t *testing.T) {
	r := newRig(t, probing, 1, 2, 3)
	r.run(1 * time.Second)
	for n := kv.NodeID(1); n <= 3; n++ {
		r.kill(n)
	}
	r.run(10 * time.Second)
	r.want()
}

// All ports go down because their switch does.
func TestAllPortsDownAtOnce(t *testing.T) {
	r := newRig(t, probing, 1, 2, 3)
	r.run(1 * time.Second)
	for n := kv.NodeID(1); n <= 3; n++ {
		r.answering[n] = false
		r.d.PortDown(r.now, n)
		r.take()
	}
	r.run(10 * time.Second)
	r.want()
	for n := kv.NodeID(1); n <= 3; n++ {
		r.d.PortUp(r.now, n)
	}
	r.run(time.Second)
	if r.d.Blind() {
		t.Fatal("all is well again")
	}
}

func TestAPauseOfTheControllerIsNotASilenceOfTheNodes(t *testing.T) {
	for _, first := range []string{"tick", "beat", "close"} {
		r := newRig(t, probing, 1, 2, 3)
		r.run(1 * time.Second)
		r.now += time.Minute // stopped; beats are waiting in the sockets
		switch first {
		case "tick":
			r.d.Tick(r.now)
		case "beat":
			r.d.Beat(r.now, 2)
			r.d.Tick(r.now)
		case "close":
			r.d.SessionClosed(r.now, 1)
			r.take()
			r.d.Tick(r.now)
			r.run(100 * ms)
			r.d.SessionOpened(r.now, 1)
		}
		r.take()
		r.nextBeat = r.now + 300*ms
		r.run(10 * time.Second)
		r.want()
	}
}

func TestAPauseWhileANodeIsProbedGivesItNewTime(t *testing.T) {
	r := newRig(t, probing, 1, 2, 3)
	r.run(1 * time.Second)
	r.kill(1)
	r.run(100 * ms)
	r.now += 30 * time.Second
	r.d.Tick(r.now)
	r.take()
	r.want()
	r.run(4 * time.Second)
	if len(r.log) != 1 || !strings.Contains(r.log[0], ": 1 failed") {
		t.Fatalf("%v: want 1 failed in the end", r.log)
	}
}

func TestTimeThatGoesBackStandsStill(t *testing.T) {
	r := newRig(t, probing, 1, 2)
	r.run(1 * time.Second)
	r.d.Beat(0, 1)
	r.d.Tick(-time.Hour)
	if s := r.d.Status(1); s.Heard != time.Second {
		t.Fatalf("%+v", s)
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for want, cfg := range map[string]Config{
		"missed 1":                  {Missed: 1},
		"beat interval -1ns":        {BeatInterval: -1},
		"probe patience 1ms":        {ProbePatience: ms},
		"session patience 600ms: m": {SessionPatience: 600 * ms},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
}

func TestUntrackedNodesAreForgotten(t *testing.T) {
	r := newRig(t, probing, 1, 2)
	r.kill(1)
	r.d.Untrack(1)
	r.run(5 * time.Second)
	r.want()
	if r.d.Status(1) != (Status{}) {
		t.Fatal("it is gone")
	}
}

func TestAShortPauseIsTakenOffThePatience(t *testing.T) {
	r := newRig(t, probing, 1, 2)
	r.run(1 * time.Second)
	r.beating[1] = false
	r.d.SessionClosed(r.now, 1)
	r.take()
	r.run(2700 * ms)
	r.now += 400 * ms // in which 1 has connected, and 2 has spoken
	r.d.Beat(r.now, 2)
	r.d.Tick(r.now)
	r.d.SessionOpened(r.now, 1)
	r.take()
	r.want()
}
