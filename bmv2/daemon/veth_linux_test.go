package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/bmv2/port"
)

// span is how long the generator runs for one figure.
const span = 2 * time.Second

// BenchmarkVeth sends frames through a switch over one veth pair and counts what comes back over
// another:
//
//	generator -- gen0 | port 1 -- switch -- port 2 | gen1 -- sink
//
// The same program, frames and generator drive this switch, simple_switch_grpc where it is on PATH,
// and a bare reflector, which is what the interfaces themselves allow. The generator keeps 48
// frames under way, which fit into every queue of simple_switch. Compare the figures of one run
// only.
func BenchmarkVeth(b *testing.B) {
	for _, target := range []struct {
		name  string
		start func(*testing.B)
	}{
		{"reflector", startReflector},
		{"builtin", startBuiltin},
		{"simple_switch_grpc", startSimpleSwitch},
	} {
		b.Run(target.name, func(b *testing.B) {
			vethPairs(b)
			target.start(b)
			l := &load{out: openPacket(b, "gen0"), in: openPacket(b, "gen1"),
				progress: make(chan struct{}, 1), done: make(chan struct{})}
			go l.count()
			for b.Loop() {
				arrived, err := l.generate()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(arrived)/span.Seconds(), "frames/s")
			}
			l.in.Close()
			<-l.done
		})
	}
}

// load is a generator and a sink.
type load struct {
	out, in  *port.Packet
	arrived  atomic.Int64
	progress chan struct{} // the sink has counted more frames
	done     chan struct{} // the sink has ended
}

// count is the sink.
func (l *load) count() {
	defer close(l.done)
	bufs := make([][]byte, batchSize)
	for i := range bufs {
		bufs[i] = make([]byte, port.MaxFrame)
	}
	for {
		n, err := l.in.ReadBatch(bufs)
		if err != nil {
			return
		}
		for _, f := range bufs[:n] {
			if f[12] == 0x12 && f[13] == 0x34 { // the kernel sends frames of its own
				l.arrived.Add(1)
			}
		}
		select {
		case l.progress <- struct{}{}:
		default:
		}
	}
}

// generate keeps a window of frames under way and returns how many arrived. When nothing arrives
// for a while, the frames under way are given up.
func (l *load) generate() (int64, error) {
	const window = 48
	frames := make([][]byte, window)
	for i := range frames {
		frames[i] = frame(2, 142)
	}
	first, begin := l.arrived.Load(), time.Now()
	gone := first // frames that arrived or were lost, plus those under way
	timer := time.NewTimer(time.Hour)
	for time.Since(begin) < span {
		gone = max(gone, l.arrived.Load()) // frames that were given up may arrive all the same
		if room := min(window, window-gone+l.arrived.Load()); room >= window/3 {
			n, err := l.out.WriteBatch(frames[:room])
			if err != nil {
				return 0, err
			}
			gone += int64(n)
		}
		timer.Reset(20 * time.Millisecond)
		select {
		case <-l.progress:
		case <-timer.C:
			gone = l.arrived.Load()
		}
	}
	return l.arrived.Load() - first, nil
}

// vethPairs moves the benchmark to a network namespace with the interfaces it needs.
func vethPairs(b testing.TB) {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("needs root for a network namespace and raw sockets")
	}
	runtime.LockOSThread() // and never unlock: the thread and its namespace end with the benchmark
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		b.Skipf("needs a network namespace: %v", err)
	}
	// So that no frame is the kernel's own; a kernel without IPv6 has none of them, and no such file.
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
	commands := []string{
		"link add gen0 type veth peer name port1", "link add gen1 type veth peer name port2",
		"link set gen0 up", "link set gen1 up", "link set port1 up", "link set port2 up",
		"link set lo up",
	}
	for _, c := range commands {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			b.Skipf("ip %s: %v: %s", c, err, out)
		}
	}
	for _, name := range []string{"gen0", "gen1", "port1", "port2"} {
		for up := false; !up; time.Sleep(time.Millisecond) {
			iface, err := net.InterfaceByName(name)
			if err != nil {
				b.Fatal(err)
			}
			up = iface.Flags&net.FlagRunning != 0
		}
	}
}

func openPacket(b testing.TB, name string) *port.Packet {
	b.Helper()
	p, err := port.OpenPacket(name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	return p
}

// startReflector passes frames from port 1 to port 2 and does nothing else.
func startReflector(b *testing.B) {
	from, to := openPacket(b, "port1"), openPacket(b, "port2")
	go func() {
		bufs := make([][]byte, batchSize)
		for i := range bufs {
			bufs[i] = make([]byte, port.MaxFrame)
		}
		for {
			n, err := from.ReadBatch(bufs)
			if err != nil {
				return
			}
			if _, err := to.WriteBatch(bufs[:n]); err != nil {
				return
			}
		}
	}()
}

func startBuiltin(b *testing.B) { program(b, serveVeth(b)) }

// serveVeth runs this switch, which has no program yet, and returns its P4Runtime address.
func serveVeth(b testing.TB) string {
	b.Helper()
	socket := filepath.Join(b.TempDir(), "switch.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	d, err := New(Config{DeviceID: 1, Listener: listener, Specs: []port.Spec{
		{Number: 1, Interface: "port1"}, {Number: 2, Interface: "port2"}}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return "unix:" + socket
}

func startSimpleSwitch(b *testing.B) {
	binary, err := exec.LookPath("simple_switch_grpc")
	if err != nil {
		b.Skip("needs simple_switch_grpc on PATH")
	}
	socket := filepath.Join(b.TempDir(), "switch.sock")
	cmd := exec.Command(binary, "--no-p4", "--device-id", "1", "-i", "1@port1", "-i", "2@port2",
		"--", "--grpc-server-addr", "unix:"+socket, "--cpu-port", "510")
	if err := cmd.Start(); err != nil {
		b.Skipf("simple_switch_grpc does not start: %v", err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	program(b, "unix:"+socket)
}

// program puts the test program and one entry into a switch.
func program(b *testing.B, address string) {
	b.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	r := &rig{t: b, config: pipeline(b), client: p4v1.NewP4RuntimeClient(conn)}
	request := &p4v1.SetForwardingPipelineConfigRequest{
		DeviceId: 1, Config: r.config,
		Action: p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT,
	}
	_, err = r.client.SetForwardingPipelineConfig(r.context(), request, grpc.WaitForReady(true))
	err = errors.Join(err, r.write(r.forwardEntry(2, "ingress.forward", 2)))
	if err != nil {
		b.Fatal(fmt.Errorf("programming the switch: %w", err))
	}
}
