package v1model_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// The real switch as an oracle: random frames must leave it exactly as they leave this one. It
// gets the program on its command line and frames over its data plane service, so it needs
// neither root nor interfaces; it has no table entries, clone sessions or groups.

const (
	simpleSwitch = "simple_switch_grpc"
	patience     = 20 * time.Second
	tagBytes     = 8 // the end of each frame identifies it
	probeTag     = 1<<64 - 1
)

func TestSameAsSimpleSwitch(t *testing.T) {
	if _, err := exec.LookPath(simpleSwitch); err != nil {
		t.Skipf("%s is not on PATH", simpleSwitch)
	}
	for _, program := range []string{"tables", "copies", "parsing", "unions", "varbit", "exprs",
		"hashes"} {
		t.Run(program, func(t *testing.T) {
			seeds := seedFrames(t, program)
			w := newSwitch(t, program, v1model.Config{}).NewWorker()
			real := startSimpleSwitch(t, program, probeFrame(t, w, seeds))
			r := rand.New(rand.NewPCG(1, 7))
			for batch := range 12 {
				compareBatch(t, r, program, seeds, w, real, uint64(batch)<<32)
			}
		})
	}
}

// seedFrames returns the frames of the packet tests of a program.
func seedFrames(t *testing.T, program string) (out [][]byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", program+".stf"))
	must(t, err)
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "packet" {
			b, err := hex.DecodeString(strings.Join(f[2:], ""))
			must(t, err)
			out = append(out, b)
		}
	}
	return out
}

// probeFrame finds a frame that leaves the switch.
func probeFrame(t *testing.T, w *v1model.Worker, seeds [][]byte) []byte {
	t.Helper()
	for _, s := range seeds {
		f := binary.BigEndian.AppendUint64(s[:len(s):len(s)], probeTag)
		if len(process(w, 0, f)) == 1 {
			return f
		}
	}
	t.Fatal("no frame leaves the switch")
	return nil
}

// compareBatch sends fewer frames than the queues of simple_switch hold.
func compareBatch(t *testing.T, r *rand.Rand, program string, seeds [][]byte, w *v1model.Worker,
	real *realSwitch, tag uint64) {
	t.Helper()
	waiting := map[string]int{} // frames that left one switch and not yet the other
	expected := 0
	for range 40 {
		f := mutate(r, seeds[r.IntN(len(seeds))])
		if !defined(program, f) {
			continue
		}
		tag++
		f = binary.BigEndian.AppendUint64(f, tag)
		port := uint16(r.IntN(8))
		for _, s := range process(w, port, f) {
			waiting[fmt.Sprintf("port %d: %x", s.port, s.frame)]++
			expected++
		}
		real.send(t, port, f)
	}
	deadline := time.After(patience)
	for ; expected > 0; expected-- {
		select {
		case f := <-real.out:
			waiting[fmt.Sprintf("port %d: %x", f.port, f.bytes)]--
		case <-deadline:
			t.Errorf("%d frames less than expected", expected)
			expected = 1
		}
	}
	for frame, n := range waiting {
		if n != 0 {
			t.Errorf("%+d times more than from %s: %s", n, simpleSwitch, frame)
		}
	}
}

func mutate(r *rand.Rand, seed []byte) []byte {
	f := append([]byte(nil), seed...)
	for range r.IntN(4) {
		switch k := r.IntN(len(f) + 1); {
		case k == len(f):
			f = append(f, byte(r.Uint32()))
		case r.IntN(4) == 0:
			f = f[:k+1]
		default:
			f[k] ^= 1 << r.IntN(8)
		}
	}
	return f
}

// defined reports whether P4 says what happens: no access to invalid headers or beyond the end of
// a register array, which ends the process of simple_switch, and no loops. The frame must keep
// its tag. Where the switches are known to differ, they are not compared.
func defined(program string, f []byte) bool {
	const truncates, loops, asserts = 6, 8, 12
	switch program {
	case "tables":
		return len(f) >= 21 && (f[0] != 6 || f[1]>>4 < 2)
	case "copies":
		return len(f) >= 4 && f[0] != truncates && f[0] != loops && f[0] != asserts
	case "unions": // what push and pop do with unions, see docs/FIDELITY.md
		return len(f) >= 4 && f[0] != 3 && f[0] != 4 && f[0] != 8
	case "varbit": // the lengths of what push leaves, varbits of headers that are not there
		return len(f) >= 5 && f[0] != 2 && f[0] != 4 && f[0] != 7 && f[0] != 12
	case "exprs":
		return len(f) >= 68
	case "hashes": // asserts end the process, truncate cuts the tag off
		return len(f) >= 19 && f[0] != 4 && f[0] != 5 && f[0] != 6
	}
	return true
}

// realSwitch is a simple_switch_grpc process.
type realSwitch struct {
	stream grpc.ClientStream
	out    chan tapped
}

type tapped struct {
	port  uint16
	bytes []byte
}

func startSimpleSwitch(t *testing.T, program string, probe []byte) *realSwitch {
	t.Helper()
	control, data := freeAddress(t), freeAddress(t)
	cmd := exec.Command(simpleSwitch, filepath.Join("..", "testdata", program+".json"), "--",
		"--grpc-server-addr", control, "--dp-grpc-server-addr", data)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	conn, err := grpc.NewClient("passthrough:///"+data,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	t.Cleanup(cancel)
	s := &realSwitch{out: make(chan tapped, 1024)}
	s.stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		"/p4.bm.DataplaneInterface/PacketStream", grpc.ForceCodec(tapCodec{}),
		grpc.WaitForReady(true))
	must(t, err)
	answered := make(chan struct{})
	go s.receive(answered)
	s.greet(t, probe, answered)
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// greet sends probes until one comes back: before, the switch may drop what leaves.
func (s *realSwitch) greet(t *testing.T, probe []byte, answered <-chan struct{}) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(patience); ; {
		s.send(t, 0, probe)
		select {
		case <-answered:
			return
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s does not forward", simpleSwitch)
		}
	}
}

func (s *realSwitch) send(t *testing.T, port uint16, frame []byte) {
	t.Helper()
	must(t, s.stream.SendMsg(&tapped{port, frame}))
}

// receive sorts out the probes. It ends with the stream.
func (s *realSwitch) receive(answered chan<- struct{}) {
	first := true
	for {
		var f tapped
		if s.stream.RecvMsg(&f) != nil {
			return
		}
		n := len(f.bytes) - tagBytes
		if n < 0 || binary.BigEndian.Uint64(f.bytes[n:]) != probeTag {
			s.out <- f
		} else if first {
			first = false
			close(answered)
		}
	}
}

// tapCodec codes the messages of bmv2's data plane service: port is field 3, packet field 4.
type tapCodec struct{}

func (tapCodec) Name() string { return "proto" }

func (tapCodec) Marshal(v any) ([]byte, error) {
	f := v.(*tapped)
	b := protowire.AppendTag(nil, 3, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(f.port))
	b = protowire.AppendTag(b, 4, protowire.BytesType)
	return protowire.AppendBytes(b, f.bytes), nil
}

func (tapCodec) Unmarshal(b []byte, v any) error {
	f := v.(*tapped)
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeField(b)
		if n < 0 {
			return io.ErrUnexpectedEOF
		}
		_, _, tag := protowire.ConsumeTag(b)
		switch {
		case number == 3 && kind == protowire.VarintType:
			port, _ := protowire.ConsumeVarint(b[tag:])
			f.port = uint16(port)
		case number == 4 && kind == protowire.BytesType:
			packet, _ := protowire.ConsumeBytes(b[tag:])
			f.bytes = append([]byte(nil), packet...)
		}
		b = b[n:]
	}
	return nil
}
