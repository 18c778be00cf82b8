package controller

import (
	"context"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// command runs f in the loop and returns when its effects are stored.
func (a *adminService) command(ctx context.Context, f func() error) error {
	var refused error
	if err := a.loop.do(ctx, func() { refused = f() }); err != nil {
		return endOf(err)
	}
	if refused != nil {
		return status.Error(codeOf(refused), refused.Error())
	}
	return nil
}

// onNode runs a command about one node.
func (a *adminService) onNode(ctx context.Context, m *adminpb.NodeRequest,
	f func(kv.NodeID) error,
) (*adminpb.NodeResponse, error) {
	err := a.command(ctx, func() error { return f(kv.NodeID(m.GetNode())) })
	return &adminpb.NodeResponse{}, err
}

// Drain implements adminpb.AdminServer.
func (a *adminService) Drain(ctx context.Context, m *adminpb.NodeRequest,
) (*adminpb.NodeResponse, error) {
	return a.onNode(ctx, m, func(n kv.NodeID) error { return a.loop.core.Drain(a.loop.now(), n) })
}

// Admit implements adminpb.AdminServer.
func (a *adminService) Admit(ctx context.Context, m *adminpb.NodeRequest,
) (*adminpb.NodeResponse, error) {
	return a.onNode(ctx, m, func(n kv.NodeID) error { return a.loop.core.Admit(a.loop.now(), n) })
}

// Forget implements adminpb.AdminServer.
func (a *adminService) Forget(ctx context.Context, m *adminpb.NodeRequest,
) (*adminpb.NodeResponse, error) {
	return a.onNode(ctx, m, func(n kv.NodeID) error { return a.loop.core.Forget(a.loop.now(), n) })
}

// plan runs a command that begins a plan.
func (a *adminService) plan(ctx context.Context, f func() (directory.Plan, error),
) (*adminpb.Plan, error) {
	var p directory.Plan
	err := a.command(ctx, func() (err error) { p, err = f(); return err })
	if err != nil {
		return nil, err
	}
	return planMessage(p, 0), nil
}

// Move implements adminpb.AdminServer.
func (a *adminService) Move(ctx context.Context, m *adminpb.MoveRequest) (*adminpb.Plan, error) {
	return a.plan(ctx, func() (directory.Plan, error) {
		return a.loop.core.Move(a.loop.now(), kv.SubRangeID(m.GetSubRange()),
			kv.NodeID(m.GetFrom()), kv.NodeID(m.GetTo()))
	})
}

// Split implements adminpb.AdminServer.
func (a *adminService) Split(ctx context.Context, m *adminpb.SplitRequest) (*adminpb.Plan, error) {
	var at kv.IndexKey
	if n := len(m.GetAt()); n != 0 && n != len(at) {
		return nil, status.Errorf(codes.InvalidArgument,
			"split of sub-range %d: cut of %d bytes: must be %d, or none", m.GetSubRange(), n, len(at))
	}
	copy(at[:], m.GetAt())
	return a.plan(ctx, func() (directory.Plan, error) {
		return a.loop.core.Split(a.loop.now(), kv.SubRangeID(m.GetSubRange()), at)
	})
}

// Merge implements adminpb.AdminServer.
func (a *adminService) Merge(ctx context.Context, m *adminpb.MergeRequest) (*adminpb.Plan, error) {
	return a.plan(ctx, func() (directory.Plan, error) {
		return a.loop.core.Merge(a.loop.now(), kv.SubRangeID(m.GetSubRange()))
	})
}

// Rebalance implements adminpb.AdminServer.
func (a *adminService) Rebalance(ctx context.Context, m *adminpb.RebalanceRequest,
) (*adminpb.RebalanceResponse, error) {
	out := new(adminpb.RebalanceResponse)
	err := a.command(ctx, func() error {
		plans, reasons := a.loop.core.Rebalance(a.loop.now(), m.GetDryRun())
		for _, p := range plans {
			out.Plans = append(out.Plans, planMessage(p, 0))
		}
		out.Reasons = reasons
		return nil
	})
	return out, err
}
