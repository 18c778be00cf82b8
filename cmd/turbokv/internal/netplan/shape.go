package netplan

import (
	"fmt"
	"strings"

	"github.com/turbokv/turbokv/topology"
)

// Shaping is who gives links their delay, bandwidth, loss and queue.
type Shaping string

// The shapings.
const (
	ShapedBySwitch Shaping = "switch" // ports of the built-in switch
	ShapedByTC     Shaping = "tc"     // queueing disciplines of the kernel
	Unshaped       Shaping = "nobody"
)

// Capabilities are the queueing disciplines that the kernel has.
type Capabilities struct{ Netem, TBF bool }

// asked is what the links of a topology want.
type asked struct{ rate, more bool }

func askedBy(n *topology.Network) (a asked) {
	for _, l := range n.Links {
		a.rate = a.rate || l.Bandwidth > 0
		a.more = a.more || l.Delay > 0 || l.Loss > 0
	}
	return a
}

// Choose decides who shapes the links, and says so in a sentence. Without a wish it takes the kernel,
// because that is no work for the switch; else the ports of the built-in switch.
func Choose(n *topology.Network, kind Kind, wish Shaping, can Capabilities) (Shaping, string, error) {
	a := askedBy(n)
	enough := can.Netem || can.TBF && !a.more
	switch {
	case wish == "" && a == (asked{}):
		return Unshaped, "links are as fast as the machine: the topology asks for no delay, bandwidth or loss", nil
	case wish == ShapedByTC && !can.Netem && !can.TBF:
		return "", "", fmt.Errorf("shaping by tc: this kernel has neither netem nor tbf: %s", modules)
	case wish == ShapedBySwitch && kind == BMv2:
		return "", "", fmt.Errorf("shaping by the switch: only the built-in one does it")
	case wish == ShapedByTC || wish == "" && enough:
		return ShapedByTC, "the kernel shapes the links: " + disciplines(can, a), nil
	case wish == ShapedBySwitch || wish == "" && kind == Builtin:
		return ShapedBySwitch, "the ports of the built-in switch shape the links", nil
	case wish == "" && can.TBF && a.rate:
		return ShapedByTC, "the kernel shapes the links: " + disciplines(can, a), nil
	case wish == "":
		return Unshaped, "nobody shapes the links: this kernel has no netem, and simple_switch_grpc does " +
			"not do it; delay, bandwidth and loss of the topology are left out (" + modules + ")", nil
	case wish == Unshaped:
		return Unshaped, "nobody shapes the links, as asked for", nil
	}
	return "", "", fmt.Errorf("shaping %q: must be %s, %s or %s", wish, ShapedByTC, ShapedBySwitch, Unshaped)
}

const modules = "the modules are sch_netem and sch_tbf; on Debian, package linux-image-amd64 has them"

// disciplines says what tc does, and what it leaves out.
func disciplines(can Capabilities, a asked) string {
	switch {
	case can.Netem:
		return "tc netem"
	case a.more:
		return "tc tbf for bandwidth; delay and loss are left out, because this kernel has no netem (" +
			modules + ")"
	}
	return "tc tbf"
}

// defaultQueue is how many frames wait for the bandwidth if the topology says nothing.
const defaultQueue = 100

// tc returns the command that shapes what an interface sends, if any.
func (m *maker) tc(x Interface) []string {
	l := x.Shape
	if m.Shaping != ShapedByTC || l == nil {
		return nil
	}
	var words string
	switch {
	case m.o.Can.Netem:
		words = netem(*l)
	case l.Bandwidth > 0:
		words = tbf(*l, x.MTU)
	}
	if words == "" {
		return nil
	}
	return strings.Fields("tc qdisc replace dev " + x.Name + " root " + words)
}

// netem does all, but counts frames that are only on their way as waiting: the queue is made longer by
// those that fit into the delay.
func netem(l topology.Link) string {
	var b strings.Builder
	queue := l.Queue
	if queue == 0 {
		queue = defaultQueue
	}
	if l.Delay > 0 {
		fmt.Fprintf(&b, " delay %dus", l.Delay.Microseconds())
		queue += flying(l)
	}
	if l.Loss > 0 {
		b.WriteString(" loss " + decimal(100*l.Loss) + "%")
	}
	if l.Bandwidth > 0 {
		fmt.Fprintf(&b, " rate %dbit", bits(l))
	}
	if b.Len() == 0 {
		return ""
	}
	return fmt.Sprintf("netem%s limit %d", b.String(), queue)
}

// flying is how many frames of minimal size can be under way on a link, within reason.
func flying(l topology.Link) int {
	const most = 100_000
	if l.Bandwidth == 0 {
		return most
	}
	const minFrame = 64 * 8
	return int(min(l.Delay.Seconds()*l.Bandwidth*1e6/minFrame, most))
}

// bits per second.
func bits(l topology.Link) uint64 { return max(uint64(l.Bandwidth*1e6), 1000) }

// tbf limits the bandwidth only. Its bucket holds a hundredth of a second, and two frames at least.
func tbf(l topology.Link, mtu int) string {
	const header = 18
	frame := mtu + header
	queue := l.Queue
	if queue == 0 {
		queue = defaultQueue
	}
	return fmt.Sprintf("tbf rate %dbit burst %d limit %d", bits(l),
		max(bits(l)/8/100, uint64(2*frame)), queue*frame)
}
