package v1model

import (
	"maps"
	"slices"
)

// livePorts returns the replicas that are made while some ports are down: of each the first among
// itself and its backups whose port is up. One whose ports are all down is not made.
func livePorts(replicas []Replica, backups [][]Replica, down map[uint16]bool) []Replica {
	var out []Replica
	for i, r := range replicas {
		choices := []Replica{r}
		if i < len(backups) {
			choices = append(choices, backups[i]...)
		}
		up := slices.IndexFunc(choices, func(c Replica) bool { return !down[c.Port] })
		switch {
		case up >= 0:
			out = append(out, choices[up])
		case len(choices) == 1: // without backups a port that is down loses the frame by itself
			out = append(out, r)
		}
	}
	return out
}

// live returns the copies that the group makes now.
func (g *MulticastGroup) live() []Replica {
	if g.Backups == nil {
		return g.Replicas
	}
	return g.up
}

// live returns the clones that the session makes now.
func (c *CloneSession) live() []Replica {
	if c.Backups == nil {
		return c.Replicas
	}
	return c.up
}

func cloneBackups(all [][]Replica) [][]Replica {
	out := slices.Clone(all)
	for i := range out {
		out[i] = slices.Clone(out[i])
	}
	return out
}

// fallBack has groups and sessions with backups choose again; it reports whether there are any.
func (u *update) fallBack() bool {
	any := false
	groups, sessions := maps.Clone(u.next.groups), maps.Clone(u.next.sessions)
	for id, g := range groups {
		if g.Backups != nil {
			again := *g
			again.up = livePorts(g.Replicas, g.Backups, u.sw.down)
			groups[id], any = &again, true
		}
	}
	for id, c := range sessions {
		if c.Backups != nil {
			again := *c
			again.up = livePorts(c.Replicas, c.Backups, u.sw.down)
			sessions[id], any = &again, true
		}
	}
	if any {
		u.next.groups, u.next.sessions = groups, sessions
	}
	return any
}
