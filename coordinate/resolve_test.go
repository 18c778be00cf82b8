package coordinate_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

var rounds = flag.Int("coordinate.rounds", 30, "random maps that are compared with the P4 program")

// keyspaces is how many keyspaces a random map has; requests also ask for the one after them.
const keyspaces = 2

// nodesOfRack is how many nodes the reference routes to.
const nodesOfRack = 8

// randomMap cuts two lines at random, with gaps, blocked sub-ranges and chains of 0 to 6 nodes.
func randomMap(r *rand.Rand) (out []coordinate.SubRange) {
	for ks := range keyspaces {
		intervals := kv.EvenSplit(1 + r.IntN(6))
		if r.IntN(2) == 0 {
			intervals = randomSplit(r)
		}
		for _, in := range intervals {
			if r.IntN(12) == 0 {
				continue // a gap
			}
			s := coordinate.SubRange{
				ID: kv.SubRangeID(len(out) + 1), Keyspace: kv.KeyspaceID(ks), Interval: in,
				Epoch: kv.Epoch(1 + r.Uint32N(1000)), Blocked: r.IntN(10) == 0,
			}
			for _, i := range r.Perm(nodesOfRack)[:r.IntN(kv.MaxChain+1)] {
				s.Chain = append(s.Chain, node(i+1))
			}
			out = append(out, s)
		}
	}
	return out
}

// randomSplit cuts a line anywhere, which costs a switch many prefixes.
func randomSplit(r *rand.Rand) (out []kv.Interval) {
	cuts := []kv.IndexKey{kv.MinIndexKey}
	for range r.IntN(20) {
		cuts = append(cuts, randomKey(r))
	}
	slices.SortFunc(cuts, kv.IndexKey.Compare)
	cuts = slices.Compact(cuts)
	for i, first := range cuts {
		last := kv.MaxIndexKey
		if i+1 < len(cuts) {
			last, _ = cuts[i+1].Prev()
		}
		out = append(out, kv.Interval{First: first, Last: last})
	}
	return out
}

func randomKey(r *rand.Rand) (k kv.IndexKey) {
	for i := range 1 + r.IntN(kv.IndexKeySize) {
		k[i] = byte(r.Uint32())
	}
	return k
}

// edge returns an index key, often one at an edge of a sub-range.
func edge(r *rand.Rand, subRanges []coordinate.SubRange) kv.IndexKey {
	if len(subRanges) == 0 || r.IntN(3) == 0 {
		return randomKey(r)
	}
	in := subRanges[r.IntN(len(subRanges))].Interval
	k := []kv.IndexKey{in.First, in.Last}[r.IntN(2)]
	switch r.IntN(4) {
	case 0:
		k, _ = k.Next()
	case 1:
		k, _ = k.Prev()
	}
	return k
}

var requestOps = []wire.Op{wire.OpGet, wire.OpScan, wire.OpScan, wire.OpPut, wire.OpDelete, wire.OpCAS,
	wire.OpIncrement}

// randomRequest makes a request, now and then one that is none.
func randomRequest(r *rand.Rand, subRanges []coordinate.SubRange) []byte {
	p := wire.Packet(wire.Append(nil, requestOps[r.IntN(len(requestOps))]))
	p.SetKeyspace(kv.KeyspaceID(r.IntN(keyspaces + 1)))
	p.SetRequest(kv.ClientID(r.Uint64()), kv.RequestSeq(r.Uint64()), 1)
	p.SetIndexKey(edge(r, subRanges))
	if p.Op() == wire.OpScan {
		p.SetEndIndexKey(edge(r, subRanges))
		p.SetScanBudget(uint8(r.IntN(24)))
	}
	p = append(p, make([]byte, r.IntN(40))...)
	p.Seal()
	for range max(r.IntN(8)-5, 0) { // garbage; a switch checks no CRC
		p[r.IntN(wire.HeaderSize)] = byte(r.Uint32())
	}
	switch r.IntN(40) {
	case 0:
		return p[:r.IntN(wire.HeaderSize)]
	case 1:
		return append(p, 0)
	}
	return p
}

// TestResolveDoesWhatTheSwitchDoes is the promise of this package: the P4 program in the built-in
// switch is the slow twin of Resolve.
func TestResolveDoesWhatTheSwitchDoes(t *testing.T) {
	seen := map[string]int{}
	for seed := range *rounds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 7))
			subRanges := randomMap(r)
			m, err := coordinate.NewMap(subRanges, nil)
			if err != nil {
				t.Fatal(err)
			}
			sw := newReference(t, subRanges, nodesOfRack)
			sw.route(clientAddr.Addr(), clientPort)
			var out coordinate.Output
			for range 400 {
				request := randomRequest(r, subRanges)
				compare(t, sw, m, &out, request, seen)
				if t.Failed() {
					return
				}
			}
		})
	}
	for _, what := range []string{"resolved", "TRY_AGAIN", "NO_KEYSPACE", "BAD_REQUEST", "split",
		"TRUNCATED", "BAD_MAGIC", "BAD_VERSION", "BAD_OP", "NOT_A_REQUEST", "BAD_LENGTH", "BAD_FRAGMENT"} {
		if seen[what] == 0 && *rounds >= 30 {
			t.Errorf("no request met %s: %v", what, seen)
		}
	}
}

// compare gives one request to both and compares all that leaves.
func compare(
	t *testing.T, sw *reference, m *coordinate.Map, out *coordinate.Output, request []byte,
	seen map[string]int,
) {
	t.Helper()
	before := slices.Clone(request)
	want, drops := sw.send(request)
	out.Reset()
	first := m.Resolve(request, clientAddr, out)
	var got []sent
	for _, s := range out.Sends {
		got = append(got, sent{s.To, string(s.Payload)})
	}
	order := func(a, b sent) int { return a.to.Compare(b.to) }
	slices.SortStableFunc(want, order) // what goes round in a switch may be overtaken
	slices.SortStableFunc(got, order)
	if !slices.Equal(got, want) {
		t.Errorf("request %x\nthe switch sent%s\nResolve sent%s", request, describe(want), describe(got))
	}
	if !slices.Equal(request, before) {
		t.Errorf("Resolve changed its request")
	}
	if first.Verdict == coordinate.Dropped && drops[first.Drop] != 1 {
		t.Errorf("request %x: dropped because of %v; the switch counted %v", request, first.Drop, drops)
	}
	seen[label(first)]++
	if len(got) > 1 {
		seen["split"]++
	}
}

func label(p coordinate.Piece) string {
	switch p.Verdict {
	case coordinate.Dropped:
		return p.Drop.String()
	case coordinate.Answered:
		return p.Status.String()
	}
	return p.Verdict.String()
}

func TestANilMapAnswersTryAgain(t *testing.T) {
	var m *coordinate.Map
	var out coordinate.Output
	request := randomRequest(rand.New(rand.NewPCG(1, 1)), nil)
	piece := m.Resolve(request, clientAddr, &out)
	if piece.Status != wire.StatusTryAgain || len(out.Sends) != 1 || out.Sends[0].To != clientAddr {
		t.Errorf("a map that knows nothing: %+v, sent %v", piece, out.Sends)
	}
	if _, err := wire.Parse(out.Sends[0].Payload); err != nil {
		t.Errorf("the answer is no packet: %v", err)
	}
	if !m.Outdated(1, 1) || m.Nodes() != nil {
		t.Error("a map that knows nothing claims to know something")
	}
}

func TestNewMapRefusesWhatIsNoMap(t *testing.T) {
	whole := kv.FullInterval
	for name, subRanges := range map[string][]coordinate.SubRange{
		"overlap":  {{ID: 1, Interval: whole}, {ID: 2, Interval: whole}},
		"id twice": {{ID: 1, Interval: whole}, {ID: 1, Keyspace: 1, Interval: whole}},
		"id zero":  {{Interval: whole}},
		"swapped":  {{ID: 1, Interval: kv.Interval{First: kv.MaxIndexKey, Last: kv.MinIndexKey}}},
		"chain":    {{ID: 1, Interval: whole, Chain: make(kv.Chain, kv.MaxChain+1)}},
	} {
		if m, err := coordinate.NewMap(subRanges, nil); err == nil {
			t.Errorf("%s: made %v", name, m)
		}
	}
}

func TestOutdated(t *testing.T) {
	m, err := coordinate.NewMap([]coordinate.SubRange{{ID: 7, Epoch: 5, Interval: kv.FullInterval}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id      kv.SubRangeID
		refused kv.Epoch
		want    bool
	}{{7, 4, false}, {7, 5, true}, {7, 6, true}, {8, 5, false}} {
		if got := m.Outdated(c.id, c.refused); got != c.want {
			t.Errorf("%v refused in %v: outdated %v, want %v", c.id, c.refused, got, c.want)
		}
	}
}

// BenchmarkResolve is what a coordinator pays for a GET, the copy of the packet included.
func BenchmarkResolve(b *testing.B) {
	var subRanges []coordinate.SubRange
	for i, in := range kv.EvenSplit(64) {
		subRanges = append(subRanges, coordinate.SubRange{ID: kv.SubRangeID(i + 1), Keyspace: 1,
			Interval: in, Epoch: 1, Chain: kv.Chain{node(1), node(2), node(3)}})
	}
	m, err := coordinate.NewMap(subRanges, nil)
	if err != nil {
		b.Fatal(err)
	}
	p := wire.Packet(wire.Append(nil, wire.OpGet))
	p.SetKeyspace(1)
	p = wire.AppendKeyed(p, []byte("greeting"), nil)
	p.Seal()
	var out coordinate.Output
	client := netip.MustParseAddrPort("10.0.9.1:40001")
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if m.Resolve(p, client, &out).Verdict != coordinate.Resolved {
			b.Fatal("not resolved")
		}
	}
}
