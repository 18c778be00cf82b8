package health

import (
	"time"

	"github.com/turbokv/turbokv/kv"
)

// Nodes that speak in their session may still be cut off from clients: sessions go through another
// network than requests. So with Config.Data healthy nodes are probed, too, through the switch that
// carries the controller's own packets, the carrier. One that leaves probes unanswered while others
// answer is suspected; when most do not answer, it is the carrier that is suspected, and nobody is failed
// before the driver had time to take another one.

// How many probes of a healthy node in a row have no answer before it counts as one that does not answer,
// and before it is suspected: the difference is so much time that those which were cut off at the same
// moment are known when the first of them is judged.
const (
	deafAfter    = 2
	suspectAfter = 3
)

// watched reports whether a node should answer probes.
func (d *Detector) watched(n *node) bool { return d.cfg.Data && n.session && !n.mute }

// answered notes an answer.
func (d *Detector) answered(n *node) {
	n.cut, n.proof, n.answer, n.asks = false, d.now, d.now, 0
	if d.blaming {
		_ = d.trusted()
	}
}

// forgive lets the clock of a node's probes begin anew.
func (d *Detector) forgive(n *node) {
	n.answer, n.asked, n.asks = d.now, d.now, 0
	if n.state != Failed {
		n.cut = false
	}
}

// judgeData looks at what unanswered probes say of a node that is well otherwise, or was failed for them.
func (d *Detector) judgeData(n *node) {
	switch {
	case !d.watched(n):
	case n.state == Alive && n.asks >= suspectAfter && d.now >= n.answer+d.cfg.DataPatience &&
		d.trusted():
		n.cut = true
		d.doubt(n)
	case d.now >= n.asked+d.cfg.DataProbeEvery:
		n.asks++
		n.asked = d.now
		d.out.Probes = append(d.out.Probes, n.id)
	}
}

// dataDeadline returns when judgeData is due, 0 for never.
func (d *Detector) dataDeadline(n *node) time.Duration {
	if !d.watched(n) || n.state != Alive && !(n.state == Failed && n.cut) {
		return 0
	}
	at := n.asked + d.cfg.DataProbeEvery
	if n.state == Alive && n.asks >= suspectAfter {
		at = min(at, d.orSoon(n.answer+d.cfg.DataPatience))
	}
	return at
}

// trusted reports whether missing answers speak against nodes and not against the carrier: at least half
// of the nodes that are not failed answer, or some do after the carrier was suspected and time enough has
// passed to take another one. If not, it suspects the carrier, perhaps once more.
func (d *Detector) trusted() bool {
	deaf, well, all := 0, 0, 0
	for _, o := range d.order {
		switch {
		case !d.watched(o) || o.state == Failed:
			continue
		case o.asks >= deafAfter:
			deaf++
		case o.proof > d.blamed:
			well++
		}
		all++
	}
	patience := d.cfg.DataPatience
	switch {
	case 2*deaf <= all:
		d.blaming = d.blaming && 2*well <= all
		return true
	case d.blaming && d.now >= d.blamed+patience && well > 0:
		return true
	case !d.blaming || d.now >= d.blamed+2*patience:
		d.blaming, d.blamed, d.out.Carrier = true, d.now, true
	}
	return false
}

// Doubted reports whether a node is not well, or does not answer at the moment: it may be part of
// something larger that is lost.
func (d *Detector) Doubted(id kv.NodeID) bool {
	n := d.nodes[id]
	return n == nil || n.state != Alive || d.watched(n) && n.asks >= deafAfter
}
