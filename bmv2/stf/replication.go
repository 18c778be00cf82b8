package stf

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// replication executes the commands for clone sessions and multicast. Sessions that use a group
// get the replicas that the group has at that time.
func (r *run) replication(c Command) error {
	switch c := c.(type) {
	case AddSession:
		if c.UseGroup {
			r.byGroup[c.Session] = c.Group
			return r.setSession(c.Session, r.replicas(c.Group))
		}
		return r.setSession(c.Session, []v1model.Replica{{Port: c.Port}})
	case DeleteSession:
		delete(r.byGroup, c.Session)
		return r.write(v1model.OpDelete, &v1model.CloneSession{ID: c.Session})
	case CreateGroup:
		r.groups[c.Group] = nil
		return r.write(v1model.OpInsert, &v1model.MulticastGroup{ID: c.Group})
	case CreateNode:
		r.nodes = append(r.nodes, node{c.Instance, c.Ports})
		return nil
	case UpdateNode:
		if c.Node >= len(r.nodes) {
			return fmt.Errorf("unknown node %d", c.Node)
		}
		r.nodes[c.Node].ports = c.Ports
		return r.refresh()
	case Associate:
		if _, ok := r.groups[c.Group]; !ok || c.Node >= len(r.nodes) {
			return fmt.Errorf("unknown group %d or node %d", c.Group, c.Node)
		}
		r.groups[c.Group] = append(r.groups[c.Group], c.Node)
		return r.refresh()
	}
	return fmt.Errorf("command of type %T cannot be executed", c)
}

func (r *run) replicas(group uint16) (out []v1model.Replica) {
	for _, n := range r.groups[group] {
		for _, p := range r.nodes[n].ports {
			out = append(out, v1model.Replica{Port: p, Instance: r.nodes[n].instance})
		}
	}
	return out
}

// refresh writes all groups, and the sessions that use them.
func (r *run) refresh() error {
	for g := range r.groups {
		m := &v1model.MulticastGroup{ID: g, Replicas: r.replicas(g)}
		if err := r.write(v1model.OpModify, m); err != nil {
			return err
		}
	}
	for s, g := range r.byGroup {
		if err := r.setSession(s, r.replicas(g)); err != nil {
			return err
		}
	}
	return nil
}

// setSession inserts or replaces a session.
func (r *run) setSession(id uint16, replicas []v1model.Replica) error {
	op := v1model.OpInsert
	for _, s := range r.sw.CloneSessions() {
		if s.ID == id {
			op = v1model.OpModify
		}
	}
	return r.write(op, &v1model.CloneSession{ID: id, Replicas: replicas})
}

func (r *run) write(t v1model.OpType, e v1model.Entity) error {
	if errs := r.sw.Update([]v1model.Op{{Type: t, Entity: e}}); errs != nil {
		return errs[0]
	}
	return nil
}
