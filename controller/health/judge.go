package health

import (
	"fmt"
	"strings"
	"time"
)

// advance moves the time forward. If it should have been called long ago, the detector was asleep
// and has no right to say that others were silent.
func (d *Detector) advance(now time.Duration) {
	d.now = max(d.now, now)
	if d.armed && d.now > d.next+d.cfg.pause() {
		d.freshStart()
	}
}

// freshStart lets all clocks that run against nodes begin now. Nodes without a session are treated
// as after a start of the controller. Verdicts stay.
func (d *Detector) freshStart() {
	d.armed = false
	for _, n := range d.order {
		if n.state == Failed {
			d.arm(n)
			continue
		}
		n.quiet, n.spoke, n.doubted, n.probes, n.silent = d.now, d.now, d.now, 0, false
		d.forgive(n)
		if n.state == Suspected && !n.session {
			n.enter(Absent, d.now)
		}
		d.clear(n)
	}
}

// heard notes a sign of life. After a time without one of anybody the others deserve time to give
// theirs.
func (d *Detector) heard(n *node) {
	dark := d.now > d.seen+d.cfg.silence()
	d.seen, n.heard, n.ever = d.now, d.now, true
	if dark {
		d.freshStart()
	}
}

// spoken takes a message of the node in its session.
func (d *Detector) spoken(n *node) {
	d.heard(n)
	n.quiet, n.spoke, n.silent = d.now, d.now, false
	d.clear(n)
}

// doubt begins a suspicion, unless there is one, and sends the first probe.
func (d *Detector) doubt(n *node) {
	if n.state == Alive || n.state == Absent && n.ever {
		n.enter(Suspected, d.now)
		n.doubted, n.probes = d.now, 0
		d.probe(n)
	}
	d.arm(n)
}

// clear ends an absence, a suspicion or a failure that nothing speaks for any more.
func (d *Detector) clear(n *node) {
	switch healthy := n.session && !n.down && !n.silent && !n.cut; {
	case !healthy && n.session && n.state == Absent: // comes back to a port that is down
		d.doubt(n)
	case healthy && n.state != Alive:
		if n.state == Failed {
			d.out.Recovered = append(d.out.Recovered, n.id)
		}
		n.enter(Alive, d.now)
		n.why = ""
	}
	d.arm(n)
}

func (n *node) enter(s State, at time.Duration) { n.state, n.since = s, at }

// judge looks at what time alone has changed for the node.
func (d *Detector) judge(n *node) {
	switch n.state {
	case Absent:
		if d.now >= n.spoke+d.cfg.SessionPatience && d.witness(n, n.spoke, d.cfg.SessionPatience) {
			d.fail(n, fmt.Sprintf("no session for %v", d.cfg.SessionPatience))
		}
	case Alive:
		if d.now >= n.quiet+d.cfg.silence() {
			n.silent = true
			d.doubt(n)
		} else {
			d.judgeData(n)
		}
	case Suspected:
		d.judgeSuspect(n)
	case Failed:
		if n.probesDue(d) {
			d.probe(n)
		} else if n.cut {
			d.judgeData(n)
		}
	}
}

func (d *Detector) judgeSuspect(n *node) {
	patience := d.patience(n)
	switch {
	case d.unanswered(n) && d.witness(n, n.doubted, patience):
		d.fail(n, fmt.Sprintf("%s; no answer for %v", n.trouble(d.cfg), patience))
	case d.now >= n.spoke+d.cfg.SessionPatience && d.witness(n, n.spoke, d.cfg.SessionPatience):
		d.fail(n, fmt.Sprintf("%s; nothing in a session for %v", n.trouble(d.cfg),
			d.cfg.SessionPatience))
	case n.probesDue(d):
		d.probe(n)
	}
}

// unanswered reports whether the patience is over, and as many probes as belong to it were sent:
// counting them keeps a detector that is called rarely from judging by one probe.
func (d *Detector) unanswered(n *node) bool {
	enough := n.mute || n.probes >= int(d.cfg.ProbePatience/d.cfg.ProbeEvery) &&
		d.now >= n.probed+d.cfg.ProbeEvery
	return enough && d.now >= n.doubted+d.patience(n)
}

func (d *Detector) patience(n *node) time.Duration {
	if n.mute {
		return max(d.cfg.ProbePatience, d.cfg.silence())
	}
	return d.cfg.ProbePatience
}

// witness reports whether another node is alive and was heard from in the second half of the time
// that n was given: the detector can see, and n alone is in trouble.
func (d *Detector) witness(n *node, from, patience time.Duration) bool {
	half := from + patience/2
	for _, o := range d.order {
		if o != n && o.state == Alive && o.ever && o.heard >= half {
			return true
		}
	}
	return false
}

func (d *Detector) fail(n *node, why string) {
	n.state, n.why = Failed, why // since stays the beginning of the suspicion
	d.out.Failed = append(d.out.Failed, Verdict{Node: n.id, Since: n.since, Why: why})
}

func (d *Detector) probe(n *node) {
	if n.mute {
		return
	}
	n.probes++
	n.probed = d.now
	d.out.Probes = append(d.out.Probes, n.id)
}

// probeEvery returns the time between two probes of the node; 0 for none. Nodes whose patience is
// over are asked less often: suspects that no witness condemns, and failed ones that go on speaking
// in their session, whose port may work again without notice.
func (n *node) probeEvery(d *Detector) time.Duration {
	switch {
	case n.mute:
		return 0
	case n.state == Suspected && d.unanswered(n):
		return max(d.cfg.BeatInterval, d.cfg.ProbeEvery)
	case n.state == Suspected:
		return d.cfg.ProbeEvery
	case n.state == Failed && n.session && n.down:
		return d.cfg.SessionPatience
	}
	return 0
}

func (n *node) probesDue(d *Detector) bool {
	every := n.probeEvery(d)
	return every > 0 && d.now >= n.probed+every
}

// arm makes NextTick not later than what the node waits for.
func (d *Detector) arm(n *node) {
	at := d.deadline(n)
	if at == 0 {
		return
	}
	at = max(at, d.now+time.Nanosecond) // what was due now and did not happen is not due at once
	if !d.armed || at < d.next {
		d.next, d.armed = at, true
	}
}

// deadline returns when the node must be judged next, 0 for never.
func (d *Detector) deadline(n *node) time.Duration {
	switch n.state {
	case Absent:
		return d.orSoon(n.spoke + d.cfg.SessionPatience)
	case Alive:
		return sooner(n.quiet+d.cfg.silence(), d.dataDeadline(n))
	case Suspected:
		at := min(d.orSoon(n.doubted+d.patience(n)), d.orSoon(n.spoke+d.cfg.SessionPatience))
		if every := n.probeEvery(d); every > 0 {
			at = min(at, n.probed+every)
		}
		return at
	case Failed:
		at := d.dataDeadline(n)
		if every := n.probeEvery(d); every > 0 {
			at = sooner(at, n.probed+every)
		}
		return at
	}
	return 0
}

// sooner returns the earlier of two deadlines, of which 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// orSoon returns at, or, when that has passed without a verdict, the time to look for a witness
// again.
func (d *Detector) orSoon(at time.Duration) time.Duration {
	if at > d.now {
		return at
	}
	return d.now + d.cfg.BeatInterval
}

// trouble says what is wrong with a suspected node.
func (n *node) trouble(c Config) string {
	var what []string
	if !n.session {
		what = append(what, "session closed")
	}
	if n.down {
		what = append(what, "port of the switch down")
	}
	if n.silent {
		what = append(what, fmt.Sprintf("no beat for %v", c.silence()))
	}
	if n.cut {
		what = append(what, fmt.Sprintf("unreachable in the data network for %v", c.DataPatience))
	}
	return strings.Join(what, ", ")
}
