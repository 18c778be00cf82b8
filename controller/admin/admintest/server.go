// Package admintest is an admin service in memory, for tests of what operators see: it shows the
// cluster that a test describes, begins plans without carrying them out, and remembers events.
package admintest

import (
	"context"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/kv"
)

// Server is the service. Its methods may be called at any time.
type Server struct {
	adminpb.UnimplementedAdminServer
	// Addr is where it listens, host:port.
	Addr string

	mu       sync.Mutex
	state    *adminpb.StatusResponse
	events   []*adminpb.Event
	news     chan struct{} // closed and replaced with every event
	proposed *adminpb.RebalanceResponse
	began    int64
}

// Start serves a cluster on a free port of the loopback interface until the test ends.
func Start(t testing.TB, cluster *adminpb.StatusResponse) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Addr: listener.Addr().String(), state: cluster, news: make(chan struct{}),
		proposed: &adminpb.RebalanceResponse{}, began: cluster.GetTimeUnixMs(),
	}
	g := grpc.NewServer()
	adminpb.RegisterAdminServer(g, s)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = g.Serve(listener) }()
	t.Cleanup(func() { g.Stop(); <-ended })
	return s
}

// Client returns a client of the service, which the test closes at its end.
func (s *Server) Client(t testing.TB) *admin.Client {
	t.Helper()
	c, err := admin.Dial(s.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Change lets f change the cluster.
func (s *Server) Change(f func(*adminpb.StatusResponse)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.state)
}

// Propose sets what Rebalance answers.
func (s *Server) Propose(r *adminpb.RebalanceResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proposed = r
}

// Tell adds an event. Its id and, if it has none, its time are set: a second after the one before.
func (s *Server) Tell(e *adminpb.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(e)
}

func (s *Server) tell(e *adminpb.Event) {
	e.Id = uint64(len(s.events) + 1)
	if e.TimeUnixMs == 0 {
		e.TimeUnixMs = s.began + int64(e.Id)*1000
	}
	s.events = append(s.events, e)
	close(s.news)
	s.news = make(chan struct{})
}

// ListKeyspaces implements adminpb.AdminServer.
func (s *Server) ListKeyspaces(
	context.Context, *adminpb.ListKeyspacesRequest,
) (*adminpb.ListKeyspacesResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &adminpb.ListKeyspacesResponse{Keyspaces: s.state.GetKeyspaces()}, nil
}

// Status implements adminpb.AdminServer.
func (s *Server) Status(
	context.Context, *adminpb.StatusRequest,
) (*adminpb.StatusResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return proto.CloneOf(s.state), nil
}

// Index implements adminpb.AdminServer.
func (s *Server) Index(context.Context, *adminpb.IndexRequest) (*adminpb.IndexResponse, error) {
	return Index(), nil
}

// Drain implements adminpb.AdminServer: the node is draining at once.
func (s *Server) Drain(
	_ context.Context, m *adminpb.NodeRequest,
) (*adminpb.NodeResponse, error) {
	return s.setState(m, "draining", "node draining")
}

// Admit implements adminpb.AdminServer.
func (s *Server) Admit(
	_ context.Context, m *adminpb.NodeRequest,
) (*adminpb.NodeResponse, error) {
	return s.setState(m, "alive", "node admitted")
}

func (s *Server) setState(
	m *adminpb.NodeRequest, state, kind string,
) (*adminpb.NodeResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.state.GetNodes() {
		if n.GetId() == m.GetNode() {
			n.State = state
			s.tell(&adminpb.Event{Kind: kind, Severity: admin.SeverityInfo, Node: n.GetId(),
				Text: kind + ": " + kv.NodeID(n.GetId()).String()})
			return &adminpb.NodeResponse{}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "node %v: not found", kv.NodeID(m.GetNode()))
}

// Forget implements adminpb.AdminServer.
func (s *Server) Forget(
	_ context.Context, m *adminpb.NodeRequest,
) (*adminpb.NodeResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range s.state.GetNodes() {
		switch {
		case n.GetId() != m.GetNode():
		case n.GetReplicas() > 0 || n.GetOnline():
			return nil, status.Errorf(codes.FailedPrecondition, "node %v: it is online, or carries "+
				"replicas: drain and stop it first", kv.NodeID(n.GetId()))
		default:
			s.state.Nodes = append(s.state.Nodes[:i:i], s.state.Nodes[i+1:]...)
			return &adminpb.NodeResponse{}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "node %v: not found", kv.NodeID(m.GetNode()))
}

// Move implements adminpb.AdminServer.
func (s *Server) Move(_ context.Context, m *adminpb.MoveRequest) (*adminpb.Plan, error) {
	return s.begin(&adminpb.Plan{
		Kind: admin.PlanMove, SubRange: m.GetSubRange(), From: m.GetFrom(), To: m.GetTo(), Step: "join",
	})
}

// Split implements adminpb.AdminServer.
func (s *Server) Split(_ context.Context, m *adminpb.SplitRequest) (*adminpb.Plan, error) {
	return s.begin(&adminpb.Plan{
		Kind: admin.PlanSplit, SubRange: m.GetSubRange(), Cut: m.GetAt(), Step: "fork",
	})
}

// Merge implements adminpb.AdminServer.
func (s *Server) Merge(_ context.Context, m *adminpb.MergeRequest) (*adminpb.Plan, error) {
	return s.begin(&adminpb.Plan{
		Kind: admin.PlanMerge, SubRange: m.GetSubRange(), Other: m.GetSubRange() + 1, Step: "freeze",
	})
}

func (s *Server) begin(p *adminpb.Plan) (*adminpb.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Id, p.Why, p.BeganUnixMs = uint64(len(s.state.Plans)+1), "asked for by an operator", s.began
	for _, r := range s.state.GetSubRanges() {
		if r.GetId() != p.GetSubRange() {
			continue
		}
		if r.GetPlan() != 0 {
			return nil, status.Errorf(codes.FailedPrecondition, "sub-range %d: plan %d changes it: wait "+
				"until it is done", r.GetId(), r.GetPlan())
		}
		r.Plan = p.Id
		s.state.Plans = append(s.state.Plans, p)
		return proto.CloneOf(p), nil
	}
	return nil, status.Errorf(codes.NotFound, "sub-range %d: not found", p.GetSubRange())
}

// Rebalance implements adminpb.AdminServer.
func (s *Server) Rebalance(
	_ context.Context, m *adminpb.RebalanceRequest,
) (*adminpb.RebalanceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := proto.CloneOf(s.proposed)
	if m.GetDryRun() {
		return out, nil
	}
	for _, p := range out.GetPlans() {
		p.Id = uint64(len(s.state.Plans) + 1)
		s.state.Plans = append(s.state.Plans, proto.CloneOf(p))
	}
	return out, nil
}

// Events implements adminpb.AdminServer.
func (s *Server) Events(
	m *adminpb.EventsRequest, stream grpc.ServerStreamingServer[adminpb.Event],
) error {
	for next := int(m.GetAfterId()); ; next++ {
		e := s.event(stream.Context(), next, m.GetFollow())
		if e == nil {
			return nil
		}
		if err := stream.Send(e); err != nil {
			return err
		}
	}
}

// event returns the event at an index, or nil when there is none and nobody waits for it.
func (s *Server) event(ctx context.Context, i int, wait bool) *adminpb.Event {
	for {
		s.mu.Lock()
		events, news := s.events, s.news
		s.mu.Unlock()
		if i < len(events) {
			return events[i]
		}
		if !wait {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil
		}
	}
}
