package core

import (
	"maps"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/health"
	"github.com/turbokv/turbokv/kv"
)

// racks remembers what is to be told of the nodes of each switch: a rack that is lost, or returns, is one
// event and not one per node.
type racks map[string]*rack

// rack is one switch and its nodes.
type rack struct {
	lost  bool    // it was told so
	wait  []Event // of single nodes, until it is clear whether it is the whole rack
	since time.Duration
}

// rackPatience is how long to wait for the verdicts on the other nodes of a rack that do not seem well.
// Those that fail together are failed within one interval of probes and one of patience.
const rackPatience = 2 * time.Second

// add takes word of a node of a switch.
func (r racks) add(name string, now time.Duration, e Event) {
	if r[name] == nil {
		r[name] = new(rack)
	}
	if len(r[name].wait) == 0 {
		r[name].since = now
	}
	r[name].wait = append(r[name].wait, e)
}

func (c *Core) switchOf(n kv.NodeID) string {
	node, _ := c.dir.Node(n)
	return node.Switch
}

// tellRacks tells what has become clear.
func (c *Core) tellRacks() {
	for _, name := range slices.Sorted(maps.Keys(c.racks)) {
		r := c.racks[name]
		if len(r.wait) == 0 {
			continue
		}
		all, failed, open := c.census(name)
		whole := len(c.cfg.Directory.Switches) > 1 && all > 1
		switch {
		case whole && failed == all && !r.lost:
			r.lost, r.wait = true, nil
			c.tell(Event{Kind: RackLost, Severity: Warning, Switch: name, Count: all})
		case whole && failed == 0 && r.lost:
			r.lost, r.wait = false, nil
			c.tell(Event{Kind: RackReturned, Switch: name, Count: all})
		case whole && (open || r.lost) && c.now < r.since+rackPatience:
			c.wakeAt(r.since + rackPatience)
		default:
			for _, e := range r.wait {
				c.tell(e)
			}
			r.wait, r.lost = nil, false
		}
	}
}

// census counts the nodes of a switch, and those that have failed; open says
// that some of the others may yet.
func (c *Core) census(name string) (all, failed int, open bool) {
	for _, n := range c.dir.Nodes() {
		if n.Switch != name {
			continue
		}
		all++
		switch {
		case c.health.Status(n.ID).State == health.Failed:
			failed++
		case c.health.Doubted(n.ID):
			open = true
		}
	}
	return all, failed, open
}

// rackDoubted reports whether others at a node's switch are not well either, so that a suspicion of one
// is not worth telling.
func (c *Core) rackDoubted(n directory.Node) bool {
	return len(c.cfg.Directory.Switches) > 1 &&
		slices.ContainsFunc(c.dir.Nodes(), func(o directory.Node) bool {
			return o.ID != n.ID && o.Switch == n.Switch && c.health.Doubted(o.ID)
		})
}
