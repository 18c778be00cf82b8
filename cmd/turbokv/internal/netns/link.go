package netns

import (
	"fmt"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// Link takes all links between two places down or up.
//
// The built-in switch loses its port then, and tells the controller. simple_switch_grpc would stop to
// receive on all of its ports if one went down: libpcap waits for it to come back. There, both ends
// swallow what they are to send, and nobody is told.
func (n *Net) Link(a, b string, up bool) error {
	cables, err := n.cables(a, b)
	if err != nil {
		return err
	}
	for _, c := range cables {
		var err error
		if n.plan.Switch == netplan.Builtin {
			err = n.setPort(c, up)
		} else {
			err = n.setCable(c, up)
		}
		if err != nil {
			return fmt.Errorf("link %s %s: %w", a, b, err)
		}
	}
	return nil
}

// cables returns the links between two places, of which there is one at least.
func (n *Net) cables(a, b string) ([]netplan.Cable, error) {
	for _, name := range []string{a, b} {
		if p, ok := n.plan.Place(name); !ok || p.Kind == netplan.ControllerPlace {
			return nil, unknown("host or switch", name, slices.Concat(n.plan.Hosts(), n.plan.Switches()))
		}
	}
	cables := n.plan.CablesBetween(a, b)
	if len(cables) == 0 {
		return nil, fmt.Errorf("%w: no link joins %s and %s: links of %s lead to %s", ErrUnknown, a, b, a,
			strings.Join(n.plan.Beside(a), ", "))
	}
	return cables, nil
}

// setPort takes the end at a switch down or up: a host that lost its interface would lose its routes.
func (n *Net) setPort(c netplan.Cable, up bool) error {
	end, state := c.A, "down"
	if p, _ := n.plan.Place(end.Place); p.Kind != netplan.SwitchPlace {
		end = c.B
	}
	if up {
		state = "up"
	}
	return n.inEnd(end, "ip", "link", "set", end.Interface, state)
}

// setCable has both ends swallow what they are to send, or makes them as they were planned.
func (n *Net) setCable(c netplan.Cable, up bool) error {
	for _, end := range []netplan.End{c.A, c.B} {
		words := []string{"tc", "qdisc", "replace", "dev", end.Interface, "root", "blackhole"}
		if up {
			words = n.shaping(end)
		}
		if err := n.inEnd(end, words...); err != nil {
			return err
		}
	}
	return nil
}

// shaping is the command that gives an interface the queue of the plan.
func (n *Net) shaping(end netplan.End) []string {
	p, _ := n.plan.Place(end.Place)
	for _, words := range p.Setup {
		if words[0] == "tc" && slices.Contains(words, end.Interface) {
			return words
		}
	}
	return []string{"tc", "qdisc", "replace", "dev", end.Interface, "root", "pfifo"}
}

func (n *Net) inEnd(end netplan.End, words ...string) error {
	return run(append(enter(n.spaces[end.Place]), words...)...)
}
