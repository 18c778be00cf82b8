package hops

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/trace"
	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// lab is a switch with the real program.
type lab struct {
	t      *testing.T
	sw     *v1model.Switch
	worker *v1model.Worker
	teller Teller
	told   []string
}

const service = "10.255.0.1"

func newLab(t *testing.T) *lab {
	program, err := bmv2.Load(p4src.DeviceConfig())
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t}
	if l.sw, err = v1model.NewSwitch(program, v1model.Config{OnDigest: func(v1model.Digest) {}}); err != nil {
		t.Fatal(err)
	}
	l.worker = l.sw.NewWorker()
	l.teller.Neighbour = func(sw string, port uint16) string {
		return map[uint16]string{1: "h1", 2: "n2", 3: "n3", 21: "s4", 22: "s5"}[port]
	}
	if _, err := l.sw.Watch(v1model.Filter{}, l.tell); err != nil {
		t.Fatal(err)
	}
	l.rack()
	return l
}

func (l *lab) tell(x *v1model.Trace) {
	h := l.teller.Tell("s1", trace.Line{Time: time.Unix(0, 0), Trace: x})
	_, line, _ := strings.Cut(h.String(), "  ")
	l.told = append(l.told, line)
}

// rack is the home of the upper half of keyspace 2, in two sub-ranges; the lower half is known above.
func (l *lab) rack() {
	l.add(p4src.ServiceTable, p4src.ToService, []v1model.Match{exact(ip(service))})
	l.add(p4src.PortTable, p4src.FromAbove, []v1model.Match{exact(be(21, 2))})
	l.add(p4src.PortTable, p4src.FromAbove, []v1model.Match{exact(be(22, 2))})
	for slot := range uint64(p4src.GroupSlots) {
		l.add(p4src.HopTable, p4src.Hop, []v1model.Match{exact(be(4, 2)), exact(be(slot, 1))}, be(21, 2), be(0, 6))
	}
	l.add(p4src.PartitionTable, p4src.PassUp, []v1model.Match{exact(be(2, 2)), {Any: true}}, be(4, 2))
	for i, first := range []byte{0x80, 0xc0} {
		key := append([]byte{first}, make([]byte, 15)...)
		l.add(p4src.PartitionTable, p4src.SetSubRange,
			[]v1model.Match{exact(be(2, 2)), {Value: key, PrefixLen: 2}}, be(uint64(60+i), 4))
		last, next := append([]byte{first | 0x3f}, ones(15)...), append([]byte{0xc0}, make([]byte, 15)...)
		l.add(p4src.SubRangeTable, p4src.Serve, []v1model.Match{exact(be(uint64(60+i), 4))}, be(9, 4), be(2, 1),
			ip("10.0.1.2"), ip("10.0.1.3"), be(0, 4), be(0, 4), be(0, 4), be(0, 4), last, next, be(uint64(i), 1))
	}
	for host, port := range map[string]uint64{"10.0.1.1": 1, "10.0.1.2": 2, "10.0.1.3": 3} {
		l.add(p4src.IPv4Table, p4src.Forward, []v1model.Match{{Value: ip(host), PrefixLen: 32}}, be(port, 2), be(0, 6))
	}
	session := &v1model.CloneSession{ID: p4src.ScanCloneSession, Replicas: []v1model.Replica{{Port: 1}}}
	if errs := l.sw.Update([]v1model.Op{{Type: v1model.OpInsert, Entity: session}}); errs != nil {
		l.t.Fatal(errors.Join(errs...))
	}
}

func (l *lab) add(table, action string, match []v1model.Match, params ...[]byte) {
	l.t.Helper()
	for _, t := range l.sw.Program().Tables() {
		for _, a := range t.Actions {
			if short(t.Name) != table || short(a.Name) != action {
				continue
			}
			err := l.sw.Insert(&v1model.Entry{Table: t.Name, Action: a.Name, Match: match, Params: params})
			if err != nil {
				l.t.Fatal(err)
			}
			return
		}
	}
	l.t.Fatalf("the program has no table %s with action %s", table, action)
}

func exact(v []byte) v1model.Match { return v1model.Match{Value: v} }
func be(v uint64, size int) []byte { return binary.BigEndian.AppendUint64(nil, v)[8-size:] }
func ip(text string) []byte        { return netip.MustParseAddr(text).AsSlice() }

func ones(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = 0xff
	}
	return out
}

// send gives a frame to the switch and returns what is told, and the frames that left.
func (l *lab) send(port uint16, from, to string, p wire.Packet) (told string, out [][]byte) {
	l.t.Helper()
	p.Seal()
	flow := wire.Flow{Src: netip.MustParseAddrPort(from), Dst: netip.MustParseAddrPort(to)}
	l.told = nil
	l.worker.Process(port, wire.AppendFrame(nil, flow, p), func(_ uint16, frame []byte) {
		out = append(out, append([]byte(nil), frame...))
	})
	if len(l.told) != 1 {
		l.t.Fatalf("%d traces", len(l.told))
	}
	return l.told[0], out
}

func ask(op wire.Op, key string) wire.Packet {
	p := wire.Packet(wire.AppendKeyed(wire.Append(nil, op), []byte(key), nil))
	p.SetKeyspace(2)
	p.SetRequest(7, 12, 12)
	p.SetIndexKey(kv.RangePartitioned.IndexKey([]byte(key)))
	return p
}

const client, toService = "10.0.1.1:40000", service + ":21579"

func TestRequestThatPassesUp(t *testing.T) {
	l := newLab(t)
	got, _ := l.send(1, client, toService, ask(wire.OpGet, "user:42"))
	want := "s1 in 1 from h1: GET user:42: reports its source to the controller, " +
		"partition_table: keyspace=2 index_key=any -> pass_up(group 4), " +
		"hop_table: group=4 slot=N -> hop(port 21); out 21 to s4"
	got = withoutSlot(got)
	// The digest is made at the end of ingress.
	want = strings.Replace(want, "reports its source to the controller, ", "", 1)
	want = strings.Replace(want, "; out", ", reports its source to the controller; out", 1)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// withoutSlot hides which slot the hash of the flow has chosen.
func withoutSlot(text string) string {
	before, after, ok := strings.Cut(text, "slot=")
	if !ok {
		return text
	}
	_, after, _ = strings.Cut(after, " ")
	return before + "slot=N " + after
}

// TestRequestIsResolvedAndAnswered follows a write from the home of its key to the head, and the
// answer of the tail, which has the name of the key from the request.
func TestRequestIsResolvedAndAnswered(t *testing.T) {
	l := newLab(t)
	got, out := l.send(21, client, toService, ask(wire.OpPut, "\x80key"))
	want := `s1 in 21 from s4: PUT "\x80key": port_table: ingress_port=21 -> from_above, ` +
		"partition_table: keyspace=2 index_key=0x80/2 -> set_sub_range(id 60), " +
		"sub_range_table: id=60 -> serve(epoch 9, chain 10.0.1.2 10.0.1.3), " +
		"ipv4_table: dst_addr=10.0.1.2/32 -> forward(port 2); out 2 to n2"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_, payload, _ := wire.ParseFrame(out[0])
	resolved, err := wire.Parse(payload)
	if err != nil {
		t.Fatal(err)
	}
	reply := wire.Packet(resolved.AppendReply(nil, wire.StatusOK))
	got, _ = l.send(3, "10.0.1.3:21579", client, reply)
	want = `s1 in 3 from n3: answer OK to PUT "\x80key": ` +
		"ipv4_table: dst_addr=10.0.1.1/32 -> forward(port 1)"
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "; out 1 to h1") {
		t.Errorf("got  %s\nwant %s ...; out 1 to h1", got, want)
	}
}

// TestSwitchAnswersItself sends a key of another home down, as a stale switch above would.
func TestSwitchAnswersItself(t *testing.T) {
	l := newLab(t)
	p := ask(wire.OpGet, "user:42")
	got, _ := l.send(21, client, toService, p)
	if !strings.HasSuffix(got, "; answers TRY_AGAIN, out 21 to s4") {
		t.Errorf("got %s", got)
	}
}

func TestScanThatIsSplit(t *testing.T) {
	l := newLab(t)
	p := wire.Packet(wire.ScanRequest{Limit: 10, Start: []byte{0x90}}.Append(wire.Append(nil, wire.OpScan)))
	p.SetKeyspace(2)
	p.SetRequest(7, 13, 13)
	p.SetIndexKey(kv.RangePartitioned.IndexKey([]byte{0x90}))
	p.SetEndIndexKey(kv.IndexKey(ones(16)))
	p.SetScanBudget(4)
	got, out := l.send(1, client, toService, p)
	lines := strings.Split(got, "\n")
	if len(out) != 2 || !strings.Contains(lines[0], "SCAN from 0x90 to the end") ||
		!strings.Contains(lines[0], "set_sub_range(id 60)") || !strings.Contains(got, "set_sub_range(id 61)") ||
		strings.Count(got, "; out 3 to n3") != 2 || !strings.Contains(got, "recirculated") {
		t.Errorf("%d frames left; told\n%s", len(out), got)
	}
}

func TestDropsHaveReasons(t *testing.T) {
	l := newLab(t)
	got, _ := l.send(1, "10.0.1.1:1", "10.9.9.9:2", wire.Packet(wire.Append(nil, wire.OpGet)))
	want := "s1 in 1 from h1: GET 0x00: ipv4_table: dst_addr=10.9.9.9 no entry -> " +
		"no_route"
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "dropped: NO_ROUTE") {
		t.Errorf("got  %s\nwant %s ... dropped: NO_ROUTE", got, want)
	}
}

// TestWordsForPackets gives packets as they come between nodes and after resolving.
func TestWordsForPackets(t *testing.T) {
	resolved := ask(wire.OpGet, "user:42")
	resolved.SetChain(kv.Chain{kv.NodeIDOf(netip.MustParseAddr("10.0.1.2"))}, 0)
	scan := wire.Packet(wire.ScanRequest{Limit: 1, Start: []byte(" ")}.Append(wire.Append(nil, wire.OpScan)))
	scan.SetIndexKey(kv.IndexKey{0x20})
	scan.SetEndIndexKey(kv.IndexKey(append([]byte{0x2f}, ones(15)...)))
	for want, p := range map[string]wire.Packet{
		"GET user:42 for 10.0.1.2":              resolved,
		"SCAN from 0x20 to 0x2fff..":            scan,
		"CHAIN_HELLO from 10.0.1.1 to 10.0.1.2": wire.Append(nil, wire.OpChainHello),
		"answer NOT_FOUND to DELETE \"a b\"":    wire.Packet(ask(wire.OpDelete, "a b").AppendReply(nil, 1)),
	} {
		if got, _ := newLab(t).send(1, "10.0.1.1:5", "10.0.1.2:6", p); !strings.Contains(got, ": "+want+": ") {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestSearchFindsRequestsAndAnswers counts what searches find of two requests, an answer and a plain
// datagram.
func TestSearchFindsRequestsAndAnswers(t *testing.T) {
	keyspace, other := kv.KeyspaceID(2), kv.KeyspaceID(3)
	key := kv.RangePartitioned.IndexKey([]byte("user:42"))
	for name, c := range map[string]struct {
		search Search
		want   int
	}{
		"all of the store":  {Search{}, 3},
		"op":                {Search{Op: wire.OpGet}, 2},
		"key":               {Search{IndexKey: &key, Keyspace: &keyspace}, 2},
		"another keyspace":  {Search{IndexKey: &key, Keyspace: &other}, 0},
		"client":            {Search{Client: 7}, 3},
		"client and op":     {Search{Client: 7, Op: wire.OpPut}, 1},
		"client that isn't": {Search{Client: 8}, 0},
	} {
		l := newLab(t)
		filter, _, err := trace.ParseQuery(c.search.Query())
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		if _, err := l.sw.Watch(filter, func(*v1model.Trace) { found++ }); err != nil {
			t.Fatal(err)
		}
		get := ask(wire.OpGet, "user:42")
		l.send(1, client, toService, get)
		l.send(1, client, toService, ask(wire.OpPut, "user:43"))
		l.send(2, "10.0.1.2:21579", client, wire.Packet(get.AppendReply(nil, wire.StatusOK)))
		l.worker.Process(1, make([]byte, 60), func(uint16, []byte) {})
		if found != c.want {
			t.Errorf("%s: found %d packets, want %d", name, found, c.want)
		}
	}
}

func TestParseOp(t *testing.T) {
	if op, err := ParseOp("get"); op != wire.OpGet || err != nil {
		t.Errorf("get: %v, %v", op, err)
	}
	if _, err := ParseOp("fetch"); err == nil || !strings.Contains(err.Error(), "GET, SCAN, PUT") {
		t.Errorf("fetch: %v", err)
	}
}

// FuzzTell gives the switch any frame; whatever it is must be told without a panic.
func FuzzTell(f *testing.F) {
	p := ask(wire.OpGet, "user:42")
	p.Seal()
	flow := wire.Flow{Src: netip.MustParseAddrPort(client), Dst: netip.MustParseAddrPort(toService)}
	f.Add(uint16(1), wire.AppendFrame(nil, flow, p))
	f.Add(uint16(p4src.CPUPort), append([]byte{0, 0x80}, wire.AppendFrame(nil, flow, p)...))
	f.Add(uint16(2), make([]byte, 60))
	var l *lab
	f.Fuzz(func(t *testing.T, port uint16, frame []byte) {
		if l == nil {
			l = newLab(t)
		}
		l.told = nil
		l.worker.Process(port, frame, func(uint16, []byte) {})
		if len(l.told) != 1 || l.told[0] == "" {
			t.Errorf("told %q", l.told)
		}
	})
}
