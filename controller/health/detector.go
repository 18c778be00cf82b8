package health

import (
	"cmp"
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// State is what the detector thinks of a node.
type State uint8

// The states.
const (
	Unknown   State = iota // not tracked
	Absent                 // tracked, but no session yet
	Alive                  // has a session and uses it
	Suspected              // something is wrong; it is probed
	Failed                 // must be taken out of its chains
)

// String gives the name that status reports use.
func (s State) String() string {
	return [...]string{"unknown", "absent", "alive", "suspected", "failed"}[s]
}

// Status is what is known of one node.
type Status struct {
	State State
	Since time.Duration // when it entered State; of a failed node: when it was first suspected
	Heard time.Duration // last sign of life: message, session, answered probe
	Ever  bool          // whether there was any sign of life
	Why   string        // what is wrong; empty for a healthy node
}

// Verdict is a change of mind about a node.
type Verdict struct {
	Node kv.NodeID
	// Since is when the node was first suspected. Others that are ConfirmedSince then have outlived
	// it.
	Since time.Duration
	Why   string
}

// Output is what a detector has decided since it was last asked. Its lists are sorted by time.
type Output struct {
	Probes    []kv.NodeID // send each of these one probe; report an answer with Alive
	Failed    []Verdict   // nodes that are failed from now on
	Recovered []kv.NodeID // nodes that had failed and are alive again
	// Carrier says that most nodes do not answer probes, although they speak in their sessions: the
	// driver should send them by way of another switch.
	Carrier bool
}

// node is the state of one node.
type node struct {
	id      kv.NodeID
	state   State
	heard   time.Duration // last true sign of life
	ever    bool          // whether heard means anything
	quiet   time.Duration // where the clock of missing beats starts: heard, or a fresh start
	spoke   time.Duration // where the clock of SessionPatience starts
	doubted time.Duration // where the clock of the probes' patience starts
	since   time.Duration // beginning of the state, or of the suspicion before the failure
	session bool
	down    bool // its port is
	silent  bool // its beats are missing
	mute    bool // it cannot be probed
	cut     bool // does not answer probes, though it beats and others answer
	probes  int  // sent and unanswered since doubted
	probed  time.Duration
	why     string

	// Of the probes that a node gets while it is well.
	proof  time.Duration // when it last answered one
	answer time.Duration // where the clock of its answers starts: proof, or a fresh start
	asked  time.Duration
	asks   int // unanswered since
}

// Detector watches the nodes it has been told to track. It is not safe for concurrent use. All times
// are of one monotonic clock; a time before an earlier one counts as the earlier.
type Detector struct {
	cfg   Config
	nodes map[kv.NodeID]*node
	order []*node       // by id, so that outputs do not depend on the order of a map
	now   time.Duration // latest time seen
	seen  time.Duration // latest sign of life of anybody
	next  time.Duration // not later than the earliest deadline
	armed bool          // whether next means anything
	out   Output

	blaming bool          // the carrier is suspected
	blamed  time.Duration // since when, or when last again
}

// New returns a detector that tracks nobody.
func New(cfg Config) (*Detector, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Detector{cfg: cfg, nodes: make(map[kv.NodeID]*node)}, nil
}

// Config returns the configuration with its defaults filled in.
func (d *Detector) Config() Config { return d.cfg }

// Track begins to watch a node that should come: the controller knows it from its store. It has
// SessionPatience to open a session. A node that is tracked already stays as it is.
func (d *Detector) Track(now time.Duration, id kv.NodeID) {
	d.advance(now)
	if d.nodes[id] == nil {
		d.arm(d.add(id, Absent))
	}
}

// Untrack forgets a node.
func (d *Detector) Untrack(id kv.NodeID) {
	delete(d.nodes, id)
	d.order = slices.DeleteFunc(d.order, func(n *node) bool { return n.id == id })
}

func (d *Detector) add(id kv.NodeID, s State) *node {
	n := &node{id: id, state: s, since: d.now, spoke: d.now, quiet: d.now, mute: !d.cfg.CanProbe,
		answer: d.now, asked: d.now}
	d.nodes[id] = n
	at, _ := slices.BinarySearchFunc(d.order, id, func(n *node, id kv.NodeID) int {
		return cmp.Compare(n.id, id)
	})
	d.order = slices.Insert(d.order, at, n)
	return n
}

// SessionOpened says that the node has connected; it is tracked from now on. When a node connects
// anew before its old session is seen to close, the end of the old one must not be reported.
func (d *Detector) SessionOpened(now time.Duration, id kv.NodeID) {
	d.advance(now)
	n := d.nodes[id]
	if n == nil {
		n = d.add(id, Absent)
	}
	n.session = true
	d.forgive(n)
	d.spoken(n)
}

// Beat says that a message of the node, whichever, has come through its session.
func (d *Detector) Beat(now time.Duration, id kv.NodeID) {
	d.advance(now)
	if n := d.nodes[id]; n != nil && n.session {
		d.spoken(n)
	}
}

// SessionClosed says that the session of the node has ended for any reason.
func (d *Detector) SessionClosed(now time.Duration, id kv.NodeID) {
	d.advance(now)
	if n := d.nodes[id]; n != nil && n.session {
		n.session, n.spoke = false, d.now
		d.doubt(n)
	}
}

// PortDown says that the port of the switch to which the node is attached has lost its link.
func (d *Detector) PortDown(now time.Duration, id kv.NodeID) {
	d.advance(now)
	if n := d.nodes[id]; n != nil && !n.down {
		n.down = true
		d.doubt(n)
	}
}

// PortUp says that the port has its link again.
func (d *Detector) PortUp(now time.Duration, id kv.NodeID) {
	d.advance(now)
	if n := d.nodes[id]; n != nil {
		n.down = false
		d.clear(n)
	}
}

// Alive says that the node has answered a probe.
func (d *Detector) Alive(now time.Duration, id kv.NodeID) {
	d.advance(now)
	n := d.nodes[id]
	if n == nil {
		return
	}
	d.heard(n)
	n.down = false
	d.answered(n)
	n.silent = n.silent && d.now >= n.spoke+d.cfg.SessionPatience // too long to be called well
	n.quiet, n.doubted, n.probes = d.now, d.now, 0
	d.clear(n)
}

// SetProbing says whether probes can reach the node: its switch is connected. New nodes begin with
// Config.CanProbe.
func (d *Detector) SetProbing(now time.Duration, id kv.NodeID, can bool) {
	d.advance(now)
	if n := d.nodes[id]; n != nil && n.mute == can {
		n.mute = !can
		n.doubted, n.probes = d.now, 0
		d.forgive(n)
		d.clear(n)
	}
}

// Tick lets time pass. It is due at NextTick.
func (d *Detector) Tick(now time.Duration) {
	d.advance(now)
	d.armed = false
	for _, n := range d.order {
		d.judge(n)
		d.arm(n)
	}
}

// NextTick returns when Tick is due; ok is false when nothing will happen by itself.
func (d *Detector) NextTick() (at time.Duration, ok bool) { return d.next, d.armed }

// Take returns what has been decided since the last call.
func (d *Detector) Take() Output {
	out := d.out
	d.out = Output{}
	return out
}

// ConfirmedSince reports whether the node was heard from after t and has not failed.
func (d *Detector) ConfirmedSince(id kv.NodeID, t time.Duration) bool {
	n := d.nodes[id]
	return n != nil && n.ever && n.heard > t && n.state != Failed
}

// Status returns what is known of a node.
func (d *Detector) Status(id kv.NodeID) Status {
	n := d.nodes[id]
	if n == nil {
		return Status{}
	}
	s := Status{State: n.state, Since: n.since, Heard: n.heard, Ever: n.ever, Why: n.why}
	if n.state == Suspected {
		s.Why = n.trouble(d.cfg)
	}
	return s
}

// Blind reports that nodes are tracked but none is alive: either all have failed, or the controller
// is cut off. Nobody is failed in such a time.
func (d *Detector) Blind() bool {
	return len(d.order) > 0 &&
		!slices.ContainsFunc(d.order, func(n *node) bool { return n.state == Alive })
}
