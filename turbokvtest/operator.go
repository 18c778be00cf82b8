package turbokvtest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// operator gives commands while things go wrong. Most are refused at a bad moment, as they should.
type operator struct {
	c     *Cluster
	taken int
	extra int  // keyspaces made
	grown bool // a chain was made longer than its keyspace asks
}

// command is one thing that an operator may ask for; it returns what was asked, and why not.
type command func(*operator) (string, error)

var commands = []command{
	(*operator).createKeyspace, (*operator).dropKeyspace, (*operator).rebalance, (*operator).admit,
	(*operator).drain, (*operator).drain, (*operator).move, (*operator).move, (*operator).move,
	(*operator).split, (*operator).split, (*operator).split, (*operator).merge, (*operator).merge,
}

// rackCommands are worth something only where there are several racks.
var rackCommands = []command{(*operator).moveAcross, (*operator).moveAcross, (*operator).drainRack}

// plan puts the run's commands on the agenda.
func (o *operator) plan() {
	for range o.c.opt.Actions {
		o.c.events.after(o.c.within(o.c.opt.Safety), o.act)
	}
}

func (o *operator) act() {
	k := o.c.control
	if !k.up {
		return
	}
	choice := commands
	if o.c.opt.Shape.many() {
		choice = slices.Concat(commands, rackCommands)
	}
	do := choice[o.c.rand.IntN(len(choice))]
	k.post(func() {
		what, err := do(o)
		if err == nil {
			o.taken++
		}
		o.c.log("operator: %s: %v", what, err)
	})
}

// createKeyspace makes a keyspace of another kind beside that of the clients.
func (o *operator) createKeyspace() (string, error) {
	o.extra++
	r := o.c.rand
	want := directory.CreateKeyspace{
		Name: fmt.Sprintf("extra%d", o.extra), Partitioner: kv.Partitioner(1 + r.IntN(2)),
		Durability: kv.Durability(1 + r.IntN(2)), Replication: 1 + r.IntN(3), SubRanges: 1 + r.IntN(3),
	}
	_, err := o.c.control.brain.CreateKeyspace(o.c.control.now(), want)
	return fmt.Sprintf("create %+v", want), err
}

func (o *operator) dropKeyspace() (string, error) {
	name := fmt.Sprintf("extra%d", 1+o.c.rand.IntN(o.extra+1))
	return "drop " + name, o.c.control.brain.DropKeyspace(o.c.control.now(), name)
}

func (o *operator) subRange() directory.SubRange {
	all := o.c.control.brain.View().SubRanges()
	return all[o.c.rand.IntN(len(all))]
}

func (o *operator) anyNode() *node { return o.c.nodes[o.c.rand.IntN(len(o.c.nodes))] }

func (o *operator) node() kv.NodeID { return o.anyNode().id }

// move names who leaves and who joins, or leaves that to the controller; rarely nobody leaves.
func (o *operator) move() (string, error) {
	s := o.subRange()
	var from, to kv.NodeID
	if o.c.rand.IntN(10) > 0 {
		from = s.Chain[o.c.rand.IntN(len(s.Chain))]
	}
	if o.c.rand.IntN(2) == 0 {
		to = o.node()
	}
	_, err := o.c.control.brain.Move(o.c.control.now(), s.ID, from, to)
	o.grown = o.grown || err == nil && from == 0
	return fmt.Sprintf("move %v from %v to %v", s.ID, from, to), err
}

// moveAcross gives the place of a member to a node of another rack: often that of the head or the tail.
func (o *operator) moveAcross() (string, error) {
	s := o.subRange()
	from := []kv.NodeID{s.Chain[0], s.Chain.Tail(), s.Chain[o.c.rand.IntN(len(s.Chain))]}[o.c.rand.IntN(3)]
	var others []kv.NodeID
	for _, n := range o.c.nodes {
		if n.host.sw != o.c.node(from).host.sw && s.Chain.Position(n.id) < 0 {
			others = append(others, n.id)
		}
	}
	if len(others) == 0 {
		return "move across racks", errors.New("there is nobody in another rack")
	}
	to := others[o.c.rand.IntN(len(others))]
	_, err := o.c.control.brain.Move(o.c.control.now(), s.ID, from, to)
	return fmt.Sprintf("move %v from %v to %v, in another rack", s.ID, from, to), err
}

// drainRack wants a whole rack empty. What has no room elsewhere stays.
func (o *operator) drainRack() (string, error) {
	sw := o.anyNode().host.sw
	var errs []error
	for _, n := range o.c.nodes {
		if n.host.sw == sw {
			errs = append(errs, o.c.control.brain.Drain(o.c.control.now(), n.id))
		}
	}
	return "drain rack " + sw.name, errors.Join(errs...)
}

// split cuts at the median of the load or anywhere.
func (o *operator) split() (string, error) {
	s := o.subRange()
	var cut kv.IndexKey
	if o.c.rand.IntN(3) > 0 {
		for i := range 1 + o.c.rand.IntN(3) {
			cut[i] = byte(o.c.rand.IntN(256))
		}
	}
	_, err := o.c.control.brain.Split(o.c.control.now(), s.ID, cut)
	return fmt.Sprintf("split %v at %v", s.ID, cut), err
}

func (o *operator) merge() (string, error) {
	s := o.subRange()
	_, err := o.c.control.brain.Merge(o.c.control.now(), s.ID)
	return fmt.Sprintf("merge %v", s.ID), err
}

func (o *operator) drain() (string, error) {
	n := o.node()
	return fmt.Sprintf("drain %v", n), o.c.control.brain.Drain(o.c.control.now(), n)
}

func (o *operator) admit() (string, error) {
	n := o.node()
	return fmt.Sprintf("admit %v", n), o.c.control.brain.Admit(o.c.control.now(), n)
}

func (o *operator) rebalance() (string, error) {
	plans, reasons := o.c.control.brain.Rebalance(o.c.control.now(), o.c.rand.IntN(2) == 0)
	return fmt.Sprintf("rebalance: %v, %q", plans, reasons), nil
}
