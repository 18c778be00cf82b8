package p4rt

import (
	"bytes"
	"context"
	_ "embed"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

//go:embed testdata/basic.json
var basicJSON []byte

//go:embed testdata/basic.p4info.txtpb
var basicInfo []byte

//go:embed testdata/entities.json
var entitiesJSON []byte

//go:embed testdata/entities.p4info.txtpb
var entitiesInfo []byte

const (
	device  = 7
	cpuPort = 510
	cookie  = 0xc00c1e
)

// patience bounds how long a test waits for a message that must come.
const patience = 20 * time.Second

func basicConfig(t testing.TB) *p4v1.ForwardingPipelineConfig {
	return newConfig(t, basicInfo, basicJSON)
}

func entitiesConfig(t testing.TB) *p4v1.ForwardingPipelineConfig {
	return newConfig(t, entitiesInfo, entitiesJSON)
}

func newConfig(t testing.TB, text, json []byte) *p4v1.ForwardingPipelineConfig {
	t.Helper()
	info := new(p4config.P4Info)
	if err := prototext.Unmarshal(text, info); err != nil {
		t.Fatal(err)
	}
	return &p4v1.ForwardingPipelineConfig{
		P4Info:         info,
		P4DeviceConfig: json,
		Cookie:         &p4v1.ForwardingPipelineConfig_Cookie{Cookie: cookie},
	}
}

// rig is a server, its switch without ports, and a client.
type rig struct {
	t      testing.TB
	server *Server
	client p4v1.P4RuntimeClient
	info   *p4config.P4Info
	now    atomic.Uint64 // microseconds

	mu     sync.Mutex
	sw     *v1model.Switch
	worker *v1model.Worker
}

// frameOut is a frame that left the switch.
type frameOut struct {
	port  uint16
	frame []byte
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t}
	var err error
	r.server, err = New(Config{
		DeviceID: device,
		NewSwitch: func(p *bmv2.Program) (*v1model.Switch, error) {
			return v1model.NewSwitch(p, v1model.Config{OnDigest: r.server.Digest, Now: r.now.Load})
		},
		Activate: func(sw *v1model.Switch) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.sw, r.worker = sw, sw.NewWorker()
		},
		PacketOut: func(frame []byte) error {
			r.receive(cpuPort, frame)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.serve()
	return r
}

// serve starts the gRPC server and connects the client.
func (r *rig) serve() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer(ServerOptions()...)
	r.server.Register(g)
	var group sync.WaitGroup
	group.Go(func() { _ = g.Serve(listener) })
	group.Go(func() { _ = r.server.Run(ctx) })
	conn, err := grpc.NewClient("passthrough:bufnet",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return listener.DialContext(ctx)
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.client = p4v1.NewP4RuntimeClient(conn)
	r.t.Cleanup(func() {
		conn.Close()
		g.Stop()
		cancel()
		group.Wait()
	})
}

// withPipeline puts the basic program into service.
func (r *rig) withPipeline() *rig {
	return r.with(basicConfig(r.t))
}

// withEntities puts the program with all kinds of entities into service.
func (r *rig) withEntities() *rig { return r.with(entitiesConfig(r.t)) }

func (r *rig) with(config *p4v1.ForwardingPipelineConfig) *rig {
	r.t.Helper()
	r.info = config.GetP4Info()
	if err := r.server.SetPipeline(config); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// receive passes a frame through the switch. Frames for the CPU port go to the server.
func (r *rig) receive(port uint16, frame []byte) []frameOut {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []frameOut
	r.worker.Process(port, frame, func(port uint16, frame []byte) {
		if port == cpuPort {
			r.server.PacketIn(frame)
		} else {
			out = append(out, frameOut{port, bytes.Clone(frame)})
		}
	})
	return out
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	return ctx
}

// write sends updates and returns the code of each, or the code of the call when it has no details.
func (r *rig) write(updates ...*p4v1.Update) []codes.Code {
	r.t.Helper()
	_, err := r.client.Write(r.context(), &p4v1.WriteRequest{DeviceId: device, Updates: updates})
	outcomes := make([]codes.Code, len(updates))
	details := status.Convert(err).Details()
	for i := range outcomes {
		if len(details) == len(updates) {
			outcomes[i] = codes.Code(details[i].(*p4v1.Error).GetCanonicalCode())
		} else {
			outcomes[i] = status.Code(err)
		}
	}
	return outcomes
}

// mustWrite sends updates that must succeed.
func (r *rig) mustWrite(updates ...*p4v1.Update) {
	r.t.Helper()
	if _, err := r.client.Write(r.context(), &p4v1.WriteRequest{
		DeviceId: device, Updates: updates,
	}); err != nil {
		r.t.Fatalf("%v: %v", err, status.Convert(err).Details())
	}
}

// read returns the entities that a request finds.
func (r *rig) read(entities ...*p4v1.Entity) ([]*p4v1.Entity, error) {
	r.t.Helper()
	stream, err := r.client.Read(r.context(), &p4v1.ReadRequest{DeviceId: device, Entities: entities})
	if err != nil {
		return nil, err
	}
	var found []*p4v1.Entity
	for {
		m, err := stream.Recv()
		if err != nil {
			return found, eof(err)
		}
		found = append(found, m.GetEntities()...)
	}
}

// codeOf returns what a controller learns of a call with one element: the code of the element, or
// that of the call when it was refused as a whole.
func codeOf(err error) codes.Code {
	for _, d := range status.Convert(err).Details() {
		if e, ok := d.(*p4v1.Error); ok && e.GetCanonicalCode() != 0 {
			return codes.Code(e.GetCanonicalCode())
		}
	}
	return status.Code(err)
}

// find reads without gRPC.
func (r *rig) find(e *p4v1.Entity, emit emitter) error {
	f, err := newView(r.server, r.server.control.Load(), nil).find(e)
	if err != nil || f == nil {
		return err
	}
	return f(emit)
}

// mustRead compares what a request finds with what is wanted, in order.
func (r *rig) mustRead(request *p4v1.Entity, want ...*p4v1.Entity) {
	r.t.Helper()
	got, err := r.read(request)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(got) != len(want) {
		r.t.Fatalf("read %d entities, want %d: %v", len(got), len(want), got)
	}
	for i := range want {
		if !proto.Equal(got[i], want[i]) {
			r.t.Errorf("entity %d:\ngot  %v\nwant %v", i, got[i], want[i])
		}
	}
}
