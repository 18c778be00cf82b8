package differ

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/p4rt"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// maxCopies bounds the frames that one frame may cause in a comparison. The queues of simple_switch
// hold 64 frames of a port.
const maxCopies = 48

// errWild tells that a frame causes more frames than the queues of simple_switch hold, loops, or
// fails an assertion, which would end simple_switch.
var errWild = errors.New("frame loops, fails an assertion or causes too many frames")

// builtin is the built-in switch behind its P4Runtime server, without ports.
type builtin struct {
	server *p4rt.Server
	p4     p4v1.P4RuntimeClient
	end    func()

	sw     *v1model.Switch
	worker *v1model.Worker
	toCPU  int // frames that left by the CPU port
	learnt int // digest messages
}

// newBuiltin returns a switch that is like another but for what P4 leaves open.
func newBuiltin(v variant) (*builtin, error) {
	b := &builtin{}
	var err error
	b.server, err = p4rt.New(p4rt.Config{
		DeviceID: deviceID,
		NewSwitch: func(p *bmv2.Program) (*v1model.Switch, error) {
			return v1model.NewSwitch(p, v1model.Config{
				Now: v.now, Rand: v.random, Litter: v.litter, MaxPasses: maxCopies, OnDigest: b.digest,
			})
		},
		Activate: func(sw *v1model.Switch) { b.sw, b.worker = sw, sw.NewWorker() },
	})
	if err != nil {
		return nil, err
	}
	return b, b.serve()
}

func (b *builtin) digest(d v1model.Digest) {
	b.learnt++
	b.server.Digest(d)
}

// serve starts the server in memory and connects a client.
func (b *builtin) serve() error {
	ctx, cancel := context.WithCancel(context.Background())
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer(p4rt.ServerOptions()...)
	b.server.Register(g)
	var group sync.WaitGroup
	group.Go(func() { _ = g.Serve(listener) })
	group.Go(func() { _ = b.server.Run(ctx) })
	conn, err := grpc.NewClient("passthrough:memory",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return listener.DialContext(ctx)
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	b.end = func() {
		if conn != nil {
			_ = conn.Close()
		}
		g.Stop()
		cancel()
		group.Wait()
	}
	if err != nil {
		b.end()
		return err
	}
	b.p4 = p4v1.NewP4RuntimeClient(conn)
	return nil
}

func (b *builtin) stop() { b.end() }

func (b *builtin) client() p4v1.P4RuntimeClient { return b.p4 }

// inject implements device; it ends with errWild at a wild frame, whose results are missing.
func (b *builtin) inject(_ context.Context, frames []Frame) (out [][]Frame, err error) {
	for _, f := range frames {
		caused, err := b.process(f)
		if err != nil {
			return out, err
		}
		out = append(out, caused)
	}
	return out, nil
}

func (b *builtin) process(f Frame) (out []Frame, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("built-in switch panics: %v", reason)
		}
	}()
	before := b.sw.Stats()
	b.worker.Process(f.Port, f.Bytes, func(port uint16, frame []byte) {
		if port == cpuPort {
			b.toCPU++
			b.server.PacketIn(frame)
			return
		}
		out = append(out, Frame{port, bytes.Clone(frame)})
	})
	after := b.sw.Stats()
	if after.TooManyLoops > before.TooManyLoops || after.Failed > before.Failed || len(out) > maxCopies {
		return nil, errWild
	}
	return out, nil
}
