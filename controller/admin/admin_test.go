package admin_test

import (
	"context"
	"errors"
	"testing"

	"github.com/antihax/optional"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/admin/admintest"
	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/kv"
)

func TestStatusKeepsEveryField(t *testing.T) {
	cluster := admintest.Cluster()
	cluster.Plans = []*adminpb.Plan{{
		Id: 9, Kind: admin.PlanMove, SubRange: 2, From: admintest.Node(2), To: admintest.Node(5),
		Step: "join", Progress: 0.5, Why: "load", BeganUnixMs: cluster.GetTimeUnixMs(),
	}}
	cluster.SubRanges[1].Learner, cluster.SubRanges[1].Plan = admintest.Node(5), 9
	cluster.SubRanges[1].State, cluster.SubRanges[1].Why = "degraded", "a member is away"
	s, err := admintest.Start(t, cluster).Client(t).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Leader != "controller-1" || s.Term != 3 || s.JoinedBytes != 4096 || !s.Time.Equal(admintest.Began) {
		t.Errorf("leader %q, term %d at %v", s.Leader, s.Term, s.Time)
	}
	n := s.Nodes[0]
	if n.State != "alive" || n.Load != 1 || n.CPU != 0.25 || n.Bytes != 5<<20 || n.WriteRate == 0 {
		t.Errorf("node %+v", n)
	}
	r := s.SubRanges[1]
	if r.Learner != kv.NodeID(admintest.Node(5)) || r.Plan != 9 || r.Why != "a member is away" {
		t.Errorf("sub-range %+v", r)
	}
	want := admin.Plan{
		ID: 9, Kind: "move", SubRange: 2, From: kv.NodeID(admintest.Node(2)),
		To: kv.NodeID(admintest.Node(5)), Step: "join", Progress: 0.5, Why: "load",
		Began: admintest.Began.Local(),
	}
	if len(s.Plans) != 1 || s.Plans[0] != want {
		t.Errorf("plans %+v, want %+v", s.Plans, want)
	}
}

func TestPlansAreBegunWithTheirArguments(t *testing.T) {
	c, ctx := admintest.Start(t, admintest.Cluster()).Client(t), t.Context()
	move, err := c.Move(ctx, 2, &admin.MoveOpts{To: optional.NewUint32(admintest.Node(5))})
	if err != nil || move.To != kv.NodeID(admintest.Node(5)) || move.From != 0 || move.SubRange != 2 {
		t.Errorf("move: %+v, %v", move, err)
	}
	at := kv.IndexKey{0x20}
	split, err := c.Split(ctx, 3, &admin.SplitOpts{At: optional.NewInterface(at)})
	if err != nil || split.Cut != at || split.Kind != admin.PlanSplit {
		t.Errorf("split: %+v, %v", split, err)
	}
	if _, err := c.Split(ctx, 4, &admin.SplitOpts{At: optional.NewInterface("h")}); !errors.Is(err,
		admin.ErrInvalid) {
		t.Errorf("split at a string: %v", err)
	}
	if _, err := c.Merge(ctx, 3); !errors.Is(err, admin.ErrNotReady) {
		t.Errorf("merge of a sub-range that is being split: %v", err)
	}
	if _, err := c.Merge(ctx, 99); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("merge of nothing: %v", err)
	}
}

func TestEventsAfterAnIdAndOnwards(t *testing.T) {
	s := admintest.Start(t, admintest.Cluster())
	c := s.Client(t)
	for range 3 {
		s.Tell(&adminpb.Event{Kind: "node joined", Severity: admin.SeverityInfo, Text: "node joined"})
	}
	var ids []uint64
	for e, err := range c.Events(t.Context(), &admin.EventsOpts{After: optional.NewUint64(1)}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	if len(ids) != 2 || ids[0] != 2 || ids[1] != 3 {
		t.Fatalf("events %v, want 2 and 3", ids)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	last := error(nil)
	for e, err := range c.Events(ctx, &admin.EventsOpts{Follow: optional.NewBool(true)}) {
		last = err
		switch e.ID {
		case 3:
			s.Tell(&adminpb.Event{Kind: "node failed", Severity: admin.SeverityAlarm})
		case 4:
			if e.Severity != admin.SeverityAlarm || e.Time.IsZero() {
				t.Errorf("event %+v", e)
			}
			stop()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("following ended with %v, want %v", last, context.Canceled)
	}
}

func TestDrainAdmitForget(t *testing.T) {
	s := admintest.Start(t, admintest.Cluster())
	c, ctx, node := s.Client(t), t.Context(), kv.NodeID(admintest.Node(3))
	if err := errors.Join(c.Drain(ctx, node), c.Admit(ctx, node)); err != nil {
		t.Fatal(err)
	}
	if err := c.Forget(ctx, node); !errors.Is(err, admin.ErrNotReady) {
		t.Errorf("forget of a node at work: %v", err)
	}
	if err := c.Drain(ctx, 77); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("drain of nobody: %v", err)
	}
}
