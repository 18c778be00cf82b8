package p4rt

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/turbokv/turbokv/controller/internal/fakeswitch"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/p4src"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

func testPipeline(t testing.TB) Pipeline {
	t.Helper()
	info, err := p4src.P4Info()
	if err != nil {
		t.Fatal(err)
	}
	return Pipeline{P4Info: info, DeviceConfig: p4src.DeviceConfig()}
}

func startSwitch(t *testing.T) (sw *fakeswitch.Switch, address string) {
	t.Helper()
	sw = fakeswitch.New()
	address, stop, err := sw.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return sw, address
}

func testConfig(t *testing.T, address string, election uint64) Config {
	return Config{
		Target: address, DeviceID: 1, ElectionID: ElectionID{Low: election},
		Pipeline:    testPipeline(t),
		DialOptions: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
		BackoffMin:  time.Millisecond, BackoffMax: 10 * time.Millisecond,
	}
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// run does the work once and ends.
func run(t *testing.T, cfg Config, work Work) {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(testContext(t), work); err != nil {
		t.Fatal(err)
	}
}

func routeEntry(last byte) tables.Entry {
	e := tables.Entry{
		Table: p4src.IPv4Table, Action: p4src.Forward,
		Match: []tables.Match{{Field: p4src.DstAddr, Kind: tables.LPM,
			Value: tables.Bytes([]byte{10, 0, 0, last}), Prefix: 32}},
		Params: []tables.Param{{Name: p4src.Port, Value: tables.Uint(uint64(last))},
			{Name: p4src.DstMAC, Value: tables.Uint(0x020000000000 + uint64(last))}},
	}
	e.Normalize()
	return e
}

func insert(e tables.Entry) tables.Update { return tables.Update{Op: tables.Insert, Entry: &e} }

func TestWrittenStateReadsBackAsWritten(t *testing.T) {
	_, address := startSwitch(t)
	clone := tables.CloneSession{ID: 1, Replicas: []tables.Replica{{Port: 510, Instance: 1}}}
	digest := tables.Digest{Name: p4src.LearnDigest, MaxListSize: 1, AckTimeoutNS: 5}
	all := tables.Entry{Table: p4src.PartitionTable, Action: p4src.SetSubRange, // prefix length 0
		Match:  []tables.Match{{Field: p4src.Keyspace, Kind: tables.Exact, Value: tables.Uint(0)}},
		Params: []tables.Param{{Name: p4src.ID, Value: tables.Uint(1)}}}
	run(t, testConfig(t, address, 1), func(ctx context.Context, s *Session) error {
		_, configured, err := s.ReadDigest(ctx, p4src.LearnDigest)
		if err != nil || configured {
			t.Errorf("digest before it is configured: %v, %v", configured, err)
		}
		err = s.Write(ctx, []tables.Update{
			insert(routeEntry(1)), insert(routeEntry(2)), insert(all),
			{Op: tables.Insert, CloneSession: &clone}, {Op: tables.Insert, Digest: &digest},
		})
		if err != nil {
			t.Error(err)
		}
		state, err := s.ReadState(ctx, []string{p4src.IPv4Table, p4src.PartitionTable},
			[]string{p4src.LearnDigest})
		if err != nil || len(state.Entries) != 3 || len(state.CloneSessions) != 1 ||
			!state.CloneSessions[0].Equal(clone) || len(state.Digests) != 1 ||
			state.Digests[0] != digest {
			t.Errorf("%+v, %v", state, err)
		}
		found := 0
		for _, e := range state.Entries {
			for _, want := range []tables.Entry{routeEntry(1), routeEntry(2), all} {
				if e.Equal(want) {
					found++
				}
			}
		}
		if found != 3 {
			t.Errorf("read back %v", state.Entries)
		}
		return nil
	})
}

func TestRunningProgramIsNotPushedAgain(t *testing.T) {
	sw, address := startSwitch(t)
	nothing := func(context.Context, *Session) error { return nil }
	for election := range uint64(3) {
		run(t, testConfig(t, address, election+1), nothing)
	}
	if _, pushes := sw.Counts(); pushes != 1 {
		t.Fatalf("%d pushes, want 1", pushes)
	}
	other := testConfig(t, address, 9)
	other.Pipeline.DeviceConfig = append(other.Pipeline.DeviceConfig, ' ')
	run(t, other, nothing)
	if _, pushes := sw.Counts(); pushes != 2 {
		t.Fatalf("%d pushes after a change of the program, want 2", pushes)
	}
}

func TestBatchErrorNamesTheRefusedUpdates(t *testing.T) {
	_, address := startSwitch(t)
	run(t, testConfig(t, address, 1), func(ctx context.Context, s *Session) error {
		if err := s.Write(ctx, []tables.Update{insert(routeEntry(2))}); err != nil {
			t.Error(err)
		}
		err := s.Write(ctx, []tables.Update{insert(routeEntry(1)), insert(routeEntry(2)),
			insert(routeEntry(3))})
		var batch *BatchError
		if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Size != 3 ||
			batch.Failed[0].Code != codes.AlreadyExists ||
			!batch.Failed[0].Update.Entry.Equal(routeEntry(2)) {
			t.Errorf("%v", err)
		}
		if rows, _ := s.ReadTables(ctx, p4src.IPv4Table); len(rows) != 3 {
			t.Errorf("%d rows: the others should have been written", len(rows))
		}
		return nil
	})
}

func TestWhatDoesNotFitTheProgramIsRefusedWithTheValidChoices(t *testing.T) {
	info, err := NewInfo(testPipeline(t).P4Info)
	if err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*tables.Entry){
		"it has learn_table":          func(e *tables.Entry) { e.Table = "x" },
		"it has dst_addr":             func(e *tables.Entry) { e.Match[0].Field = "x" },
		"it has forward, no_route":    func(e *tables.Entry) { e.Action = "x" },
		"must be dst_mac, port":       func(e *tables.Entry) { e.Params = e.Params[:1] },
		"it has dst_mac, port":        func(e *tables.Entry) { e.Params[0].Name = "x" },
		"needs 10 bits: it has 9":     func(e *tables.Entry) { e.Params[1].Value = tables.Uint(512) },
		"must be lpm":                 func(e *tables.Entry) { e.Match[0].Kind = tables.Exact },
		"must be 0 to 32":             func(e *tables.Entry) { e.Match[0].Prefix = 33 },
		"bits set behind the prefix":  func(e *tables.Entry) { e.Match[0].Prefix = 31 },
		"not canonical":               func(e *tables.Entry) { e.Match[0].Value = "\x00\x01" },
		"must be set if and only if ": func(e *tables.Entry) { e.Priority = 1 },
	} {
		e := routeEntry(1)
		spoil(&e)
		if _, err := info.Entry(e, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want it to say %q", err, want)
		}
	}
}

func TestWorkEndsWhenPrimacyIsLostAndBeginsAgainWhenItReturns(t *testing.T) {
	_, address := startSwitch(t)
	ctx := testContext(t)
	first, err := New(testConfig(t, address, 1))
	if err != nil {
		t.Fatal(err)
	}
	terms, refusals, ended := make(chan struct{}), make(chan error), make(chan error)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		ended <- first.Run(ctx, func(term context.Context, s *Session) error {
			terms <- struct{}{}
			<-term.Done()
			if ctx.Err() == nil {
				refusals <- s.Write(ctx, []tables.Update{insert(routeEntry(1))})
			}
			return nil
		})
	}()
	<-terms
	run(t, testConfig(t, address, 2), func(context.Context, *Session) error {
		if err := <-refusals; !errors.Is(err, ErrNotPrimary) {
			t.Errorf("write after primacy was lost: %v", err)
		}
		return nil
	})
	<-terms // the second one has gone
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestClientConnectsAgainAfterTheSwitchWasAway(t *testing.T) {
	sw, address := startSwitch(t)
	ctx, cancel := context.WithCancel(testContext(t))
	var lost atomic.Int32
	cfg := testConfig(t, address, 1)
	cfg.Events.Disconnected = func(error) { lost.Add(1) }
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	terms, ended := make(chan struct{}), make(chan error)
	go func() {
		ended <- c.Run(ctx, func(ctx context.Context, s *Session) error {
			terms <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	<-terms
	sw.Stop()
	listener := listenAgain(t, address)
	sw.Serve(listener)
	<-terms
	if lost.Load() == 0 {
		t.Error("the loss was not reported")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestPacketsAndDigests(t *testing.T) {
	sw, address := startSwitch(t)
	cfg := testConfig(t, address, 1)
	packets, digests := make(chan Metadata, 1), make(chan DigestList, 2)
	cfg.PacketIn = func(payload []byte, meta Metadata) {
		if string(payload) != "in" {
			t.Errorf("payload %q", payload)
		}
		packets <- meta
	}
	cfg.Digest = func(l DigestList) bool { digests <- l; return true }
	run(t, cfg, func(ctx context.Context, s *Session) error {
		tellPacket(sw, "in")
		if meta := <-packets; len(meta) != 1 || meta[p4src.IngressPort] != tables.Uint(300) {
			t.Errorf("metadata %v: want the port and no padding", meta)
		}
		tellDigest(t, sw, s.Info())
		list := <-digests
		if list.Name != p4src.LearnDigest || len(list.Entries) != 1 || len(list.Entries[0]) != 3 ||
			list.Entries[0][2] != tables.Uint(7) {
			t.Errorf("%+v", list)
		}
		err := s.SendPacket([]byte("out"), Metadata{p4src.Submit: tables.Uint(1)})
		if err != nil {
			t.Error(err)
		}
		if err := s.SendPacket(nil, Metadata{p4src.EgressPort: tables.Uint(512)}); err == nil {
			t.Error("a port of 10 bits was accepted")
		}
		return sw.Await(ctx, func() bool { return len(sw.Packets()) == 1 && len(sw.Acks()) == 1 })
	})
	if ack := sw.Acks()[0]; ack.GetListId() != 42 {
		t.Errorf("%v", ack)
	}
}

func tellPacket(sw *fakeswitch.Switch, payload string) {
	sw.Tell(&p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Packet{
		Packet: &p4v1.PacketIn{Payload: []byte(payload), Metadata: []*p4v1.PacketMetadata{
			{MetadataId: 1, Value: []byte{1, 0x2c}}, {MetadataId: 2, Value: []byte{0}}}}}})
}

func tellDigest(t *testing.T, sw *fakeswitch.Switch, info *Info) {
	t.Helper()
	d, err := info.digests.find(p4src.LearnDigest)
	if err != nil {
		t.Fatal(err)
	}
	var members []*p4v1.P4Data
	for _, b := range [][]byte{{10, 0, 0, 7}, {2, 0, 0, 0, 0, 7}, {7}} {
		members = append(members, &p4v1.P4Data{Data: &p4v1.P4Data_Bitstring{Bitstring: b}})
	}
	sw.Tell(&p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Digest{
		Digest: &p4v1.DigestList{DigestId: d.id, ListId: 42, Data: []*p4v1.P4Data{{
			Data: &p4v1.P4Data_Struct{Struct: &p4v1.P4StructLike{Members: members}}}}}}})
}

func TestCountersByIndex(t *testing.T) {
	sw, address := startSwitch(t)
	run(t, testConfig(t, address, 1), func(ctx context.Context, s *Session) error {
		c, err := s.Info().counters.find(p4src.ReadCounter)
		if err != nil {
			t.Error(err)
		}
		sw.SetCounter(c.GetPreamble().GetId(), 3, 17)
		cells, err := s.ReadCounter(ctx, p4src.ReadCounter, 3, 4)
		if err != nil || len(cells) != 2 || cells[0] != (Cell{3, 17, 1700}) ||
			cells[1] != (Cell{Index: 4}) {
			t.Errorf("%v, %v", cells, err)
		}
		return nil
	})
}

func FuzzDecode(f *testing.F) {
	info, err := NewInfo(testPipeline(f).P4Info)
	if err != nil {
		f.Fatal(err)
	}
	entry, err := info.Entry(routeEntry(1), true)
	if err != nil {
		f.Fatal(err)
	}
	seed, _ := proto.Marshal(entry)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var list p4v1.DigestList
		if proto.Unmarshal(b, &list) == nil {
			_, _ = info.decodeDigests(&list)
		}
		var m p4v1.TableEntry
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		e, err := info.DecodeEntry(&m)
		if err != nil {
			return
		}
		again, err := info.Entry(e, true)
		if err != nil {
			return // servers may send what this client would not
		}
		if back, err := info.DecodeEntry(again); err != nil || back.Key() != e.Key() {
			t.Fatalf("%v came back as %v, %v", e, back, err)
		}
	})
}
