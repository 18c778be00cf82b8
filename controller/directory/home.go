package directory

import (
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// HomeOf returns the switch at which requests for a chain are resolved: that of the first member, from
// the head, whose switch is not the tail's, so that who loses a switch with all its nodes loses the home
// or the tail and never both; if there is none, that of the head. at tells the switch of a node.
func HomeOf(c kv.Chain, at func(kv.NodeID) string) string {
	tail := at(c.Tail())
	for _, n := range c {
		if name := at(n); name != tail {
			return name
		}
	}
	return tail
}

// home chooses the home of a chain: what HomeOf says, or, when that switch is out of reach and could not
// be told, that of the next member, the tail's last.
func (d *Directory) home(c kv.Chain) string {
	best := HomeOf(c, d.switchOf)
	if d.here(best) {
		return best
	}
	tail := d.switchOf(c.Tail())
	for _, n := range c {
		if name := d.switchOf(n); name != tail && d.here(name) {
			return name
		}
	}
	if d.here(tail) {
		return tail
	}
	return best
}

// switchOf returns the switch of a node; the first one for nodes that have not said hello since their
// switch was renamed.
func (d *Directory) switchOf(id kv.NodeID) string {
	if n, _ := d.nodes.Get(id); slices.Contains(d.cfg.Switches, n.Switch) {
		return n.Switch
	}
	return d.cfg.Switches[0]
}

// rack numbers the switch of a node.
func (d *Directory) rack(id kv.NodeID) int {
	return slices.Index(d.cfg.Switches, d.switchOf(id))
}

// here reports whether a switch is within reach.
func (d *Directory) here(name string) bool {
	_, ok := d.synced[name]
	return ok
}

// Rehome gives sub-ranges another home, in a new epoch: back to the switch that HomeOf names when it is
// within reach again, or its nodes have been moved; and away from one that is out of reach and is waited
// for. All other sub-ranges whose home is lost stay: it serves them without a controller (I2). steady limits the choice to switches that have not come
// or gone just now, and at most so many sub-ranges are moved.
func (d *Directory) Rehome(steady func(name string) bool, most int) Effects {
	var e Effects
	for _, s := range d.SubRanges() {
		to := d.home(s.Chain)
		if to == s.Home || most == 0 || !d.here(to) || !steady(s.Home) || !steady(to) ||
			!d.here(s.Home) && !d.owed(s) {
			continue
		}
		if _, _, err := d.calm(s.ID); err == nil {
			d.next(&e, s)
			most--
		} else if !s.Created {
			s.Home, s.Stampers = to, []string{to}
			d.putSubRange(&e, s)
		}
	}
	return e
}

// owed reports whether something waits for a home that is out of reach: a plan, a keyspace that is being
// created, or an epoch that it may lack. After a start of the controller the last is assumed only of what
// was under way.
func (d *Directory) owed(s SubRange) bool {
	k, _ := d.keyspaces.Get(s.Keyspace)
	if _, planned := d.PlanOf(s.ID); planned || k.Phase == PhaseCreating {
		return true
	}
	if had, ok := d.had[s.Home]; ok || d.changedAt[s.ID] > 0 {
		return had < d.changed(s.ID)
	}
	return len(s.Stampers) > 1
}

// adopt completes what was loaded: sub-ranges that were stored before there were homes, and those of
// which the home is no switch of the network any more. What is not known of them is assumed: every
// switch may lead to every member that has not acknowledged the present epoch, and to those that left
// and were not told.
func (d *Directory) adopt() {
	for _, s := range d.SubRanges() {
		old := len(s.Stampers) == 0
		s.Stampers = slices.DeleteFunc(slices.Clone(s.Stampers), func(name string) bool {
			return !slices.Contains(d.cfg.Switches, name)
		})
		if old && s.Created {
			s.Tails = without(s.Chain, s.Acked...)
			for _, f := range s.Former {
				if s.Untold {
					s.Tails = with(s.Tails, f.Node)
				}
			}
		}
		if old || !slices.Contains(d.cfg.Switches, s.Home) {
			s.Home, s.Stampers = d.home(s.Chain), slices.Clone(d.cfg.Switches)
		}
		if !s.Created {
			s.Stampers = []string{s.Home}
		}
		d.subRanges.Set(s.ID, s)
	}
}

// with returns a copy of a list that has more, each once.
func with[T comparable](list []T, more ...T) []T {
	out := slices.Clone(list)
	for _, v := range more {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
