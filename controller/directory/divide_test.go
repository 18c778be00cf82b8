package directory

import (
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

var middle = kv.IndexKey{0x80}

// halves splits the sub-range of oneSubRange in the middle and settles.
func halves(t *testing.T, nodes int, switches ...string) (d *Directory, l, r SubRange) {
	t.Helper()
	d, s := oneSubRange(t, nodes, switches...)
	upper, e, err := d.Split(s.ID, middle)
	settleAll(t, d, must(t)(e, err))
	return d, sub(t, d, s.ID), sub(t, d, upper)
}

func TestASplitReachesEachMemberInOneStep(t *testing.T) {
	d, s := oneSubRange(t, 4)
	upper, e, err := d.Split(s.ID, middle)
	if err != nil {
		t.Fatal(err)
	}
	l, r := sub(t, d, s.ID), sub(t, d, upper)
	if l.Epoch != 2 || r.Epoch != 1 || !r.Created || l.Interval.Contains(middle) ||
		r.Interval.First != middle || !slices.Equal(l.Chain, r.Chain) || len(e.Sends) != 3 {
		t.Fatalf("%+v\n%+v\n%d sends", l, r, len(e.Sends))
	}
	first := s.Chain[0]
	a, _ := sentTo(e, first, s.ID)
	if len(a.Forks) != 1 || a.Forks[0].SubRange != upper || a.Forks[0].Create || a.Create ||
		a.Forks[0].Since != 1 || a.Validate() != nil {
		t.Fatalf("%+v", a)
	}
	for _, id := range []kv.SubRangeID{s.ID, upper} {
		refuses(t, d, ErrBusy, func() error { _, err := d.AddLearner(id, node(3)); return err })
		refuses(t, d, ErrBusy, func() error { _, _, err := d.Split(id, middle); return err })
	}
	e = ackAll(d, Effects{Sends: e.Sends[:1]}, s.ID)
	if a, _ = sentTo(e, e.Sends[0].To, upper); a == nil || len(e.Sends) != 1 {
		t.Fatalf("who has made the fork is sent %+v", e.Sends)
	}
	if now := sub(t, d, upper); len(now.Unforked) != 2 || now.ForkOf != s.ID {
		t.Fatalf("%+v", now)
	}
	settleAll(t, d, helloAll(t, d))
	if now := sub(t, d, upper); now.Unforked != nil || now.ForkOf != 0 || !d.Settled(upper) {
		t.Fatalf("%+v", now)
	}
	must(t)(d.AddLearner(upper, node(3)))
}

// helloAll lets all known nodes reconnect.
func helloAll(t *testing.T, d *Directory) (all Effects) {
	t.Helper()
	for _, n := range d.Nodes() {
		add(&all, must(t)(d.Hello(Hello{Node: n, ClusterID: "c"})))
	}
	return all
}

func TestAHelloRepeatsTheForkUntilItIsAcknowledged(t *testing.T) {
	d, s := oneSubRange(t, 3)
	upper, _, err := d.Split(s.ID, middle)
	if err != nil {
		t.Fatal(err)
	}
	if d, err = New(d.cfg, d.Snapshot()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		e := must(t)(d.Hello(helloOf(0, true)))
		if a, _ := sentTo(e, node(0), s.ID); len(a.Forks) != 1 {
			t.Fatalf("%+v", a)
		}
		if a, _ := sentTo(e, node(0), upper); a != nil {
			t.Fatalf("sent alone, it would be lost: %+v", a)
		}
	}
	d.Acknowledged([]Ack{{Node: node(0), SubRange: s.ID, Epoch: 2}})
	e := must(t)(d.Hello(helloOf(0, true)))
	if a, _ := sentTo(e, node(0), s.ID); len(a.Forks) != 0 {
		t.Fatalf("repeated to one that has made it: %+v", a)
	}
	if a, ok := d.Assignment(upper, node(0)); !ok || a.SubRange != upper {
		t.Fatalf("%+v", a)
	}
	if _, ok := d.Assignment(upper, node(1)); ok {
		t.Fatal("another has not made it")
	}
}

func TestAMemberThatHasNotForkedLeavesBothParts(t *testing.T) {
	for _, byUpper := range []bool{false, true} {
		d, s := oneSubRange(t, 3)
		upper, e, err := d.Split(s.ID, middle)
		if err != nil {
			t.Fatal(err)
		}
		late := s.Chain[1]
		for _, a := range acksFor(e) {
			if a.Node != late {
				d.Acknowledged([]Ack{a})
			}
		}
		from := s.ID
		if byUpper {
			from = upper
		}
		e = must(t)(d.Evict(from, []kv.NodeID{late}))
		for _, id := range []kv.SubRangeID{s.ID, upper} {
			now := sub(t, d, id)
			if now.Chain.Position(late) >= 0 || len(now.Unforked) > 0 || now.ForkOf != 0 ||
				now.Former[0].Interval != kv.FullInterval {
				t.Fatalf("%+v", now)
			}
		}
		e = ackAll(d, e, s.ID)
		add(&e, d.SwitchSynced("s1", d.Revision()))
		if _, r := sentTo(e, late, s.ID); r != nil {
			t.Fatal("its copy is the last resort of the upper part too")
		}
		settleAll(t, d, helloAll(t, d))
		if sub(t, d, s.ID).Former != nil || sub(t, d, upper).Former != nil {
			t.Fatalf("%+v", d.SubRanges())
		}
	}
}

func TestAnUnforkedMemberStaysIfItIsTheLastOfTheUpperPart(t *testing.T) {
	d, s := oneSubRange(t, 3)
	settleAll(t, d, must(t)(d.Evict(s.ID, s.Chain[:1])))
	upper, e, err := d.Split(s.ID, middle)
	if err != nil {
		t.Fatal(err)
	}
	first := s.Chain[1]
	for _, a := range acksFor(e) {
		if a.Node == first {
			d.Acknowledged([]Ack{a})
		}
	}
	must(t)(d.Evict(upper, []kv.NodeID{first}))
	refuses(t, d, ErrNotFit, func() error { _, err := d.Evict(s.ID, s.Chain[2:]); return err })
}

func TestSplitsHaveLimits(t *testing.T) {
	d, s := oneSubRange(t, 3)
	refuses(t, d, ErrInvalid, func() error {
		_, _, err := d.Split(s.ID, kv.MinIndexKey)
		return err
	})
	refuses(t, d, ErrNotFound, func() error { _, _, err := d.Split(50, middle); return err })
	ragged := kv.IndexKey{0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}
	d.cfg.Limits.PartitionEntries = d.PartitionEntries() + SplitCost(s.Interval, ragged) - 1
	refuses(t, d, ErrCapacity, func() error { _, _, err := d.Split(s.ID, ragged); return err })
	d.cfg.Limits.PartitionEntries++
	d.cfg.Limits.SubRanges = int(d.meta.NextSubRange)
	refuses(t, d, ErrCapacity, func() error { _, _, err := d.Split(s.ID, ragged); return err })
	d.cfg.Limits.SubRanges++
	d.SwitchLost("s1")
	refuses(t, d, ErrBusy, func() error { _, _, err := d.Split(s.ID, ragged); return err })
	d.SwitchSynced("s1", d.Revision())
	_, e, err := d.Split(s.ID, ragged)
	settleAll(t, d, must(t)(e, err))
	upper := d.SubRangesOf(s.Keyspace)[1].Interval
	if cost := SplitCost(upper, upper.Last); cost < 0 {
		t.Fatalf("cost of the last possible cut: %d", cost)
	}
}

func TestAMergeGivesTheIDBackAtAHigherEpoch(t *testing.T) {
	d, l, r := halves(t, 4)
	plan, _, err := d.PutPlan(Plan{Kind: PlanMerge, SubRange: l.ID, Other: r.ID,
		Cause: CauseBalancer})
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, d, ErrInvalid, func() error { _, err := d.Freeze(r.ID, l.ID); return err })
	refuses(t, d, ErrInvalid, func() error { _, err := d.Absorb(l.ID, r.ID); return err })
	e := must(t)(d.Freeze(l.ID, r.ID))
	if a, _ := sentTo(e, l.Chain[0], r.ID); !a.Frozen || len(e.Sends) != 6 {
		t.Fatalf("%+v", a)
	}
	refuses(t, d, ErrBusy, func() error { _, err := d.AddLearner(l.ID, node(3)); return err })
	refuses(t, d, ErrBusy, func() error { _, err := d.Absorb(l.ID, r.ID); return err })
	settleAll(t, d, e)
	e = must(t)(d.Absorb(l.ID, r.ID))
	now := sub(t, d, l.ID)
	want := kv.Absorbed{SubRange: r.ID, Epoch: 2, Into: l.Epoch + 1}
	a, _ := sentTo(e, l.Chain[0], l.ID)
	if now.Interval != kv.FullInterval || now.Absorbs != want || now.Frozen ||
		a.Absorb != want || a.Validate() != nil || len(e.Sends) != 3 {
		t.Fatalf("%+v\n%+v", now, a)
	}
	if p, _ := d.Plan(plan.ID); p.Other != 0 {
		t.Fatalf("%+v", p)
	}
	add(&e, d.SwitchSynced("s1", d.Revision()))
	for _, n := range l.Chain {
		if _, revoked := sentTo(e, n, r.ID); revoked != nil {
			t.Fatalf("%v is to erase what it has not absorbed", n)
		}
	}
	e = d.Acknowledged(acksFor(Effects{Sends: e.Sends[:1]}))
	if gone, _ := d.retired.Get(r.ID); len(gone.Pending) != 2 || gone.Into != l.ID {
		t.Fatalf("%+v", gone)
	}
	e = must(t)(d.Hello(helloOf(int(l.Chain[2]-node(0)), true)))
	if a, _ = sentTo(e, l.Chain[2], l.ID); a.Absorb != want {
		t.Fatalf("a hello is answered with %+v", a)
	}
	settleAll(t, d, helloAll(t, d))
	if gone, _ := d.retired.Get(r.ID); gone.Pending != nil || gone.Into != 0 {
		t.Fatalf("%+v", gone)
	}
	if now = sub(t, d, l.ID); now.Absorbs != (kv.Absorbed{}) || now.Unabsorbed != nil {
		t.Fatalf("%+v", now)
	}
	d.cfg.Limits.SubRanges = int(d.meta.NextSubRange)
	if again, _, err := d.Split(l.ID, middle); err != nil || again != r.ID ||
		sub(t, d, again).Epoch != 3 || sub(t, d, again).Since[0] != 3 {
		t.Fatalf("%v: %+v, %v", again, sub(t, d, again), err)
	}
}

func TestOneWhoLeavesBeforeItHasAbsorbedErasesBothLater(t *testing.T) {
	d, l, r := halves(t, 3)
	settleAll(t, d, must(t)(d.Freeze(l.ID, r.ID)))
	late := l.Chain[2]
	e := must(t)(d.Absorb(l.ID, r.ID))
	for _, a := range acksFor(e)[:2] {
		d.Acknowledged([]Ack{a})
	}
	e = must(t)(d.Evict(l.ID, []kv.NodeID{late}))
	now := sub(t, d, l.ID)
	if !now.Blocked || now.Unabsorbed != nil || now.Absorbs != (kv.Absorbed{}) {
		t.Fatalf("the switch may still hold rows of the absorbed one, with %v: %+v", late, now)
	}
	e = d.SwitchSynced("s1", d.Revision()) // the others are told: it was the tail
	add(&e, d.Acknowledged(acksFor(e)))
	for _, id := range []kv.SubRangeID{l.ID, r.ID} {
		if _, revoked := sentTo(e, late, id); revoked != nil {
			t.Fatalf("told to erase %v while requests are kept away", id)
		}
	}
	refuses(t, d, ErrBusy, func() error { _, err := d.AddLearner(l.ID, late); return err })
	e = d.SwitchSynced("s1", d.Revision())
	for _, id := range []kv.SubRangeID{l.ID, r.ID} {
		if _, revoked := sentTo(e, late, id); len(revoked) != 1 {
			t.Fatalf("not told to erase %v: %+v", id, e.Sends)
		}
	}
	settleAll(t, d, e)
	must(t)(d.AddLearner(l.ID, late))
}

func TestAMergeIsGivenUp(t *testing.T) {
	d, l, r := halves(t, 3)
	settleAll(t, d, must(t)(d.Freeze(l.ID, r.ID)))
	settleAll(t, d, must(t)(d.Evict(r.ID, r.Chain[:1])))
	refuses(t, d, ErrNotFit, func() error { _, err := d.Absorb(l.ID, r.ID); return err })
	refuses(t, d, ErrInvalid, func() error { _, err := d.Thaw(r.ID, l.ID); return err })
	e := must(t)(d.Thaw(l.ID, r.ID))
	if a, _ := sentTo(e, l.Chain[1], l.ID); a.Frozen || len(e.Sends) != 5 {
		t.Fatalf("%+v", e.Sends)
	}
	settleAll(t, d, e)
	refuses(t, d, ErrNotFit, func() error { _, err := d.Freeze(l.ID, r.ID); return err })
	if l = sub(t, d, l.ID); l.Frozen || l.Partner != 0 {
		t.Fatalf("%+v", l)
	}
}

func TestBothHalvesOfAMergeCanLoseTheSameMember(t *testing.T) {
	d, l, r := halves(t, 3)
	settleAll(t, d, must(t)(d.Freeze(l.ID, r.ID)))
	settleAll(t, d, must(t)(d.Evict(l.ID, l.Chain[:1])))
	settleAll(t, d, must(t)(d.Evict(r.ID, r.Chain[:1])))
	settleAll(t, d, must(t)(d.Absorb(l.ID, r.ID)))
	if now := sub(t, d, l.ID); now.Interval != kv.FullInterval || len(now.Chain) != 2 {
		t.Fatalf("%+v", now)
	}
}

// TestDropAtAnyMoment drops a keyspace in the middle of everything that takes several steps.
func TestDropAtAnyMoment(t *testing.T) {
	for name, begin := range map[string]func(d *Directory, l, r SubRange) error{
		"join": func(d *Directory, l, r SubRange) error {
			_, err := d.AddLearner(l.ID, node(3))
			return err
		},
		"split": func(d *Directory, l, r SubRange) error {
			_, _, err := d.Split(l.ID, kv.IndexKey{9})
			return err
		},
		"freeze": func(d *Directory, l, r SubRange) error {
			_, err := d.Freeze(l.ID, r.ID)
			return err
		},
		"evict": func(d *Directory, l, r SubRange) error {
			_, err := d.Evict(l.ID, l.Chain[:1])
			return err
		},
		"absorb": func(d *Directory, l, r SubRange) error {
			e, _ := d.Freeze(l.ID, r.ID)
			d.Acknowledged(acksFor(e))
			for _, name := range d.cfg.Switches {
				d.SwitchSynced(name, d.Revision())
			}
			_, err := d.Absorb(l.ID, r.ID)
			return err
		},
	} {
		for _, switches := range [][]string{{"s1"}, {"s1", "s2"}} {
			d, l, r := halves(t, 4, switches...)
			if _, _, err := d.PutPlan(Plan{Kind: PlanMove, SubRange: l.ID,
				Cause: CauseOperator}); err != nil {
				t.Fatal(err)
			}
			if err := begin(d, l, r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			e := must(t)(d.DropKeyspace("a"))
			if len(d.Plans()) != 0 {
				t.Fatalf("%s: the plan is still there", name)
			}
			if _, _, err := d.PutPlan(Plan{Kind: PlanMove, SubRange: l.ID,
				Cause: CauseOperator}); err == nil {
				t.Fatalf("%s: a plan for what is being dropped", name)
			}
			settleAll(t, d, e)
			var err error
			if d, err = New(d.cfg, d.Snapshot()); err != nil {
				t.Fatal(err)
			}
			settleAll(t, d, helloAll(t, d))
			for _, gone := range d.Snapshot().Retired {
				if gone.Pending != nil || gone.Into != 0 {
					t.Fatalf("%s: %+v", name, gone)
				}
			}
			if len(d.SubRanges()) != 1 {
				t.Fatalf("%s: %+v", name, d.SubRanges())
			}
		}
	}
}

func TestALateAnswerDoesNotConfirmALaterRevocation(t *testing.T) {
	d, s := oneSubRange(t, 4)
	settle := func(e Effects) { settleAll(t, d, e) }
	must(t)(d.AddLearner(s.ID, node(3)))
	must(t)(d.DropLearner(s.ID)) // until epoch 2
	late := Ack{Node: node(3), SubRange: s.ID, Epoch: 2, Revoke: true}
	must(t)(d.AddLearner(s.ID, node(3)))
	d.Acknowledged([]Ack{late})
	if sub(t, d, s.ID).Learner != node(3) {
		t.Fatal("a learner was taken out by a late answer")
	}
	must(t)(d.DropLearner(s.ID)) // until epoch 4
	d.Acknowledged([]Ack{late})
	if !sub(t, d, s.ID).hasFormer(node(3)) {
		t.Fatal("a late answer counts for a revocation that is not sent yet")
	}
	settle(helloAll(t, d))
	if sub(t, d, s.ID).Former != nil {
		t.Fatal("not confirmed")
	}
}
