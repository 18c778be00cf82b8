package storagenode

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// session is one session as the fake controller sees it.
type session struct {
	hello *controlpb.Hello
	send  chan *controlpb.ControllerMessage
	got   chan *controlpb.NodeMessage
	end   chan error // what the controller ends the session with
}

// fakeController accepts sessions and lets the test speak in them.
type fakeController struct {
	controlpb.UnimplementedNodeControlServer
	cluster  string
	report   uint32 // intervals of the Welcome, in milliseconds
	beat     uint32
	sessions chan *session
	dial     func(context.Context) (net.Conn, error)
}

// Session implements controlpb.NodeControlServer.
func (f *fakeController) Session(stream controlpb.NodeControl_SessionServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	s := &session{
		hello: first.GetHello(), send: make(chan *controlpb.ControllerMessage),
		got: make(chan *controlpb.NodeMessage, 1024), end: make(chan error),
	}
	f.sessions <- s
	err = stream.Send(&controlpb.ControllerMessage{Body: &controlpb.ControllerMessage_Welcome{
		Welcome: &controlpb.Welcome{
			ClusterId: f.cluster, ReportIntervalMs: f.report, BeatIntervalMs: f.beat,
		},
	}})
	if err != nil {
		return err
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			msg, err := stream.Recv()
			if err != nil {
				return
			}
			select {
			case s.got <- msg:
			default: // the test does not look at reports any more
			}
		}
	})
	for {
		select {
		case msg := <-s.send:
			if err := stream.Send(msg); err != nil {
				return err
			}
		case err := <-s.end:
			return err
		case <-stream.Context().Done():
			reader.Wait()
			return stream.Context().Err()
		}
	}
}

// startController serves a fake controller until the test ends, and returns how to reach it.
func startController(t *testing.T, cluster string) (*fakeController, Control) {
	t.Helper()
	f := &fakeController{cluster: cluster, report: 5, sessions: make(chan *session, 1)}
	listener := bufconn.Listen(1 << 16)
	f.dial = listener.DialContext
	server := grpc.NewServer()
	controlpb.RegisterNodeControlServer(server, f)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return f, Control{
		Target: "passthrough:controller",
		DialOptions: []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
				return f.dial(ctx)
			}),
		},
		MAC: wire.MAC{2, 0, 0, 0, 0, 1}, Switch: "s1", Port: 3,
	}
}

// ack returns the next Ack of a session.
func (s *session) ack(t *testing.T) *controlpb.Ack {
	t.Helper()
	for {
		select {
		case msg := <-s.got:
			if a := msg.GetAck(); a != nil {
				return a
			}
		case <-t.Context().Done():
			t.Fatal("no Ack")
		}
	}
}

// report returns the next report that satisfies ok.
func (s *session) report(t *testing.T, ok func(*controlpb.Report) bool) *controlpb.Report {
	t.Helper()
	for {
		select {
		case msg := <-s.got:
			if r := msg.GetReport(); r != nil && ok(r) {
				return r
			}
		case <-t.Context().Done():
			t.Fatal("no such Report")
		}
	}
}

func assignMessage(a kv.Assignment) *controlpb.ControllerMessage {
	return &controlpb.ControllerMessage{Body: &controlpb.ControllerMessage_Assign{
		Assign: controlpb.FromAssignment(a),
	}}
}

func revokeMessage(id kv.SubRangeID, e kv.Epoch) *controlpb.ControllerMessage {
	return &controlpb.ControllerMessage{Body: &controlpb.ControllerMessage_Revoke{
		Revoke: &controlpb.Revoke{SubRange: uint32(id), Epoch: uint32(e)},
	}}
}

func TestSessionCarriesOutOrdersAndReports(t *testing.T) {
	controller, control := startController(t, "c1")
	network := transport.NewNetwork()
	n := startNode(t, Config{
		Conn: listen(t, network, nodeAddr(1)), DataDir: t.TempDir(), Control: control,
	})
	s := <-controller.sessions
	if h := s.hello; kv.NodeID(h.Node) != n.ID() || h.SwitchPort != 3 || h.SwitchName != "s1" ||
		!h.Persistent || h.Incarnation != n.Incarnation() || len(h.Mac) != 6 || len(h.Held) != 0 {
		t.Errorf("hello: %v", h)
	}

	a := wholeLine(kv.DurabilitySync, nodeAddr(1))
	s.send <- assignMessage(a)
	if got := s.ack(t); got.SubRange != 7 || got.Epoch != 1 || got.Revoke || got.Error != "" {
		t.Errorf("ack of assign: %v", got)
	}
	s.report(t, func(r *controlpb.Report) bool {
		return len(r.SubRanges) == 1 && r.SubRanges[0].Epoch == 1 &&
			r.SubRanges[0].Role == controlpb.Role_ROLE_SINGLE && !r.SubRanges[0].Recovering
	})

	foreign := a
	foreign.SubRange, foreign.Chain = 8, kv.Chain{kv.NodeIDOf(nodeAddr(2).Addr())}
	s.send <- assignMessage(foreign)
	if got := s.ack(t); got.SubRange != 8 || got.Error == "" {
		t.Errorf("ack of an assignment to another node: %v", got)
	}

	s.send <- revokeMessage(7, 1)
	if got := s.ack(t); got.SubRange != 7 || !got.Revoke || got.Error != "" {
		t.Errorf("ack of revoke: %v", got)
	}
	s.report(t, func(r *controlpb.Report) bool { return len(r.SubRanges) == 0 })
}

// TestNodeBeatsAndReportsChangesAtOnce: the controller asked for a report once an hour, and hears of
// every state of a replica all the same.
func TestNodeBeatsAndReportsChangesAtOnce(t *testing.T) {
	controller, control := startController(t, "c1")
	controller.report, controller.beat = 3_600_000, 1
	startNode(t, Config{
		Conn: listen(t, transport.NewNetwork(), nodeAddr(1)), DataDir: t.TempDir(), Control: control,
	})
	s := <-controller.sessions
	a := wholeLine(kv.DurabilitySync, nodeAddr(1))
	s.send <- assignMessage(a)
	got := s.report(t, func(r *controlpb.Report) bool {
		return len(r.SubRanges) == 1 && !r.SubRanges[0].Recovering
	})
	if got.Cpu < 0 || got.Bytes == 0 {
		t.Errorf("%v cores, %d bytes", got.Cpu, got.Bytes)
	}
	a.SubRange, a.Create = 8, false // state that this node has never had
	s.send <- assignMessage(a)
	s.report(t, func(r *controlpb.Report) bool {
		return len(r.SubRanges) == 2 && r.SubRanges[1].StateLost
	})
	a.SubRange, a.Epoch, a.Learner = 9, 3, a.Chain[0] // its tail is not there
	a.Chain = kv.Chain{kv.NodeIDOf(nodeAddr(2).Addr())}
	s.send <- assignMessage(a)
	s.report(t, func(r *controlpb.Report) bool {
		return len(r.SubRanges) == 3 && r.SubRanges[2].Learner && !r.SubRanges[2].Joined &&
			!r.SubRanges[2].StateLost && r.SubRanges[2].Role == controlpb.Role_ROLE_NONE
	})
	for (<-s.got).GetBeat() == nil {
	}
}

// TestNodeServesWithoutController is I2: the session ends, service does not, and the next session
// begins with what the node holds.
func TestNodeServesWithoutController(t *testing.T) {
	controller, control := startController(t, "c1")
	network := transport.NewNetwork()
	n := startNode(t, Config{
		Conn: listen(t, network, nodeAddr(1)), DataDir: t.TempDir(), Control: control,
	})
	s := <-controller.sessions
	a := wholeLine(kv.DurabilitySync, nodeAddr(1))
	s.send <- assignMessage(a)
	s.ack(t)
	s.end <- status.Error(codes.Unavailable, "going away")

	c := newClient(t, listen(t, network, nodeAddr(9)), wire.Port, a)
	got := c.do(t, request{wire.OpPut, "k", "v"})
	if got[0].status != wire.StatusOK {
		t.Errorf("put without controller: %v", got[0].status)
	}
	s = <-controller.sessions
	if h := s.hello.Held; len(h) != 1 || h[0].SubRange != 7 || h[0].Applied == 0 {
		t.Errorf("second hello holds %v, want sub-range 7 with its update", h)
	}
	if s.hello.ClusterId != "c1" {
		t.Errorf("second hello names cluster %q, want c1", s.hello.ClusterId)
	}
	if got := n.Stats().Sessions; got < 1 {
		t.Errorf("%d sessions counted", got)
	}
}

func TestNodeReachesAControllerThatComesLater(t *testing.T) {
	controller, control := startController(t, "c1")
	var attempts atomic.Int32
	control.DialOptions = append(control.DialOptions, grpc.WithContextDialer(
		func(ctx context.Context, _ string) (net.Conn, error) {
			if attempts.Add(1) <= 3 {
				return nil, errors.New("nobody there")
			}
			return controller.dial(ctx)
		}))
	var failures atomic.Int32
	startNode(t, Config{
		Conn: listen(t, transport.NewNetwork(), nodeAddr(1)), Control: control,
		Events: Events{Disconnected: func(error) { failures.Add(1) }},
	})
	if s := <-controller.sessions; s.hello.Persistent || s.hello.Incarnation == 0 {
		t.Errorf("hello of a node without data directory: %v", s.hello)
	}
	if failures.Load() == 0 {
		t.Error("the failures before were not reported")
	}
}

func TestNodeRefusesAnotherClustersController(t *testing.T) {
	dir := t.TempDir()
	writeLine(t, filepath.Join(dir, clusterName), "mine")
	controller, control := startController(t, "theirs")
	refused := make(chan error, 16)
	n := startNode(t, Config{
		Conn: listen(t, transport.NewNetwork(), nodeAddr(1)), DataDir: dir, Control: control,
		Events: Events{Disconnected: func(err error) {
			select {
			case refused <- err:
			default:
			}
		}},
	})
	s := <-controller.sessions
	if s.hello.ClusterId != "mine" {
		t.Errorf("hello names cluster %q, want mine", s.hello.ClusterId)
	}
	t.Logf("refused: %v", <-refused)
	if n.Stats().Sessions != 0 {
		t.Error("session counted as begun")
	}
}

// TestNodeFindsTheControllerThatLeads names two controllers, of which the first is out of reach and,
// once it is there, stands by.
func TestNodeFindsTheControllerThatLeads(t *testing.T) {
	leader, control := startController(t, "c1")
	asked := make(chan struct{}, 1)
	control.Target = "passthrough:standby," + control.Target
	control.DialOptions = []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, target string) (net.Conn, error) {
			if target == "standby" {
				select {
				case asked <- struct{}{}:
				default:
				}
				return nil, errors.New("stands by")
			}
			return leader.dial(ctx)
		}),
	}
	startNode(t, Config{
		Conn: listen(t, transport.NewNetwork(), nodeAddr(1)), DataDir: t.TempDir(), Control: control,
	})
	<-asked
	<-leader.sessions
}
