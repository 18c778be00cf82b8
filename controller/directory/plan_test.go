package directory

import (
	"testing"

	"github.com/turbokv/turbokv/kv"
)

func TestOnePlanPerSubRange(t *testing.T) {
	d, l, r := halves(t, 3)
	put := func(p Plan) func() error {
		return func() error { _, _, err := d.PutPlan(p); return err }
	}
	merge := Plan{Kind: PlanMerge, SubRange: l.ID, Other: r.ID, Cause: CauseOperator, Step: "a"}
	refuses(t, d, ErrNotFound, put(Plan{Kind: PlanMove, SubRange: 50, Cause: CauseDrain}))
	refuses(t, d, ErrInvalid, put(Plan{Kind: "dance", SubRange: l.ID, Cause: CauseDrain}))
	refuses(t, d, ErrInvalid, put(Plan{Kind: PlanMove, SubRange: l.ID, Cause: "boredom"}))
	refuses(t, d, ErrInvalid, put(Plan{Kind: PlanMerge, SubRange: l.ID, Other: 1,
		Cause: CauseDrain}))
	refuses(t, d, ErrNotFound, put(Plan{ID: 7, Kind: PlanMove, SubRange: l.ID, Cause: CauseDrain}))
	merge, _, err := d.PutPlan(merge)
	if err != nil || merge.ID != 1 {
		t.Fatalf("%+v, %v", merge, err)
	}
	for _, id := range []kv.SubRangeID{l.ID, r.ID} {
		refuses(t, d, ErrBusy, put(Plan{Kind: PlanMove, SubRange: id, Cause: CauseDrain}))
		if p, ok := d.PlanOf(id); !ok || p.ID != merge.ID {
			t.Fatalf("%v: %+v", id, p)
		}
	}
	merge.Step = "b"
	if again, _, err := d.PutPlan(merge); err != nil || again.ID != 1 {
		t.Fatalf("%+v, %v", again, err)
	}
	d, err = New(d.cfg, d.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := d.Plan(1); !ok || p.Step != "b" {
		t.Fatalf("after a restart: %+v", p)
	}
	d.DeletePlan(1)
	if next, _, err := d.PutPlan(Plan{Kind: PlanMove, SubRange: l.ID,
		Cause: CauseDrain}); err != nil || next.ID != 2 {
		t.Fatalf("%+v, %v: ids are never given twice", next, err)
	}
	if e := d.DeletePlan(1); len(e.Changes) != 0 {
		t.Fatalf("deleted twice: %+v", e)
	}
}

func TestForgettingANodeFreesWhatWaitsForIt(t *testing.T) {
	d, s := oneSubRange(t, 4)
	settleAll(t, d, must(t)(d.AddLearner(s.ID, node(3))))
	refuses(t, d, ErrBusy, func() error { _, err := d.Forget(node(3)); return err })
	d.Gone(node(3))
	refuses(t, d, ErrBusy, func() error { _, err := d.Forget(node(3)); return err })
	settleAll(t, d, must(t)(d.DropLearner(s.ID)))
	d.putSubRange(&Effects{}, addFormer(sub(t, d, s.ID), node(3)))
	revision := d.Revision()
	e := must(t)(d.Forget(node(3)))
	if _, known := d.Node(node(3)); known || sub(t, d, s.ID).Former != nil ||
		len(e.Changes) != 2 || d.Revision() == revision {
		t.Fatalf("%+v", e)
	}
	refuses(t, d, ErrNotFound, func() error { _, err := d.Forget(node(3)); return err })
	h := helloOf(3, true)
	h.Held = []Held{{SubRange: s.ID, Epoch: 2}}
	e = must(t)(d.Hello(h))
	if _, r := sentTo(e, node(3), s.ID); len(r) != 1 {
		t.Fatalf("back again, it is sent %+v", e.Sends)
	}
	settleAll(t, d, e)
}

func addFormer(s SubRange, n kv.NodeID) SubRange {
	s.Former = []Former{{Node: n, Epoch: s.Epoch - 1, Interval: s.Interval}}
	return s
}

// TestCheckFindsWhatIsWrong spoils a valid snapshot in one place at a time.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	valid := func() (Snapshot, *SubRange, *SubRange) {
		d, _, _ := halves(t, 4)
		s := d.Snapshot()
		return s, &s.SubRanges[1], &s.SubRanges[2]
	}
	for name, spoil := range map[string]func(s *Snapshot, l, r *SubRange){
		"gap":             func(_ *Snapshot, l, _ *SubRange) { l.Interval.Last[0]-- },
		"since too short": func(_ *Snapshot, l, _ *SubRange) { l.Since = l.Since[1:] },
		"since in future": func(_ *Snapshot, l, _ *SubRange) { l.Since[0] = l.Epoch + 1 },
		"since zero":      func(_ *Snapshot, l, _ *SubRange) { l.Since[0] = 0 },
		"learner a member": func(_ *Snapshot, l, _ *SubRange) {
			l.Learner, l.LearnerSince = l.Chain[0], 1
		},
		"learner unknown": func(_ *Snapshot, l, _ *SubRange) {
			l.Learner, l.LearnerSince = node(9), 1
		},
		"learner since 0":    func(_ *Snapshot, l, _ *SubRange) { l.Learner = node(3) },
		"since, no learner":  func(_ *Snapshot, l, _ *SubRange) { l.LearnerSince = 1 },
		"acked by a foreign": func(_ *Snapshot, l, _ *SubRange) { l.Acked = []kv.NodeID{node(3)} },
		"frozen alone":       func(_ *Snapshot, l, _ *SubRange) { l.Frozen = true },
		"partner not frozen": func(_ *Snapshot, l, r *SubRange) { l.Frozen, l.Partner = true, r.ID },
		"partner far": func(s *Snapshot, l, _ *SubRange) {
			o := &s.SubRanges[0]
			l.Frozen, l.Partner, o.Frozen, o.Partner = true, o.ID, true, l.ID
		},
		"frozen learner": func(_ *Snapshot, l, r *SubRange) {
			l.Frozen, l.Partner, r.Frozen, r.Partner = true, r.ID, true, l.ID
			l.Learner, l.LearnerSince = node(3), 1
		},
		"unforked of nothing": func(_ *Snapshot, _, r *SubRange) { r.Unforked = r.Chain[:1] },
		"fork by nobody":      func(_ *Snapshot, l, r *SubRange) { r.ForkOf = l.ID },
		"fork by a foreign": func(_ *Snapshot, l, r *SubRange) {
			r.ForkOf, r.Unforked = l.ID, []kv.NodeID{node(3)}
		},
		"fork of a foreign": func(_ *Snapshot, _, r *SubRange) {
			r.ForkOf, r.Unforked = 1, r.Chain[:1]
		},
		"absorbs what lives": func(_ *Snapshot, l, r *SubRange) {
			l.Absorbs = kv.Absorbed{SubRange: r.ID, Epoch: 1, Into: 1}
			l.Unabsorbed = l.Chain[:1]
		},
		"unabsorbed nothing": func(_ *Snapshot, l, _ *SubRange) { l.Unabsorbed = l.Chain[:1] },
		"former a member": func(_ *Snapshot, l, _ *SubRange) {
			l.Former = []Former{{l.Chain[0], 1, l.Interval}}
		},
		"former in future": func(_ *Snapshot, l, _ *SubRange) {
			l.Former = []Former{{node(3), l.Epoch, l.Interval}}
		},
		"former twice": func(_ *Snapshot, l, _ *SubRange) {
			l.Former = []Former{{node(3), 1, l.Interval}, {node(3), 1, l.Interval}}
		},
		"no home":            func(_ *Snapshot, l, _ *SubRange) { l.Stampers = []string{"s9"} },
		"two homes in one":   func(_ *Snapshot, l, _ *SubRange) { l.Stampers = []string{"s1", "s1"} },
		"tail that has left": func(_ *Snapshot, l, _ *SubRange) { l.Tails = []kv.NodeID{node(3)} },
		"tail that has heard": func(_ *Snapshot, l, _ *SubRange) {
			l.Acked, l.Tails = l.Chain, []kv.NodeID{l.Chain[0]}
		},
		"tail before it is created": func(_ *Snapshot, l, _ *SubRange) {
			l.Created, l.Acked, l.Tails = false, nil, []kv.NodeID{l.Chain[0]}
		},
		"blocked too early": func(_ *Snapshot, l, _ *SubRange) { l.Created, l.Blocked = false, true },
		"plan of nothing": func(s *Snapshot, _, _ *SubRange) {
			s.Meta.NextPlan, s.Plans = 2, []Plan{{ID: 1, Kind: PlanMove, SubRange: 9, Cause: CauseDrain}}
		},
		"two plans": func(s *Snapshot, l, r *SubRange) {
			s.Meta.NextPlan = 3
			s.Plans = []Plan{{ID: 1, Kind: PlanMove, SubRange: r.ID, Cause: CauseDrain},
				{ID: 2, Kind: PlanMerge, SubRange: l.ID, Other: r.ID, Cause: CauseDrain}}
		},
		"plan of tomorrow": func(s *Snapshot, l, _ *SubRange) {
			s.Plans = []Plan{{ID: 1, Kind: PlanMove, SubRange: l.ID, Cause: CauseDrain}}
		},
		"absorbed by nothing": func(s *Snapshot, _, _ *SubRange) {
			s.Meta.NextSubRange++
			s.Retired = []Retired{{ID: 4, Epoch: 1, Pending: []kv.NodeID{node(0)}, Into: 9}}
		},
	} {
		s, l, r := valid()
		cfg := Config{Limits: testLimits, Switches: []string{"s1"}}
		if _, err := New(cfg, s); err != nil {
			t.Fatal(err)
		}
		spoil(&s, l, r)
		if _, err := New(cfg, s); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
}
