package p4rt

import (
	"errors"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// apply carries out updates and returns one outcome for each. All changes of tables, sessions and
// groups become visible to packets at one instant.
func (s *Server) apply(p *pipeline, updates []*p4v1.Update) []error {
	outcomes := make([]error, len(updates))
	var first, second batch
	for i, u := range updates {
		ops, err := s.translate(p, u)
		if err != nil {
			outcomes[i] = err
		}
		if len(ops) > 0 {
			first.add(i, ops[0])
		}
		if len(ops) > 1 {
			second.add(i, ops[1])
		}
	}
	first.run(p.sw, func(i int, err error) { outcomes[i] = fromEngine(err) })
	// An entry that was refused must not have its counter set, so counters come in a second batch.
	second.keep(func(i int) bool { return outcomes[i] == nil })
	second.run(p.sw, func(i int, err error) {
		if !errors.Is(err, v1model.ErrNotFound) { // deleted by a later update
			outcomes[i] = fromEngine(err)
		}
	})
	return outcomes
}

// batch is a list of operations that each remember the update they come from.
type batch struct {
	ops    []v1model.Op
	owners []int
}

func (b *batch) add(owner int, op v1model.Op) {
	b.ops = append(b.ops, op)
	b.owners = append(b.owners, owner)
}

func (b *batch) keep(wanted func(owner int) bool) {
	var kept batch
	for i, owner := range b.owners {
		if wanted(owner) {
			kept.add(owner, b.ops[i])
		}
	}
	*b = kept
}

// run applies the operations and reports those that failed.
func (b *batch) run(sw *v1model.Switch, failed func(owner int, err error)) {
	if len(b.ops) == 0 {
		return
	}
	for i, err := range sw.Update(b.ops) {
		if err != nil {
			failed(b.owners[i], err)
		}
	}
}

// translate turns an update into at most two operations of the switch, the second of which is
// only for when the first succeeds. What is not part of the switch's snapshot, registers and
// digests, takes effect here and leaves no operation.
func (s *Server) translate(p *pipeline, u *p4v1.Update) ([]v1model.Op, error) {
	switch e := u.GetEntity().GetEntity().(type) {
	case *p4v1.Entity_TableEntry:
		return p.tableOps(u.GetType(), e.TableEntry)
	case *p4v1.Entity_CounterEntry:
		return p.counterOps(u.GetType(), e.CounterEntry)
	case *p4v1.Entity_DirectCounterEntry:
		return p.directCounterOps(u.GetType(), e.DirectCounterEntry)
	case *p4v1.Entity_PacketReplicationEngineEntry:
		return replicationOps(u.GetType(), e.PacketReplicationEngineEntry)
	case *p4v1.Entity_RegisterEntry:
		return nil, p.writeRegister(u.GetType(), e.RegisterEntry)
	case *p4v1.Entity_DigestEntry:
		return nil, s.configureDigest(p, u.GetType(), e.DigestEntry)
	case nil:
		return nil, invalid("the update has no entity")
	default:
		return nil, unimplemented("writing %T is not supported", e)
	}
}
