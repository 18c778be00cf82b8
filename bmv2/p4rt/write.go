package p4rt

import (
	"context"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// Write implements the service. Updates are applied in order, and all changes become visible to
// packets at one instant, whatever the atomicity. It decides what happens when one fails.
func (s *Server) Write(_ context.Context, r *p4v1.WriteRequest) (*p4v1.WriteResponse, error) {
	if err := checkCount("updates", len(r.GetUpdates()), maxUpdates); err != nil {
		return nil, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	allowed, err := s.writer(r.GetDeviceId(), r.GetRole(), r.GetElectionId())
	if err != nil {
		return nil, err
	}
	p, err := s.pipelineFor(r.GetDeviceId())
	if err != nil {
		return nil, err
	}
	b := &batch{server: s, p: p, allowed: allowed}
	b.translate(r.GetUpdates())
	switch r.GetAtomicity() {
	case p4v1.WriteRequest_CONTINUE_ON_ERROR:
		b.run()
	case p4v1.WriteRequest_ROLLBACK_ON_ERROR:
		b.runAtomic()
	case p4v1.WriteRequest_DATAPLANE_ATOMIC:
		if err := b.checkDataplane(); err != nil {
			return nil, err
		}
		b.runAtomic()
	default:
		return nil, invalid("atomicity %d: valid are CONTINUE_ON_ERROR, ROLLBACK_ON_ERROR, "+
			"DATAPLANE_ATOMIC", r.GetAtomicity())
	}
	s.count(b.outcomes)
	if err := batchError("updates", b.outcomes); err != nil {
		return nil, err
	}
	return &p4v1.WriteResponse{}, nil
}

func (s *Server) count(outcomes []error) {
	failed := uint64(0)
	for _, err := range outcomes {
		if err != nil {
			failed++
		}
	}
	s.stats.writeErrors.Add(failed)
	s.stats.writes.Add(uint64(len(outcomes)) - failed)
}

// apply carries out updates one after the other and returns one outcome for each.
func (s *Server) apply(p *pipeline, updates []*p4v1.Update) []error {
	b := &batch{server: s, p: p}
	b.translate(updates)
	b.run()
	return b.outcomes
}

// batch is a list of updates as operations of the switch. An update may need several, of which the
// later ones are for when the first succeeds.
type batch struct {
	server   *Server
	p        *pipeline
	allowed  *scope
	outcomes []error // of each update; nil if all went well so far
	ops      []v1model.Op
	owners   []int32 // the update that each operation comes from
	digests  []digestUpdate
	live     []int32 // updates of what packets may see halfway
	now      int32   // the update that is being translated
}

// digestUpdate changes the configuration of a digest, which is not part of the switch.
type digestUpdate struct {
	owner int32
	kind  p4v1.Update_Type
	entry *p4v1.DigestEntry
}

// translate turns updates into operations. Those that are wrong in themselves have their outcome
// then.
func (b *batch) translate(updates []*p4v1.Update) {
	b.outcomes = make([]error, len(updates))
	b.ops = make([]v1model.Op, 0, len(updates))
	b.owners = make([]int32, 0, len(updates))
	for i, u := range updates {
		b.now = int32(i)
		before := len(b.ops)
		if err := b.update(u); err != nil {
			b.outcomes[i] = err
			b.ops, b.owners = b.ops[:before], b.owners[:before]
		}
	}
}

// op adds an operation of the update that is being translated.
func (b *batch) op(kind v1model.OpType, e v1model.Entity) {
	then := len(b.owners) > 0 && b.owners[len(b.owners)-1] == b.now
	b.ops = append(b.ops, v1model.Op{Type: kind, Entity: e, Then: then})
	b.owners = append(b.owners, b.now)
}

// update translates one update.
func (b *batch) update(u *p4v1.Update) error {
	if b.allowed != nil && u.GetEntity() != nil {
		if err := b.allowed.mayWriteEntity(u.GetEntity()); err != nil {
			return err
		}
	}
	kind := u.GetType()
	switch e := u.GetEntity().GetEntity().(type) {
	case *p4v1.Entity_TableEntry:
		return b.tableEntry(kind, e.TableEntry)
	case *p4v1.Entity_ActionProfileMember:
		return b.member(kind, e.ActionProfileMember)
	case *p4v1.Entity_ActionProfileGroup:
		return b.group(kind, e.ActionProfileGroup)
	case *p4v1.Entity_CounterEntry:
		return b.counter(kind, e.CounterEntry)
	case *p4v1.Entity_DirectCounterEntry:
		return b.directCounter(kind, e.DirectCounterEntry)
	case *p4v1.Entity_MeterEntry:
		return b.meter(kind, e.MeterEntry)
	case *p4v1.Entity_DirectMeterEntry:
		return b.directMeter(kind, e.DirectMeterEntry)
	case *p4v1.Entity_PacketReplicationEngineEntry:
		return b.replication(kind, e.PacketReplicationEngineEntry)
	case *p4v1.Entity_ValueSetEntry:
		return b.valueSet(kind, e.ValueSetEntry)
	case *p4v1.Entity_RegisterEntry:
		return b.register(kind, e.RegisterEntry)
	case *p4v1.Entity_DigestEntry:
		b.digests = append(b.digests, digestUpdate{b.now, kind, e.DigestEntry})
		return nil
	case nil:
		return invalid("the update has no entity, or one that this server does not know")
	default:
		return unimplemented("writing %T is not supported", e)
	}
}

// run carries out what can be carried out.
func (b *batch) run() {
	for _, d := range b.digests {
		if _, err := b.server.configureDigest(b.p, d.kind, d.entry); err != nil {
			b.outcomes[d.owner] = err
		}
	}
	if len(b.ops) == 0 {
		return
	}
	for i, err := range b.p.sw.Update(b.ops) {
		if err != nil && b.outcomes[b.owners[i]] == nil {
			b.outcomes[b.owners[i]] = fromEngine(err)
		}
	}
}

// runAtomic carries out everything or, when anything fails, nothing. Updates that have no error of
// their own are then ABORTED.
func (b *batch) runAtomic() {
	var undo []func()
	for _, d := range b.digests {
		u, err := b.server.configureDigest(b.p, d.kind, d.entry)
		if err != nil {
			b.outcomes[d.owner] = err
			continue
		}
		undo = append(undo, u)
	}
	if b.failed() < 0 && len(b.ops) > 0 {
		if i, err := b.p.sw.UpdateAtomic(b.ops); err != nil {
			b.outcomes[b.owners[i]] = fromEngine(err)
		}
	}
	first := b.failed()
	if first < 0 {
		return
	}
	for i := len(undo) - 1; i >= 0; i-- {
		undo[i]()
	}
	for i, err := range b.outcomes {
		if err == nil {
			b.outcomes[i] = status.Errorf(codes.Aborted, "not applied, because update %d failed", first)
		}
	}
}

// failed returns the first update that failed, or -1.
func (b *batch) failed() int {
	for i, err := range b.outcomes {
		if err != nil {
			return i
		}
	}
	return -1
}

// checkDataplane refuses a batch that packets may see halfway: tables, profiles, groups, sessions and
// value sets change at one instant, meters and registers one cell after the other.
func (b *batch) checkDataplane() error {
	if len(b.live) == 0 || len(b.ops) == 1 {
		return nil
	}
	return unimplemented("DATAPLANE_ATOMIC: update %d changes a meter or a register, which packets "+
		"may see before the rest of the batch; send it alone, or use ROLLBACK_ON_ERROR", b.live[0])
}
