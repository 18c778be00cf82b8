package daemon

import (
	"bytes"
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/turbokv/turbokv/bmv2/port"
)

// patience bounds how long a test waits for something that must come.
const patience = 20 * time.Second

// pipeline is the test program of package p4rt.
func pipeline(t testing.TB) *p4v1.ForwardingPipelineConfig {
	t.Helper()
	device, err := os.ReadFile("../p4rt/testdata/basic.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../p4rt/testdata/basic.p4info.txtpb")
	if err != nil {
		t.Fatal(err)
	}
	info := new(p4config.P4Info)
	if err := prototext.Unmarshal(text, info); err != nil {
		t.Fatal(err)
	}
	return &p4v1.ForwardingPipelineConfig{P4Info: info, P4DeviceConfig: device}
}

// rig is a switch with in-memory ports, whose other ends are cables, and a client.
type rig struct {
	t      testing.TB
	config *p4v1.ForwardingPipelineConfig
	daemon *Daemon
	client p4v1.P4RuntimeClient
	cables map[uint16]*port.Mem
}

func newRig(t testing.TB, cfg Config, ports ...uint16) *rig {
	t.Helper()
	r := &rig{t: t, config: pipeline(t), cables: make(map[uint16]*port.Mem)}
	cfg.Address = "127.0.0.1:0"
	cfg.Pipeline = r.config
	cfg.Ports = make(map[uint16]port.Port)
	for _, number := range ports {
		inner, outer := port.NewPair(1024)
		cfg.Ports[number], r.cables[number] = inner, outer
	}
	var err error
	if r.daemon, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	r.start()
	return r
}

func (r *rig) start() {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := r.daemon.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	conn, err := grpc.NewClient(r.daemon.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.client = p4v1.NewP4RuntimeClient(conn)
	r.t.Cleanup(func() {
		conn.Close()
		cancel()
		group.Wait()
	})
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	return ctx
}

// forward makes frames for a destination take an action of the forward table with one parameter.
func (r *rig) forward(dst byte, action string, param ...byte) {
	r.t.Helper()
	if err := r.write(r.forwardEntry(dst, action, param...)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) write(updates ...*p4v1.Update) error {
	_, err := r.client.Write(r.context(), &p4v1.WriteRequest{DeviceId: 1, Updates: updates})
	return err
}

func (r *rig) forwardEntry(dst byte, action string, param ...byte) *p4v1.Update {
	info := r.config.GetP4Info()
	table := slices.IndexFunc(info.GetTables(), func(t *p4config.Table) bool {
		return t.GetPreamble().GetName() == "ingress.forward_table"
	})
	index := slices.IndexFunc(info.GetActions(), func(a *p4config.Action) bool {
		return a.GetPreamble().GetName() == action
	})
	return &p4v1.Update{Type: p4v1.Update_INSERT, Entity: &p4v1.Entity{
		Entity: &p4v1.Entity_TableEntry{TableEntry: &p4v1.TableEntry{
			TableId: info.GetTables()[table].GetPreamble().GetId(),
			Match: []*p4v1.FieldMatch{{FieldId: 1, FieldMatchType: &p4v1.FieldMatch_Exact_{
				Exact: &p4v1.FieldMatch_Exact{Value: []byte{dst}}}}},
			Action: &p4v1.TableAction{Type: &p4v1.TableAction_Action{Action: &p4v1.Action{
				ActionId: info.GetActions()[index].GetPreamble().GetId(),
				Params:   []*p4v1.Action_Param{{ParamId: 1, Value: param}},
			}}},
		}},
	}}
}

// frame returns a frame for the destination whose last byte is given.
func frame(dst byte, size int) []byte {
	f := bytes.Repeat([]byte{dst}, size)
	copy(f, []byte{0, 0, 0, 0, 0, dst, 0, 0, 0, 0, 0, 1, 0x12, 0x34})
	return f
}

// send writes frames to a cable until all are taken.
func (r *rig) send(number uint16, frames [][]byte) {
	r.t.Helper()
	for len(frames) > 0 {
		n, err := r.cables[number].WriteBatch(frames)
		if err != nil {
			r.t.Fatal(err)
		}
		frames = frames[n:]
	}
}

// receive reads n frames from a cable.
func (r *rig) receive(number uint16, n int) [][]byte {
	r.t.Helper()
	bufs := make([][]byte, 64)
	for i := range bufs {
		bufs[i] = make([]byte, port.MaxFrame)
	}
	var got [][]byte
	for len(got) < n {
		m, err := r.cables[number].ReadBatch(bufs)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, f := range bufs[:m] {
			got = append(got, bytes.Clone(f))
		}
	}
	return got
}
