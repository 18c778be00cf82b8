package controller

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/controller/internal/fakeswitch"
	"github.com/turbokv/turbokv/kv"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

var plain = grpc.WithTransportCredentials(insecure.NewCredentials())

func codeOfStatus(err error) codes.Code { return status.Code(err) }

// bench is a controller with a fake switch, and obedient nodes that are nothing but their sessions.
type bench struct {
	t       *testing.T
	store   string
	sw      *fakeswitch.Switch
	target  string // of the switch
	listen  string // of the controller
	admin   *admin.Client
	stop    func() // ends the controller
	refused atomic.Int32
	pushed  atomic.Int32
}

func newBench(t *testing.T, sw *fakeswitch.Switch, nodes int) *bench {
	t.Helper()
	target, stop, err := sw.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	b := newBenchAt(t, target, nodes)
	b.sw = sw
	return b
}

// newBenchAt controls any switch.
func newBenchAt(t *testing.T, target string, nodes int) *bench {
	t.Helper()
	b := &bench{t: t, target: target, store: filepath.Join(t.TempDir(), "store")}
	b.stop = b.start(nodes)
	t.Cleanup(func() { b.stop() })
	for i := range nodes {
		b.node(i + 1)
	}
	return b
}

// start runs a controller until the function that it returns is called.
func (b *bench) start(nodes int) (stop func()) {
	b.t.Helper()
	c, err := New(Config{
		Store: b.store, Listen: "127.0.0.1:0",
		Switches: []Switch{{Target: b.target, DialOptions: []grpc.DialOption{plain}}},
		Service:  netip.MustParseAddr("10.255.0.1"), ExpectNodes: nodes,
		PollInterval: 5 * time.Millisecond, Events: Events{Notify: b.notify},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.listen = c.Addr().String()
	if b.admin, err = admin.Dial(b.listen, plain); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, b.admin.Close()); err != nil {
			b.t.Errorf("controller: %v", err)
		}
	})
}

// restart ends the controller and runs another one on its store.
func (b *bench) restart(nodes int) {
	b.t.Helper()
	b.stop()
	b.stop = b.start(nodes)
}

func (b *bench) notify(e Event) {
	switch e.Kind {
	case SwitchRefused:
		b.refused.Add(1)
	case PipelinePushed:
		b.pushed.Add(1)
	}
}

func (b *bench) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	b.t.Cleanup(cancel)
	return ctx
}

// open starts a session of a node.
func (b *bench) open(i int, incarnation uint64) controlpb.NodeControl_SessionClient {
	b.t.Helper()
	conn, err := grpc.NewClient(b.listen, plain)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	stream, err := controlpb.NewNodeControlClient(conn).Session(b.context())
	if err != nil {
		b.t.Fatal(err)
	}
	err = stream.Send(&controlpb.NodeMessage{Body: &controlpb.NodeMessage_Hello{
		Hello: &controlpb.Hello{Node: 0x0a000000 + uint32(i), Mac: []byte{2, 0, 0, 0, 0, byte(i)},
			SwitchPort: uint32(i), Persistent: true, Incarnation: incarnation}}})
	if err != nil {
		b.t.Fatal(err)
	}
	return stream
}

// node acknowledges everything.
func (b *bench) node(i int) {
	stream := b.open(i, 1)
	go func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				return // the connection is closed at the end of the test
			}
			var ack *controlpb.Ack
			switch body := m.GetBody().(type) {
			case *controlpb.ControllerMessage_Assign:
				ack = &controlpb.Ack{SubRange: body.Assign.GetSubRange(),
					Epoch: body.Assign.GetEpoch()}
			case *controlpb.ControllerMessage_Revoke:
				ack = &controlpb.Ack{SubRange: body.Revoke.GetSubRange(),
					Epoch:  body.Revoke.GetEpoch(),
					Revoke: true}
			default:
				continue
			}
			if stream.Send(&controlpb.NodeMessage{Body: &controlpb.NodeMessage_Ack{Ack: ack}}) != nil {
				return
			}
		}
	}()
}

// awaitEntities waits until the switch holds so many entities.
func (b *bench) awaitEntities(want int) {
	b.t.Helper()
	err := b.sw.Await(b.context(), func() bool { return b.sw.Entities() == want })
	if err != nil {
		b.t.Fatalf("%d entities, want %d", b.sw.Entities(), want)
	}
}

// What a switch holds for the keyspaces here: service, clone session, digest; route and learn row
// per node; partition and sub-range row per sub-range.
func entities(nodes, subRanges int) int { return 3 + 2*nodes + 2*subRanges }

func (b *bench) create(subRanges int) {
	b.t.Helper()
	_, err := b.admin.CreateKeyspace(b.context(), admin.KeyspaceSpec{Name: "users",
		Partitioner: kv.HashPartitioned, Durability: kv.DurabilityMemory, Replication: 3,
		SubRanges: subRanges})
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestRefusedUpdatesAreReadBackAndTriedAgain(t *testing.T) {
	for _, code := range []codes.Code{codes.Internal, codes.ResourceExhausted} {
		t.Run(code.String(), func(t *testing.T) {
			sw := fakeswitch.New()
			var n atomic.Int32
			sw.Refuse(func(*p4v1.Update) codes.Code {
				if n.Add(1)%3 == 0 && n.Load() < 60 {
					return code
				}
				return codes.OK
			})
			b := newBench(t, sw, 3)
			b.awaitEntities(entities(3, 1))
			b.create(16)
			b.awaitEntities(entities(3, 17))
			if b.refused.Load() == 0 {
				t.Fatal("nothing was refused, so nothing was tested")
			}
		})
	}
}

func TestASwitchThatRestartsEmptyIsBroughtBack(t *testing.T) {
	sw := fakeswitch.New()
	b := newBench(t, sw, 3)
	b.awaitEntities(entities(3, 1))
	b.create(16)
	b.awaitEntities(entities(3, 17))
	sw.Stop()
	sw.Forget()
	var listener net.Listener
	for ctx := b.context(); listener == nil; {
		var err error
		if listener, err = net.Listen("tcp", b.target); err != nil && ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	sw.Serve(listener)
	b.awaitEntities(entities(3, 17))
	if b.pushed.Load() != 2 {
		t.Fatalf("%d pushes, want one for each start of the switch", b.pushed.Load())
	}
}

func TestDropTakesEverythingOutOfTheSwitch(t *testing.T) {
	sw := fakeswitch.New()
	b := newBench(t, sw, 3)
	b.awaitEntities(entities(3, 1))
	b.create(16)
	b.awaitEntities(entities(3, 17))
	if err := b.admin.DropKeyspace(b.context(), "users"); err != nil {
		t.Fatal(err)
	}
	b.awaitEntities(entities(3, 1))
}

func TestNewerSessionOfANodeReplacesTheOlder(t *testing.T) {
	b := newBench(t, fakeswitch.New(), 1)
	b.awaitEntities(entities(1, 1))
	old, err := b.open(1, 2), error(nil)
	if _, err := old.Recv(); err != nil { // the welcome
		t.Fatal(err)
	}
	b.node(2) // another node is no concern of the first
	newer := b.open(1, 3)
	if _, err := newer.Recv(); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = old.Recv()
	}
	if codeOfStatus(err) != codes.AlreadyExists {
		t.Fatal(err)
	}
	stale := b.open(1, 2)
	if _, err := stale.Recv(); codeOfStatus(err) != codes.FailedPrecondition {
		t.Fatalf("an older incarnation: %v", err)
	}
}
