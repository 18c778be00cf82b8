package links

import (
	"time"

	"github.com/turbokv/turbokv/topology"
)

// Frame is an Ethernet frame for a port of a switch to send.
type Frame struct {
	Switch string
	Port   uint32
	Data   []byte // shared: must not be changed
}

// Links watches the links between the switches of a network. It is not safe for concurrent use. All
// times are of one monotonic clock.
type Links struct {
	cfg     Config
	now     time.Duration
	next    time.Duration         // when Tick is due
	session map[string]bool       // of every switch of the network
	frames  []Frame               // one for each port towards a switch
	cables  []*cable              // links between switches, in the order of the network
	ears    map[topology.End]*ear // by the port that hears
	// strangers are the switches heard on ports that should have none.
	strangers  map[topology.End]stranger
	events     []Event
	unreadable uint64
}

// State is what is known of a link between two switches.
type State struct {
	Link  int // index in Network.Links
	Up    bool
	Since time.Duration // of Up
	Why   string        // it is down; else empty
}

// New returns a watcher that takes all links for good until there is other news, and has no
// sessions. The network must not change.
func New(cfg Config, n *topology.Network) (*Links, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	l := &Links{
		cfg: cfg.withDefaults(), session: make(map[string]bool),
		ears:      make(map[topology.End]*ear),
		strangers: make(map[topology.End]stranger),
	}
	for _, s := range n.Switches {
		l.session[s.Name] = false
	}
	for i, link := range n.Links {
		if err := l.addCable(i, link); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// addCable adds a link if it joins two switches.
func (l *Links) addCable(i int, link topology.Link) error {
	_, a := l.session[link.A.Name]
	_, b := l.session[link.B.Name]
	if !a || !b {
		return nil
	}
	c := &cable{link: i, up: true, ears: [2]*ear{
		{at: link.A, from: link.B}, {at: link.B, from: link.A},
	}}
	l.cables = append(l.cables, c)
	for _, e := range c.ears {
		data, err := Encode(e.at, l.cfg.ttl())
		if err != nil {
			return err
		}
		e.of = c
		l.ears[e.at] = e
		l.frames = append(l.frames, Frame{Switch: e.at.Name, Port: e.at.Port, Data: data})
	}
	return nil
}

// NextTick returns when Tick is due.
func (l *Links) NextTick() time.Duration { return l.next }

// Tick ends an interval, if it is time, and returns the frames that begin the next one: those of the
// switches with sessions. When it is called late, the interval was longer.
func (l *Links) Tick(now time.Duration) (out []Frame) {
	if l.advance(now); l.now < l.next {
		return nil
	}
	l.next = l.now + l.cfg.Interval
	l.judge()
	for _, f := range l.frames {
		if l.session[f.Switch] {
			out = append(out, f)
		}
	}
	for _, c := range l.cables {
		c.begin(l.session[c.ears[0].at.Name] && l.session[c.ears[1].at.Name])
	}
	return out
}

// Received says that a switch has received an LLDP frame. What is none of ours is counted only.
func (l *Links) Received(now time.Duration, at topology.End, frame []byte) {
	l.advance(now)
	if !l.session[at.Name] {
		return // a late one, or a switch that is not in the network
	}
	from, err := Decode(frame)
	if err != nil {
		l.unreadable++
		return
	}
	e := l.ears[at]
	switch {
	case e == nil:
		l.hearStranger(at, from)
	case e.from == from:
		e.heard = true
	default:
		l.mistaken(e, from)
	}
}

// PortStatus says that a port of a switch has lost its signal, or has it again.
func (l *Links) PortStatus(now time.Duration, at topology.End, up bool) {
	l.advance(now)
	e := l.ears[at]
	if e == nil {
		return
	}
	if e.dark = !up; e.dark {
		e.heard, e.row = false, 0 // that was before
	}
	l.settle(e.of)
}

// SwitchBack says that there is a session with a switch: it can be told to send, and heard.
func (l *Links) SwitchBack(now time.Duration, name string) { l.setSession(now, name, true) }

// SwitchGone says that the session has ended. The links of the switch stay as they are.
func (l *Links) SwitchGone(now time.Duration, name string) { l.setSession(now, name, false) }

func (l *Links) setSession(now time.Duration, name string, up bool) {
	l.advance(now)
	if _, known := l.session[name]; !known {
		return
	}
	l.session[name] = up
	for _, c := range l.cables {
		if c.ears[0].at.Name == name || c.ears[1].at.Name == name {
			c.forget()
		}
	}
}

func (l *Links) advance(now time.Duration) { l.now = max(l.now, now) }

// Down returns the links that do not work, as indexes in Network.Links, in order.
func (l *Links) Down() (out []int) {
	for _, c := range l.cables {
		if !c.up {
			out = append(out, c.link)
		}
	}
	return out
}

// States returns all links between switches, in the order of Network.Links.
func (l *Links) States() (out []State) {
	for _, c := range l.cables {
		out = append(out, State{Link: c.link, Up: c.up, Since: c.since, Why: c.why()})
	}
	return out
}

// Unreadable is the number of frames received that were no LLDP of ours.
func (l *Links) Unreadable() uint64 { return l.unreadable }

// Take returns what has happened since the last call.
func (l *Links) Take() []Event {
	out := l.events
	l.events = nil
	return out
}
