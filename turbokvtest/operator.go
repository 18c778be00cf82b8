package turbokvtest

import (
	"fmt"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// operator gives commands while things go wrong. Most are refused at a bad moment, as they should.
type operator struct {
	c     *Cluster
	taken int
	extra int // keyspaces made
}

// command is one thing that an operator may ask for; it returns what was asked, and why not.
type command func(*operator) (string, error)

var commands = []command{(*operator).createKeyspace, (*operator).dropKeyspace}

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
	do := commands[o.c.rand.IntN(len(commands))]
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
		Durability: o.c.opt.Durability, Replication: 1 + r.IntN(3), SubRanges: 1 + r.IntN(3),
	}
	_, err := o.c.control.brain.CreateKeyspace(o.c.control.now(), want)
	return fmt.Sprintf("create %+v", want), err
}

func (o *operator) dropKeyspace() (string, error) {
	name := fmt.Sprintf("extra%d", 1+o.c.rand.IntN(o.extra+1))
	return "drop " + name, o.c.control.brain.DropKeyspace(o.c.control.now(), name)
}
