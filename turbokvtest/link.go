package turbokvtest

// link is a cable between two switches.
type link struct {
	listed int // index in the topology that the controller was told
	ends   [2]linkEnd
	cuts   [2]int        // by end: how many mishaps let disappear what is sent from there
	late   [2]lateFrames // by end: what is sent from there and held back
}

type linkEnd struct {
	sw   *fabric
	port uint16
}

// from returns the index of the end at a switch.
func (l *link) from(sw *fabric) int {
	if l.ends[0].sw == sw {
		return 0
	}
	return 1
}

// String names both ends.
func (l *link) String() string { return l.ends[0].sw.name + "-" + l.ends[1].sw.name }

// cross carries a frame from one switch to the next.
func (n *network) cross(l *link, from *fabric, frame []byte) {
	at := l.from(from)
	to := l.ends[1-at]
	if l.cuts[at] > 0 {
		return
	}
	n.carry(frame, l.late[at], func(frame []byte) { to.sw.receive(to.port, frame) })
}
