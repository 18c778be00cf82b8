package daemon

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/port"
)

func TestForwardsBetweenPorts(t *testing.T) {
	r := newRig(t, Config{}, 1, 2, 3)
	r.forward(2, "ingress.forward", 2)
	r.forward(3, "ingress.forward", 3)
	r.forward(9, "ingress.forward", 9) // no such port
	in := [][]byte{frame(2, 60), frame(3, 1500), frame(2, 100), frame(9, 60), frame(7, 60)}
	r.cables[1].WriteBatch(in)
	to2, to3 := r.receive(2, 2), r.receive(3, 1)
	if !bytes.Equal(to2[0], in[0]) || !bytes.Equal(to2[1], in[2]) || !bytes.Equal(to3[0], in[1]) {
		t.Errorf("port 2 got %x, port 3 got %x", to2, to3)
	}
	// Port 3 is written last, so the loop has counted everything but its own write by now.
	r.cables[1].WriteBatch([][]byte{frame(2, 60)})
	r.receive(2, 1)
	if got := r.daemon.Undeliverable(); got != 1 {
		t.Errorf("%d undeliverable frames, want 1", got)
	}
	if got := r.daemon.Stats(); got.Received != 6 || got.Sent != 5 || got.Dropped != 1 {
		t.Errorf("stats %+v, want 6 received, 5 sent, 1 dropped", got)
	}
	c := r.daemon.Ports()
	if len(c) != 4 || c[0].Number != 1 || c[0].RxFrames != 6 || c[0].RxBytes != 60+1500+100+60+60+60 {
		t.Errorf("port counters %+v", c)
	}
}

func TestFullPortLosesFramesAndNobodyWaits(t *testing.T) {
	r := newRig(t, Config{}, 1, 2, 3)
	r.forward(2, "ingress.forward", 2)
	r.forward(3, "ingress.forward", 3)
	flood := make([][]byte, 64)
	for i := range flood {
		flood[i] = frame(2, 60)
	}
	for range 40 { // 2560 frames for a cable that holds 1024 and is not read
		r.send(1, flood)
	}
	r.send(1, [][]byte{frame(3, 60)})
	r.receive(3, 1)
	if got := r.daemon.Ports()[1]; got.TxFrames != 1024 || got.TxDrops != 2560-1024 {
		t.Errorf("port 2 took %d and lost %d frames", got.TxFrames, got.TxDrops)
	}
}

func TestPortsComeAndGo(t *testing.T) {
	r := newRig(t, Config{}, 1)
	r.forward(2, "ingress.forward", 2)
	for range 3 {
		inner, outer := port.NewPair(16)
		if err := r.daemon.AddPort(2, inner); err != nil {
			t.Fatal(err)
		}
		r.cables[2] = outer
		r.cables[1].WriteBatch([][]byte{frame(2, 60)})
		r.receive(2, 1)
		if err := r.daemon.AddPort(2, inner); !errors.Is(err, ErrPortInUse) {
			t.Errorf("adding a port twice: %v", err)
		}
		if err := r.daemon.RemovePort(2); err != nil {
			t.Fatal(err)
		}
		if n, err := outer.WriteBatch([][]byte{frame(2, 60)}); n != 0 || err != nil {
			t.Errorf("a removed port took a frame: %d, %v", n, err)
		}
	}
	if err := r.daemon.RemovePort(2); !errors.Is(err, ErrNoPort) {
		t.Errorf("removing a port that is gone: %v", err)
	}
	if err := r.daemon.AddPort(511, nil); !errors.Is(err, ErrNoPort) {
		t.Errorf("adding the drop port: %v", err)
	}
}

// brokenPort fails at its first read.
type brokenPort struct{ closed chan struct{} }

var errBroken = errors.New("interface is gone")

func (b brokenPort) ReadBatch([][]byte) (int, error)    { return 0, errBroken }
func (b brokenPort) WriteBatch(f [][]byte) (int, error) { return len(f), nil }
func (b brokenPort) Close() error                       { close(b.closed); return nil }

func TestFailingPortIsReportedAndClosed(t *testing.T) {
	failed := make(chan error, 1)
	r := newRig(t, Config{Events: Events{PortFailed: func(number uint16, err error) {
		if number != 5 {
			t.Errorf("port %d failed, want 5", number)
		}
		failed <- err
	}}}, 1)
	b := brokenPort{make(chan struct{})}
	if err := r.daemon.AddPort(5, b); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, errBroken) {
		t.Errorf("reported %v", err)
	}
	<-b.closed
	if err := r.daemon.RemovePort(5); !errors.Is(err, ErrNoPort) {
		t.Errorf("the port is still there: %v", err)
	}
}

func TestPacketInAndOut(t *testing.T) {
	r := newRig(t, Config{}, 1, 2)
	stream, err := r.client.StreamChannel(r.context())
	if err != nil {
		t.Fatal(err)
	}
	r.forward(8, "ingress.to_controller", 5)
	stream.Send(&p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Arbitration{
		Arbitration: &p4v1.MasterArbitrationUpdate{DeviceId: 1, ElectionId: &p4v1.Uint128{Low: 1}}}})
	if m, err := stream.Recv(); err != nil || m.GetArbitration().GetStatus().GetCode() != 0 {
		t.Fatalf("arbitration: %v, %v", m, err)
	}
	r.cables[2].WriteBatch([][]byte{frame(8, 70)})
	m, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	in := m.GetPacket()
	if !bytes.Equal(in.GetPayload(), frame(8, 70)) || len(in.GetMetadata()) != 2 ||
		!bytes.Equal(in.GetMetadata()[0].GetValue(), []byte{2}) ||
		!bytes.Equal(in.GetMetadata()[1].GetValue(), []byte{5}) {
		t.Errorf("packet in: %v", in)
	}
	stream.Send(&p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Packet{
		Packet: &p4v1.PacketOut{Payload: frame(4, 80), Metadata: []*p4v1.PacketMetadata{
			{MetadataId: 1, Value: []byte{1}}}}}})
	if got := r.receive(1, 1)[0]; !bytes.Equal(got, frame(4, 80)) {
		t.Errorf("packet out arrived as %x", got)
	}
}

// A switch as the command line makes it: ports by their specification, here tunnels.
func TestTunnels(t *testing.T) {
	var specs []port.Spec
	addresses := make(map[uint16]string)
	for number := uint16(1); number <= 2; number++ {
		addresses[number] = freeAddress(t)
		specs = append(specs, port.Spec{
			Number: number, UDP: port.UDPConfig{Local: addresses[number]}})
	}
	r := newRig(t, Config{Specs: specs})
	r.forward(2, "ingress.forward", 2)
	hosts := make(map[uint16]*port.UDP)
	for number, address := range addresses {
		host, err := port.DialTunnel("127.0.0.1:0", address)
		if err != nil {
			t.Fatal(err)
		}
		defer host.Close()
		// The switch learns where the host is from any frame; this one goes nowhere.
		host.WriteBatch([][]byte{frame(99, 60)})
		hosts[number] = host
	}
	for end := time.Now().Add(patience); r.daemon.Stats().Received < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the switch did not receive the hosts' first frames")
		}
	}
	want := frame(2, 700)
	hosts[1].WriteBatch([][]byte{want})
	bufs := [][]byte{make([]byte, port.MaxFrame)}
	if _, err := hosts[2].ReadBatch(bufs); err != nil || !bytes.Equal(bufs[0], want) {
		t.Errorf("host 2 received %x, %v", bufs[0], err)
	}
}

// freeAddress returns a UDP address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}

// Entries change while frames pass; no frame is lost or delayed until the writes are over.
func TestWritesDoNotStopFrames(t *testing.T) {
	r := newRig(t, Config{}, 1, 2)
	r.forward(2, "ingress.forward", 2)
	var group sync.WaitGroup
	stop := make(chan struct{})
	group.Go(func() {
		for dst := byte(10); ; dst ^= 1 {
			select {
			case <-stop:
				return
			default:
			}
			update := r.forwardEntry(dst, "ingress.forward", 1)
			if err := r.write(update); err != nil {
				t.Error(err)
			}
			update.Type = p4v1.Update_DELETE
			if err := r.write(update); err != nil {
				t.Error(err)
			}
		}
	})
	for range 300 {
		batch := [][]byte{frame(2, 60), frame(2, 61), frame(2, 62)}
		r.cables[1].WriteBatch(batch)
		r.receive(2, len(batch))
	}
	close(stop)
	group.Wait()
}

func TestNewReportsWhatIsWrong(t *testing.T) {
	inner, _ := port.NewPair(1)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	broken := pipeline(t)
	broken.P4DeviceConfig = []byte("{}")
	for want, cfg := range map[string]Config{
		"port 510: port number is in use": {Ports: map[uint16]port.Port{510: inner}},
		"no-such-if":                      {Specs: []port.Spec{{Number: 1, Interface: "no-such-if"}}},
		"address already in use":          {Address: taken.Addr().String()},
		"device config":                   {Pipeline: broken},
	} {
		if cfg.Address == "" {
			cfg.Address = "127.0.0.1:0"
		}
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestForwardingAllocatesNothing(t *testing.T) {
	r := newRig(t, Config{}, 1, 2)
	r.forward(2, "ingress.forward", 2)
	l := newLoop(r.daemon, r.daemon.table.Load()[1], 0)
	batch := make([][]byte, batchSize)
	for i := range batch {
		batch[i] = frame(2, 200)
	}
	if allocs := testing.AllocsPerRun(100, func() { l.forward(batch) }); allocs != 0 {
		t.Errorf("%v allocations for each batch", allocs)
	}
}

// BenchmarkForward is the cost of one frame from batch to batch, without a goroutine in between.
func BenchmarkForward(b *testing.B) {
	r := newRig(b, Config{}, 1, 2)
	r.forward(2, "ingress.forward", 2)
	go func() {
		bufs := [][]byte{make([]byte, port.MaxFrame)}
		for {
			if _, err := r.cables[2].ReadBatch(bufs); err != nil {
				return
			}
		}
	}()
	b.Cleanup(func() { r.cables[2].Close() })
	l := newLoop(r.daemon, r.daemon.table.Load()[1], 0)
	batch := make([][]byte, batchSize)
	for i := range batch {
		batch[i] = frame(2, 200)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += batchSize {
		l.forward(batch)
	}
}
