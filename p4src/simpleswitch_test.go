package p4src_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/p4src"
)

const simpleSwitch = "simple_switch_grpc"

// patience is how long the switch may take for one step before the test gives up.
const patience = 10 * time.Second

func TestScriptsOnSimpleSwitch(t *testing.T) {
	if _, err := exec.LookPath(simpleSwitch); err != nil {
		t.Skipf("%s is not on PATH; the scripts still run on the built-in switch", simpleSwitch)
	}
	runScripts(t, func(t *testing.T) device { return startSimpleSwitch(t) })
}

// simpleSwitchDevice is a simple_switch_grpc process: tables, counters, digests and packet I/O over
// P4Runtime, frames over its data plane service, so that it needs neither root nor interfaces.
type simpleSwitchDevice struct {
	ctx     context.Context
	p4rt    p4v1.P4RuntimeClient
	control p4v1.P4Runtime_StreamChannelClient
	frames  grpc.ClientStream
	out     chan frameOut
	learned chan *p4v1.DigestList
	failed  chan error
	probes  int
	// unprobed says that frames were sent since the last probes.
	unprobed bool
	tables   controlNames
}

func startSimpleSwitch(t *testing.T) *simpleSwitchDevice {
	t.Helper()
	control, data := freeAddress(t), freeAddress(t)
	cmd := exec.Command(simpleSwitch, "--no-p4", "--", "--cpu-port", strconv.Itoa(p4src.CPUPort),
		"--grpc-server-addr", control, "--dp-grpc-server-addr", data)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	t.Cleanup(func() {
		cancel()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s says:\n%s", simpleSwitch, log.String())
		}
	})
	d := &simpleSwitchDevice{
		ctx: ctx, tables: newControlNames(t),
		out: make(chan frameOut, 256), learned: make(chan *p4v1.DigestList, 16),
		failed: make(chan error, 2),
	}
	if err := d.connect(t, control, data); err != nil {
		t.Fatal(err)
	}
	return d
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (d *simpleSwitchDevice) connect(t *testing.T, control, data string) error {
	var conns [2]*grpc.ClientConn
	for i, address := range []string{control, data} {
		conn, err := grpc.NewClient("passthrough:///"+address,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{
				BaseDelay: 10 * time.Millisecond, Multiplier: 1, MaxDelay: 10 * time.Millisecond,
			}}))
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns[i] = conn
	}
	d.p4rt = p4v1.NewP4RuntimeClient(conns[0])
	if err := d.becomePrimary(); err != nil {
		return err
	}
	if err := d.pushProgram(); err != nil {
		return err
	}
	go d.readControl()
	return d.openFrames(conns[1])
}

// openFrames opens the stream of frames. The switch refuses it while its data plane starts, and
// drops what leaves before it has accepted the stream: so it is asked until a frame comes back.
func (d *simpleSwitchDevice) openFrames(conn *grpc.ClientConn) error {
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	for d.ctx.Err() == nil {
		ctx, cancel := context.WithCancel(d.ctx)
		frames, err := conn.NewStream(ctx, desc, "/p4.bm.DataplaneInterface/PacketStream",
			grpc.ForceCodec(frameCodec{}), grpc.WaitForReady(true))
		if err != nil {
			cancel()
			return fmt.Errorf("data plane service: %w", err)
		}
		answer := make(chan error, 1)
		go func() { answer <- frames.RecvMsg(new(frameOut)) }()
		if d.greet(answer) == nil {
			d.frames = frames
			context.AfterFunc(d.ctx, cancel)
			go d.readFrames()
			return nil
		}
		cancel()
	}
	return fmt.Errorf("data plane service: %w", d.ctx.Err())
}

// greet sends frames to a port until the stream answers or ends.
func (d *simpleSwitchDevice) greet(answer <-chan error) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if err := d.packetOut(rackPorts[0], 0, []byte(hello)); err != nil {
			return err
		}
		select {
		case err := <-answer:
			return err
		case err := <-d.failed:
			return err
		case <-again.C:
		}
	}
}

const hello = "is anybody there?"

var electionID = &p4v1.Uint128{Low: 1}

func (d *simpleSwitchDevice) becomePrimary() error {
	stream, err := d.p4rt.StreamChannel(d.ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	d.control = stream
	err = stream.Send(&p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Arbitration{
		Arbitration: &p4v1.MasterArbitrationUpdate{ElectionId: electionID},
	}})
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

func (d *simpleSwitchDevice) pushProgram() error {
	info, err := p4src.P4Info()
	if err != nil {
		return err
	}
	_, err = d.p4rt.SetForwardingPipelineConfig(d.ctx, &p4v1.SetForwardingPipelineConfigRequest{
		ElectionId: electionID,
		Action:     p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT,
		Config: &p4v1.ForwardingPipelineConfig{
			P4Info: info, P4DeviceConfig: p4src.DeviceConfig(),
		},
	})
	if err != nil {
		return fmt.Errorf("SetForwardingPipelineConfig: %w", err)
	}
	return d.write(p4v1.Update_INSERT, &p4v1.Entity{Entity: &p4v1.Entity_DigestEntry{
		DigestEntry: &p4v1.DigestEntry{
			DigestId: d.tables.ids[p4src.LearnDigest],
			Config:   &p4v1.DigestEntry_Config{MaxListSize: 1},
		},
	}})
}

func (d *simpleSwitchDevice) write(how p4v1.Update_Type, e *p4v1.Entity) error {
	_, err := d.p4rt.Write(d.ctx, &p4v1.WriteRequest{
		ElectionId: electionID, Updates: []*p4v1.Update{{Type: how, Entity: e}},
	})
	return err
}

func (d *simpleSwitchDevice) add(e entry) error {
	row, err := d.tables.tableEntry(e)
	if err != nil {
		return err
	}
	return d.write(p4v1.Update_INSERT, &p4v1.Entity{Entity: &p4v1.Entity_TableEntry{TableEntry: row}})
}

func (d *simpleSwitchDevice) cloneSession(id, port uint16) error {
	return d.write(p4v1.Update_INSERT, &p4v1.Entity{
		Entity: &p4v1.Entity_PacketReplicationEngineEntry{
			PacketReplicationEngineEntry: &p4v1.PacketReplicationEngineEntry{
				Type: &p4v1.PacketReplicationEngineEntry_CloneSessionEntry{
					CloneSessionEntry: &p4v1.CloneSessionEntry{
						SessionId: uint32(id),
						Replicas: []*p4v1.Replica{{
							PortKind: &p4v1.Replica_EgressPort{EgressPort: uint32(port)},
							Instance: 1,
						}},
					},
				},
			},
		},
	})
}

func (d *simpleSwitchDevice) send(port uint16, frame []byte) error {
	d.unprobed = true
	if port != p4src.CPUPort {
		return d.frames.SendMsg(&frameOut{port, frame})
	}
	header := uint16(frame[0])<<8 | uint16(frame[1])
	return d.packetOut(header>>7, header>>6&1, frame[2:])
}

func (d *simpleSwitchDevice) packetOut(port, submit uint16, payload []byte) error {
	return d.control.Send(&p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Packet{
		Packet: &p4v1.PacketOut{
			Payload: payload,
			Metadata: []*p4v1.PacketMetadata{
				{MetadataId: 1, Value: shortest(uint64(port))},
				{MetadataId: 2, Value: shortest(uint64(submit))},
				{MetadataId: 3, Value: shortest(0)},
			},
		},
	}})
}

// receive waits for the frames wanted, then sends probes through the switch to every port, by both
// ways in: what left before the probes is all there is, because the switch keeps the order from one
// way in to one port. Only a recirculated copy that nobody expects could come later; it then fails
// the next call.
func (d *simpleSwitchDevice) receive(want int) (got []frameOut, err error) {
	for range want {
		f, err := d.next()
		if err != nil {
			return nil, fmt.Errorf("%w after %d of %d frames", err, len(got), want)
		}
		got = append(got, f)
	}
	if !d.unprobed {
		return got, nil
	}
	d.unprobed = false
	probe, err := d.sendProbes()
	if err != nil {
		return nil, err
	}
	for probes := 0; probes < 2*len(rackPorts); {
		f, err := d.next()
		if err != nil {
			return nil, fmt.Errorf("probing: %w", err)
		}
		if strings.HasSuffix(string(f.bytes), probe) {
			probes++
		} else {
			got = append(got, f)
		}
	}
	return got, nil
}

// rackPorts are the ports of testdata/rack.stf, rackHosts the addresses behind them.
var (
	rackPorts = []uint16{1, 2, 11, 12, 13, 14, 15, 16, 21, 22, 31, p4src.CPUPort}
	rackHosts = []string{"10.0.1.1", "10.0.1.2", "10.0.0.11", "10.0.0.12", "10.0.0.13",
		"10.0.0.14", "10.0.0.15", "10.0.0.16", "10.0.21.1", "10.0.22.1", "10.0.31.1", "10.0.2.1"}
)

// sendProbes sends two frames to every port and returns how they end.
func (d *simpleSwitchDevice) sendProbes() (probe string, err error) {
	d.probes++
	probe = fmt.Sprintf("probe %d.", d.probes)
	for i, port := range rackPorts {
		if err := d.packetOut(port, 0, []byte(probe)); err != nil {
			return "", err
		}
		frame, err := change(datagram([]byte(probe)), []argument{{"ip.dst", rackHosts[i]}})
		if err != nil {
			return "", err
		}
		if err := d.frames.SendMsg(&frameOut{rackPorts[0], frame}); err != nil {
			return "", err
		}
	}
	return probe, nil
}

// next returns the next frame that is not a late answer to greet.
func (d *simpleSwitchDevice) next() (frameOut, error) {
	for {
		select {
		case f := <-d.out:
			if string(f.bytes) != hello {
				return f, nil
			}
		case err := <-d.failed:
			return frameOut{}, err
		case <-time.After(patience):
			return frameOut{}, errors.New("the switch sends nothing more")
		}
	}
}

func (d *simpleSwitchDevice) digest() ([][]byte, error) {
	select {
	case list := <-d.learned:
		var fields [][]byte
		for _, m := range list.GetData()[0].GetStruct().GetMembers() {
			fields = append(fields, m.GetBitstring())
		}
		return fields, nil
	case err := <-d.failed:
		return nil, err
	case <-time.After(patience):
		return nil, errors.New("the switch sends no digest")
	}
}

func (d *simpleSwitchDevice) packets(counter string, index int) (int64, error) {
	stream, err := d.p4rt.Read(d.ctx, &p4v1.ReadRequest{Entities: []*p4v1.Entity{{
		Entity: &p4v1.Entity_CounterEntry{CounterEntry: &p4v1.CounterEntry{
			CounterId: d.tables.ids[counter], Index: &p4v1.Index{Index: int64(index)},
		}},
	}}})
	if err != nil {
		return 0, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return 0, err
	}
	return answer.GetEntities()[0].GetCounterEntry().GetData().GetPacketCount(), nil
}

func (d *simpleSwitchDevice) readFrames() {
	for {
		f := new(frameOut)
		if err := d.frames.RecvMsg(f); err != nil {
			d.fail(err)
			return
		}
		d.out <- *f
	}
}

func (d *simpleSwitchDevice) readControl() {
	for {
		m, err := d.control.Recv()
		if err != nil {
			d.fail(err)
			return
		}
		if p := m.GetPacket(); p != nil {
			port := uint16(0)
			for _, b := range p.GetMetadata()[0].GetValue() {
				port = port<<8 | uint16(b)
			}
			header := []byte{byte(port >> 1), byte(port << 7)}
			d.out <- frameOut{p4src.CPUPort, append(header, p.GetPayload()...)}
		}
		if list := m.GetDigest(); list != nil {
			d.learned <- list
		}
	}
}

// fail reports the end of a stream, except the one that the test itself brings about.
func (d *simpleSwitchDevice) fail(err error) {
	if d.ctx.Err() == nil {
		d.failed <- err
	}
}
