package differ

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// SimpleSwitch is the name of the program to compare with.
const SimpleSwitch = "simple_switch_grpc"

// errGone tells that the process of simple_switch_grpc ended or hangs.
var errGone = errors.New("simple_switch_grpc is gone")

// startPatience bounds how long the process may take to serve, in all attempts together.
const startPatience = 30 * time.Second

// real is a process of simple_switch_grpc. Frames go through its data plane service, which needs
// neither interfaces nor root.
type real struct {
	cancel context.CancelFunc
	ended  chan struct{}
	conns  []*grpc.ClientConn
	p4     p4v1.P4RuntimeClient
	data   *grpc.ClientConn
}

// startReal starts a process and waits until it serves.
func startReal(ctx context.Context, path string) (*real, error) {
	control, data, err := freeAddresses()
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cmd := exec.CommandContext(life, path, "--no-p4", "--device-id", fmt.Sprint(deviceID),
		"--log-level", "off", "--", "--grpc-server-addr", control, "--dp-grpc-server-addr", data,
		"--cpu-port", fmt.Sprint(cpuPort))
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := &real{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		_ = cmd.Wait()
	}()
	if err := r.connect(ctx, control, data); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *real) connect(ctx context.Context, control, data string) error {
	for _, address := range []string{control, data} {
		conn, err := grpc.NewClient("passthrough:///"+address,
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		r.conns = append(r.conns, conn)
	}
	r.p4, r.data = p4v1.NewP4RuntimeClient(r.conns[0]), r.conns[1]
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	go func() {
		select {
		case <-r.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	_, err := r.p4.Capabilities(ctx, &p4v1.CapabilitiesRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return fmt.Errorf("%w: it does not serve: %w", errGone, err)
	}
	return nil
}

// stop ends the process.
func (r *real) stop() {
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.cancel()
	<-r.ended
}

func (r *real) client() p4v1.P4RuntimeClient { return r.p4 }

// inject implements device. The data plane takes frames a little later than the service of P4Runtime
// takes the first pipeline.
func (r *real) inject(ctx context.Context, frames []Frame) ([][]Frame, error) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		out, err := r.send(ctx, frames)
		if err == nil || !strings.Contains(err.Error(), "not ready") {
			return out, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// send sends frames once. The service ends the stream when it holds no packet any more.
func (r *real) send(ctx context.Context, frames []Frame) ([][]Frame, error) {
	stream, err := r.data.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		"/p4.bm.DataplaneInterface/PacketStream", grpc.ForceCodec(tapCodec{}), grpc.WaitForReady(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errGone, err)
	}
	for i, f := range frames {
		// An error of SendMsg other than EOF is final; EOF leaves the reason to RecvMsg.
		m := &tapped{id: uint64(i) + 1, device: deviceID, port: f.Port, packet: f.Bytes}
		if err := stream.SendMsg(m); err != nil {
			break
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, fmt.Errorf("%w: %w", errGone, err)
	}
	out := make([][]Frame, len(frames))
	for {
		var m tapped
		err := stream.RecvMsg(&m)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errGone, err)
		}
		if m.id == 0 || m.id > uint64(len(frames)) {
			return nil, fmt.Errorf("frame for the unknown id %d", m.id)
		}
		out[m.id-1] = append(out[m.id-1], Frame{m.port, m.packet})
	}
}

func freeAddresses() (a, b string, err error) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer first.Close()
	second, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer second.Close()
	return first.Addr().String(), second.Addr().String(), nil
}
