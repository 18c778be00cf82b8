package controller

import (
	"context"
	"errors"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// adminService answers operators.
type adminService struct {
	adminpb.UnimplementedAdminServer
	loop     *loop
	switches []Switch
	name     string // of this controller, which leads
	term     uint64
}

// CreateKeyspace implements adminpb.AdminServer.
func (a *adminService) CreateKeyspace(ctx context.Context, m *adminpb.CreateKeyspaceRequest,
) (*adminpb.Keyspace, error) {
	command, err := commandOf(m)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	var refused error
	var id kv.KeyspaceID
	err = a.loop.do(ctx, func() {
		var k directory.Keyspace
		k, refused = a.loop.core.CreateKeyspace(a.loop.now(), command)
		id = k.ID
	})
	if err != nil {
		return nil, endOf(err)
	}
	if refused != nil {
		return nil, status.Error(codeOf(refused), refused.Error())
	}
	var ready directory.Keyspace
	err = a.await(ctx, func(v directory.View) bool {
		k, exists := v.Keyspace(id)
		ready = k
		return !exists || k.Phase != directory.PhaseCreating
	})
	if err != nil {
		return nil, err
	}
	view, _ := a.loop.current()
	return keyspaceMessage(view, ready), nil
}

func commandOf(m *adminpb.CreateKeyspaceRequest) (directory.CreateKeyspace, error) {
	c := directory.CreateKeyspace{
		Name: m.GetName(), Partitioner: kv.Partitioner(m.GetPartitioner()),
		Durability: kv.Durability(m.GetDurability()), Replication: int(m.GetReplication()),
		SubRanges: int(m.GetSubRanges()),
	}
	if m.GetPartitioner() > 255 || m.GetDurability() > 255 {
		return c, status.Errorf(codes.InvalidArgument,
			"keyspace %q: partitioner %d, durability %d: "+
				"no such values", c.Name, m.GetPartitioner(), m.GetDurability())
	}
	for _, cut := range m.GetCuts() {
		var k kv.IndexKey
		if copy(k[:], cut) != len(k) || len(cut) != len(k) {
			return c, status.Errorf(codes.InvalidArgument,
				"keyspace %q: cut of %d bytes: must be %d",
				c.Name, len(cut), len(k))
		}
		c.Cuts = append(c.Cuts, k)
	}
	return c, nil
}

// await returns when the condition holds for a View.
func (a *adminService) await(ctx context.Context, holds func(directory.View) bool) error {
	for {
		view, newer := a.loop.current()
		if holds(view) {
			return nil
		}
		select {
		case <-newer:
		case <-a.loop.ended:
			return status.Error(codes.Unavailable, errStopped.Error())
		case <-ctx.Done():
			return endOf(ctx.Err())
		}
	}
}

// endOf maps the end of a context, or of the controller, to gRPC.
func endOf(err error) error {
	switch err {
	case context.DeadlineExceeded:
		return status.Error(codes.DeadlineExceeded, "the controller goes on with it: see status")
	case context.Canceled:
		return status.Error(codes.Canceled, err.Error())
	}
	return status.Error(codes.Unavailable, err.Error())
}

// ListKeyspaces implements adminpb.AdminServer.
func (a *adminService) ListKeyspaces(context.Context, *adminpb.ListKeyspacesRequest,
) (*adminpb.ListKeyspacesResponse, error) {
	view, _ := a.loop.current()
	return &adminpb.ListKeyspacesResponse{Keyspaces: keyspaceMessages(view)}, nil
}

// DropKeyspace implements adminpb.AdminServer.
func (a *adminService) DropKeyspace(ctx context.Context, m *adminpb.DropKeyspaceRequest,
) (*adminpb.DropKeyspaceResponse, error) {
	var refused error
	var id kv.KeyspaceID
	err := a.loop.do(ctx, func() {
		k, _ := a.loop.core.View().KeyspaceNamed(m.GetName())
		id = k.ID
		refused = a.loop.core.DropKeyspace(a.loop.now(), m.GetName())
	})
	if err != nil {
		return nil, endOf(err)
	}
	if refused != nil {
		return nil, status.Error(codeOf(refused), refused.Error())
	}
	err = a.await(ctx, func(v directory.View) bool {
		k, exists := v.Keyspace(id)
		return !exists || k.Name != m.GetName()
	})
	return &adminpb.DropKeyspaceResponse{}, err
}

// Status implements adminpb.AdminServer.
func (a *adminService) Status(ctx context.Context, _ *adminpb.StatusRequest,
) (*adminpb.StatusResponse, error) {
	var out *adminpb.StatusResponse
	if err := a.loop.do(ctx, func() { out = a.status() }); err != nil {
		return nil, endOf(err)
	}
	return out, nil
}

// Events implements adminpb.AdminServer.
func (a *adminService) Events(m *adminpb.EventsRequest, out grpc.ServerStreamingServer[adminpb.Event],
) error {
	err := a.loop.journal.stream(out.Context(), a.loop.ended, m, func(e entry) error {
		return out.Send(e.message())
	})
	if errors.Is(err, errStopped) {
		return status.Error(codes.Unavailable, err.Error())
	}
	return err
}

// message is the event as operators are told it.
func (e entry) message() *adminpb.Event {
	return &adminpb.Event{
		Id: e.id, TimeUnixMs: e.at.UnixMilli(), Kind: string(e.Kind), Node: uint32(e.Node),
		SwitchName: e.Switch, Keyspace: e.Keyspace, SubRange: uint32(e.SubRange), Plan: e.Plan,
		Text: e.String(), Severity: e.Severity.String(),
	}
}

func keyspaceMessages(v directory.View) (out []*adminpb.Keyspace) {
	for _, k := range v.Keyspaces() {
		out = append(out, keyspaceMessage(v, k))
	}
	return out
}

func keyspaceMessage(v directory.View, k directory.Keyspace) *adminpb.Keyspace {
	return &adminpb.Keyspace{
		Id: uint32(k.ID), Name: k.Name, Partitioner: uint32(k.Partitioner),
		Durability: uint32(k.Durability), Replication: uint32(k.Replication),
		SubRanges: uint32(len(v.SubRangesOf(k.ID))), Phase: k.Phase.String(),
	}
}
