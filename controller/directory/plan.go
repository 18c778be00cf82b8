package directory

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// PlanKind says what a plan is for. Its values are stored.
type PlanKind string

// The kinds.
const (
	PlanRepair  PlanKind = "repair"  // To joins, because a member was lost
	PlanMove    PlanKind = "move"    // To joins, and From leaves when it has
	PlanReorder PlanKind = "reorder" // the members change places, to those of Chain
	PlanSplit   PlanKind = "split"   // at Cut; Other is the new upper half, once there is one
	PlanMerge   PlanKind = "merge"   // SubRange absorbs its upper neighbour Other
)

var planKinds = []PlanKind{PlanRepair, PlanMove, PlanReorder, PlanSplit, PlanMerge}

// Cause says who wanted a plan. Its values are stored.
type Cause string

// The causes.
const (
	CauseFailure  Cause = "failure"
	CauseOperator Cause = "operator"
	CauseBalancer Cause = "balancer"
	CauseDrain    Cause = "drain"
	CauseSpread   Cause = "spread" // over racks
)

var causes = []Cause{CauseFailure, CauseOperator, CauseBalancer, CauseDrain, CauseSpread}

// Plan is a change of a sub-range that takes several commands. The directory only remembers it, so
// that a controller that starts again goes on with it; core knows what to do next.
type Plan struct {
	ID       uint64        `json:"id"` // never given twice
	Kind     PlanKind      `json:"kind"`
	SubRange kv.SubRangeID `json:"sub_range"`
	// Other is the second sub-range that must be left alone meanwhile: that is to be absorbed, or
	// was cut off. It is zero again when it has been absorbed.
	Other kv.SubRangeID `json:"other,omitempty"`
	From  kv.NodeID     `json:"from,omitempty"`
	To    kv.NodeID     `json:"to,omitempty"`
	Cut   kv.IndexKey   `json:"cut,omitzero"`
	Chain kv.Chain      `json:"chain,omitempty"`
	Step  string        `json:"step,omitempty"` // what is being waited for, in a word
	Why   string        `json:"why,omitempty"`  // in words
	// BeganUnixMS is the time of the controller's clock.
	BeganUnixMS int64 `json:"began_unix_ms,omitempty"`
	Cause       Cause `json:"cause"`
}

// PutPlan stores a plan, new if its ID is 0, and returns it with its ID. It refuses with ErrBusy
// when another plan is about one of its sub-ranges, and with ErrNotFound when there is no such
// sub-range or, for an ID, no such plan.
func (d *Directory) PutPlan(p Plan) (Plan, Effects, error) {
	p.Chain = slices.Clone(p.Chain)
	if _, known := d.plans.Get(p.ID); p.ID != 0 && !known {
		return p, Effects{}, fmt.Errorf("plan %d: %w", p.ID, ErrNotFound)
	}
	if err := d.checkPlan(p); err != nil {
		return p, Effects{}, err
	}
	s, _ := d.subRanges.Get(p.SubRange)
	if k, _ := d.keyspaces.Get(s.Keyspace); k.Phase == PhaseDropping {
		return p, Effects{}, fmt.Errorf("%s of %v: %w: keyspace %q is being dropped", p.Kind,
			p.SubRange, ErrNotFound, k.Name)
	}
	var e Effects
	if p.ID == 0 {
		p.ID = d.meta.NextPlan
		d.meta.NextPlan++
		d.putMeta(&e)
	}
	d.putPlan(&e, p)
	return p, e, nil
}

// DeletePlan forgets a plan that is done or given up. It is no error if there is none.
func (d *Directory) DeletePlan(id uint64) Effects {
	var e Effects
	if p, ok := d.plans.Get(id); ok {
		d.deletePlan(&e, p)
	}
	return e
}

// Plans returns all plans by ascending id, which is the order in which they began.
func (r records) Plans() []Plan { return r.plans.Values() }

// Plan returns one plan.
func (r records) Plan(id uint64) (Plan, bool) { return r.plans.Get(id) }

// PlanOf returns the plan that is about a sub-range.
func (r records) PlanOf(id kv.SubRangeID) (found Plan, ok bool) {
	r.plans.Scan(func(_ uint64, p Plan) bool {
		if p.SubRange == id || p.Other == id && id != 0 {
			found, ok = p, true
		}
		return !ok
	})
	return found, ok
}

// checkPlan proves that a plan is well formed and that no other is about the same sub-ranges.
func (r records) checkPlan(p Plan) error {
	if !slices.Contains(planKinds, p.Kind) || !slices.Contains(causes, p.Cause) {
		return fmt.Errorf("%w: plan of kind %q because of %q: must be one of %q because of one of %q",
			ErrInvalid, p.Kind, p.Cause, planKinds, causes)
	}
	s, ok := r.subRanges.Get(p.SubRange)
	if !ok {
		return fmt.Errorf("%s of %v: %w", p.Kind, p.SubRange, ErrNotFound)
	}
	if err := r.onlyPlan(p.SubRange, p.ID); err != nil || p.Other == 0 {
		return err
	}
	other, ok := r.subRanges.Get(p.Other)
	if !ok || other.Keyspace != s.Keyspace || other.ID == s.ID {
		return fmt.Errorf("%s of %v and %v: %w: must be two sub-ranges of the same keyspace", p.Kind,
			p.SubRange, p.Other, ErrInvalid)
	}
	return r.onlyPlan(p.Other, p.ID)
}

// onlyPlan returns an error if a plan but the given one is about a sub-range.
func (r records) onlyPlan(id kv.SubRangeID, but uint64) (err error) {
	r.plans.Scan(func(_ uint64, p Plan) bool {
		if p.ID != but && (p.SubRange == id || p.Other == id) {
			err = fmt.Errorf("%v: %w: plan %d (%s)", id, ErrBusy, p.ID, p.Kind)
		}
		return err == nil
	})
	return err
}

// deletePlansOf forgets the plans about the sub-ranges of a keyspace.
func (d *Directory) deletePlansOf(e *Effects, id kv.KeyspaceID) {
	for _, p := range d.Plans() {
		if s, ok := d.subRanges.Get(p.SubRange); ok && s.Keyspace == id {
			d.deletePlan(e, p)
		}
	}
}

// planWithout takes a sub-range that is absorbed out of the plan about it.
func (d *Directory) planWithout(e *Effects, id kv.SubRangeID) {
	p, ok := d.PlanOf(id)
	switch {
	case !ok:
	case p.SubRange == id:
		d.deletePlan(e, p)
	default:
		p.Other = 0
		d.putPlan(e, p)
	}
}
