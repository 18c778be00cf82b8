package directory

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

// node returns the id of the i-th test node.
func node(i int) kv.NodeID { return helloOf(i, true).ID }

// oneSubRange returns a settled cluster with a keyspace of one sub-range, the chain of which is
// nodes 0, 1, 2 in some order, and that sub-range.
func oneSubRange(t *testing.T, nodes int, switches ...string) (*Directory, SubRange) {
	t.Helper()
	d := newDirectory(t, 3)
	if len(switches) > 0 {
		d.cfg.Switches = switches
	}
	for i := range 3 {
		settleAll(t, d, must(t)(d.Hello(helloOf(i, true))))
	}
	k, e, err := d.CreateKeyspace(CreateKeyspace{Name: "a", Partitioner: kv.RangePartitioned,
		Durability: kv.DurabilitySync, Replication: 3, SubRanges: 1})
	settleAll(t, d, must(t)(e, err))
	for i := 3; i < nodes; i++ {
		settleAll(t, d, must(t)(d.Hello(helloOf(i, true))))
	}
	return d, d.SubRangesOf(k.ID)[0]
}

// must passes on the effects of a command that succeeds and leaves a valid directory.
func must(t *testing.T) func(Effects, error) Effects {
	return func(e Effects, err error) Effects {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
}

// settleAll plays obedient nodes, switches and system keyspace until nothing is owed.
func settleAll(t *testing.T, d *Directory, e Effects) {
	t.Helper()
	for range 20 {
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
		sends, publications := acksFor(e), e.Publications
		e = d.Acknowledged(sends)
		for _, name := range d.cfg.Switches {
			add(&e, d.SwitchSynced(name, d.Revision()))
		}
		for _, p := range publications {
			add(&e, d.Published(p))
		}
		if len(e.Sends)+len(e.Publications)+len(e.Changes) == 0 {
			return
		}
	}
	t.Fatal("directory does not settle")
}

func add(e *Effects, more Effects) {
	e.Changes = append(e.Changes, more.Changes...)
	e.Sends = append(e.Sends, more.Sends...)
	e.Publications = append(e.Publications, more.Publications...)
}

// refuses checks that a command is refused with a reason and changes nothing.
func refuses(t *testing.T, d *Directory, want error, command func() error) {
	t.Helper()
	before, revision := d.Snapshot(), d.Revision()
	if err := command(); !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if !reflect.DeepEqual(before, d.Snapshot()) || revision != d.Revision() {
		t.Fatalf("refused (%v), and yet something changed", want)
	}
}

// sub returns a sub-range as it is now.
func sub(t *testing.T, d *Directory, id kv.SubRangeID) SubRange {
	t.Helper()
	s, ok := d.SubRange(id)
	if !ok {
		t.Fatalf("%v is gone", id)
	}
	return s
}

// sentTo returns what a node is sent for a sub-range: the last assignment, and the revocations.
func sentTo(e Effects, n kv.NodeID, id kv.SubRangeID) (a *kv.Assignment, revoked []Revoke) {
	for _, s := range e.Sends {
		switch {
		case s.To != n:
		case s.Assign != nil && s.Assign.SubRange == id:
			a = s.Assign
		case s.Revoke != nil && s.Revoke.SubRange == id:
			revoked = append(revoked, *s.Revoke)
		}
	}
	return a, revoked
}

// ackAll answers all assignments of one sub-range.
func ackAll(d *Directory, e Effects, id kv.SubRangeID) Effects {
	return d.Acknowledged(slices.DeleteFunc(acksFor(e), func(a Ack) bool {
		return a.SubRange != id
	}))
}

func TestAnEvictedMemberErasesOnlyWhenTheOthersHoldEverything(t *testing.T) {
	d, s := oneSubRange(t, 3)
	gone := s.Chain[1]
	revision := d.Revision()
	e := must(t)(d.Evict(s.ID, []kv.NodeID{gone}))
	now := sub(t, d, s.ID)
	if now.Epoch != s.Epoch+1 || len(now.Acked) != 0 || !now.Created || d.Revision() == revision ||
		!slices.Equal(now.Chain, kv.Chain{s.Chain[0], s.Chain[2]}) || now.Blocked ||
		!slices.Equal(now.Since, []kv.Epoch{1, 1}) {
		t.Fatalf("%+v", now)
	}
	if a, r := sentTo(e, gone, s.ID); a != nil || r != nil || len(e.Sends) != 2 {
		t.Fatalf("the evicted one is sent %v and %v, all %d", a, r, len(e.Sends))
	}
	if a, _ := sentTo(e, s.Chain[0], s.ID); a == nil || a.Create || a.Since != 1 {
		t.Fatalf("a remaining member is sent %+v", a)
	}
	if e = ackAll(d, e, s.ID); len(e.Sends) != 0 || d.Settled(s.ID) {
		t.Fatalf("revoked while the switch sends to it: %+v", e.Sends)
	}
	e = d.SwitchSynced("s1", d.Revision())
	_, r := sentTo(e, gone, s.ID)
	if !slices.Equal(r, []Revoke{{s.ID, s.Epoch, true}}) || !d.Settled(s.ID) {
		t.Fatalf("healthy again: %+v", e)
	}
	if e = d.Acknowledged(acksFor(e)); sub(t, d, s.ID).Former != nil || len(e.Sends) != 0 {
		t.Fatalf("erased: %+v, %+v", sub(t, d, s.ID), e)
	}
}

func TestTheCopyOfAnEvictedMemberOutlivesASecondFailure(t *testing.T) {
	d, s := oneSubRange(t, 3)
	e := must(t)(d.Evict(s.ID, []kv.NodeID{s.Chain[0]}))
	e = d.Acknowledged(acksFor(e)[:1]) // and the other does not answer
	add(&e, d.SwitchSynced("s1", d.Revision()))
	if _, r := sentTo(e, s.Chain[0], s.ID); r != nil {
		t.Fatalf("told %v to erase while a member has not answered", r)
	}
	e = must(t)(d.Hello(helloOf(slices.Index([]kv.NodeID{node(0), node(1), node(2)}, s.Chain[0]),
		true)))
	if _, r := sentTo(e, s.Chain[0], s.ID); r != nil {
		t.Fatalf("told %v to erase because it said hello", r)
	}
	add(&e, must(t)(d.Evict(s.ID, []kv.NodeID{s.Chain[2]})))
	settleAll(t, d, e)
	if now := sub(t, d, s.ID); now.Former != nil || !d.Settled(s.ID) {
		t.Fatalf("%+v", now)
	}
}

func TestTheLastMemberStays(t *testing.T) {
	d, s := oneSubRange(t, 3)
	refuses(t, d, ErrNotFit, func() error { _, err := d.Evict(s.ID, s.Chain); return err })
	refuses(t, d, ErrInvalid, func() error { _, err := d.Evict(s.ID, nil); return err })
	refuses(t, d, ErrInvalid, func() error {
		_, err := d.Evict(s.ID, []kv.NodeID{node(9)})
		return err
	})
	refuses(t, d, ErrNotFound, func() error {
		_, err := d.Evict(60, []kv.NodeID{node(0)})
		return err
	})
}

func TestTheRemainingMembersGoOnCreating(t *testing.T) {
	d := cluster(t, 3, true)
	k, e, err := d.CreateKeyspace(CreateKeyspace{Name: "a", Partitioner: kv.RangePartitioned,
		Durability: kv.DurabilitySync, Replication: 3, SubRanges: 1})
	if err != nil {
		t.Fatal(err)
	}
	d.Acknowledged(acksFor(e)[:2])
	s := d.SubRangesOf(k.ID)[0]
	e = must(t)(d.Evict(s.ID, []kv.NodeID{s.Chain[2]}))
	for _, n := range s.Chain[:2] {
		if a, _ := sentTo(e, n, s.ID); a == nil || !a.Create || a.Since != 1 || a.Epoch != 2 {
			t.Fatalf("%v is sent %+v: it may not have begun yet", n, a)
		}
	}
	refuses(t, d, ErrNotReady, func() error { _, err := d.AddLearner(s.ID, node(2)); return err })
	d.Acknowledged(acksFor(e)[:1])
	if sub(t, d, s.ID).Created {
		t.Fatal("created, and a member has not begun")
	}
	e = d.Acknowledged(acksFor(e))
	if a, _ := sentTo(e, s.Chain[0], s.ID); !sub(t, d, s.ID).Created || a == nil || a.Create {
		t.Fatalf("%+v", a)
	}
	settleAll(t, d, e)
}

func TestALearnerJoinsAndBecomesTheTail(t *testing.T) {
	d, s := oneSubRange(t, 4)
	e := must(t)(d.AddLearner(s.ID, node(3)))
	a, _ := sentTo(e, node(3), s.ID)
	if len(e.Sends) != 4 || a == nil || a.Since != 2 || a.Learner != node(3) || a.Create ||
		!slices.Equal(a.Chain, s.Chain) {
		t.Fatalf("the learner is sent %+v", a)
	}
	if a, _ = sentTo(e, s.Chain[2], s.ID); a.Since != 1 || a.Learner != node(3) {
		t.Fatalf("the tail is sent %+v", a)
	}
	refuses(t, d, ErrBusy, func() error { _, err := d.Promote(s.ID, 0); return err })
	refuses(t, d, ErrBusy, func() error { _, err := d.AddLearner(s.ID, node(3)); return err })
	refuses(t, d, ErrBusy, func() error { _, err := d.Reorder(s.ID, s.Chain); return err })
	settleAll(t, d, e)
	e = must(t)(d.Evict(s.ID, []kv.NodeID{s.Chain[0]})) // the join goes on
	if now := sub(t, d, s.ID); now.Learner != node(3) || now.LearnerSince != 2 {
		t.Fatalf("%+v", now)
	}
	settleAll(t, d, e)
	e = must(t)(d.Promote(s.ID, s.Chain[1]))
	now := sub(t, d, s.ID)
	if !slices.Equal(now.Chain, kv.Chain{s.Chain[2], node(3)}) || now.Learner != 0 ||
		!slices.Equal(now.Since, []kv.Epoch{1, 2}) || now.Epoch != 4 {
		t.Fatalf("%+v", now)
	}
	if a, _ = sentTo(e, node(3), s.ID); a.Since != 2 {
		t.Fatalf("the new tail is sent %+v", a)
	}
	settleAll(t, d, e)
	e = must(t)(d.Reorder(s.ID, kv.Chain{node(3), s.Chain[2]}))
	if now = sub(t, d, s.ID); !slices.Equal(now.Since, []kv.Epoch{2, 1}) {
		t.Fatalf("reordered: %+v", now)
	}
	settleAll(t, d, e)
}

func TestALearnerIsNeverLeftAlone(t *testing.T) {
	d, s := oneSubRange(t, 4)
	settleAll(t, d, must(t)(d.Evict(s.ID, s.Chain[:2])))
	settleAll(t, d, must(t)(d.AddLearner(s.ID, node(3))))
	refuses(t, d, ErrNotFit, func() error { _, err := d.Promote(s.ID, s.Chain[2]); return err })
	refuses(t, d, ErrInvalid, func() error { _, err := d.Promote(s.ID, node(3)); return err })
	refuses(t, d, ErrNotFit, func() error { _, err := d.Evict(s.ID, s.Chain[2:]); return err })
	settleAll(t, d, must(t)(d.Promote(s.ID, 0)))
	settleAll(t, d, must(t)(d.Evict(s.ID, s.Chain[2:])))
}

func TestADroppedLearnerErases(t *testing.T) {
	d, s := oneSubRange(t, 4)
	settleAll(t, d, must(t)(d.AddLearner(s.ID, node(3))))
	e := must(t)(d.DropLearner(s.ID))
	now := sub(t, d, s.ID)
	if now.Learner != 0 || now.LearnerSince != 0 || !now.hasFormer(node(3)) || len(e.Sends) != 3 {
		t.Fatalf("%+v", now)
	}
	refuses(t, d, ErrInvalid, func() error { _, err := d.DropLearner(s.ID); return err })
	settleAll(t, d, e)
	if now = sub(t, d, s.ID); now.Former != nil {
		t.Fatalf("%+v", now)
	}
}

func TestAFormerMemberThatJoinsAgainIsNotToldToErase(t *testing.T) {
	d, s := oneSubRange(t, 3)
	back := s.Chain[1]
	e := must(t)(d.Evict(s.ID, []kv.NodeID{back}))
	add(&e, must(t)(d.AddLearner(s.ID, back)))
	if now := sub(t, d, s.ID); now.Former != nil || now.LearnerSince != 3 {
		t.Fatalf("%+v", now)
	}
	h := helloOf(int(back-node(0)), true)
	h.Held = []Held{{SubRange: s.ID, Epoch: 1}}
	add(&e, must(t)(d.Hello(h)))
	for range 3 {
		if _, r := sentTo(e, back, s.ID); r != nil {
			t.Fatalf("a learner is told %v", r)
		}
		e = d.Acknowledged(acksFor(e))
		add(&e, d.SwitchSynced("s1", d.Revision()))
	}
}

func TestALearnerMustFit(t *testing.T) {
	d, s := oneSubRange(t, 5)
	settleAll(t, d, must(t)(d.Hello(helloOf(5, false)))) // forgets
	must(t)(d.SetDraining(node(4), true))
	for want, n := range map[error]kv.NodeID{ErrNotFound: node(9), ErrNotFit: s.Chain[0]} {
		refuses(t, d, want, func() error { _, err := d.AddLearner(s.ID, n); return err })
	}
	refuses(t, d, ErrNotFit, func() error { _, err := d.AddLearner(s.ID, node(5)); return err })
	refuses(t, d, ErrNotFit, func() error { _, err := d.AddLearner(s.ID, node(4)); return err })
	must(t)(d.Hello(helloOf(4, true)))
	if n, _ := d.Node(node(4)); !n.Draining {
		t.Fatal("a hello ends draining")
	}
	must(t)(d.SetDraining(node(4), false))
	must(t)(d.AddLearner(s.ID, node(4)))
}

func TestNodesAreToldAtOnceWhenTheTailStays(t *testing.T) {
	d, s := oneSubRange(t, 4, "s1")
	e := must(t)(d.Evict(s.ID, []kv.NodeID{s.Chain[0]}))
	if len(e.Sends) != 2 || sub(t, d, s.ID).Untold {
		t.Fatalf("not told: %+v", e.Sends)
	}
}
