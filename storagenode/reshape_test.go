package storagenode

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// nextEpoch returns an assignment of the next epoch.
func nextEpoch(a kv.Assignment) kv.Assignment {
	a.Epoch, a.Create, a.Forks, a.Absorb = a.Epoch+1, false, nil, kv.Absorbed{}
	return a
}

// TestControllerSplitsAndMerges orders a split, writes to both halves, and merges them again. Every
// order has one acknowledgement, and reports tell what was asked for.
func TestControllerSplitsAndMerges(t *testing.T) {
	controller, control := startController(t, "c1")
	network := transport.NewNetwork()
	startNode(t, Config{
		Conn: listen(t, network, nodeAddr(1)), DataDir: t.TempDir(), Control: control,
	})
	s := <-controller.sessions
	order := func(a kv.Assignment) {
		t.Helper()
		s.send <- assignMessage(a)
		got := s.ack(t)
		if kv.SubRangeID(got.SubRange) != a.SubRange || kv.Epoch(got.Epoch) != a.Epoch || got.Error != "" {
			t.Fatalf("ack of %v at %v: %v", a.SubRange, a.Epoch, got)
		}
	}
	whole := wholeLine(kv.DurabilitySync, nodeAddr(1))
	order(whole)

	lower, upper := nextEpoch(whole), whole
	cut := kv.RangePartitioned.IndexKey([]byte("m"))
	lower.Interval.Last, _ = cut.Prev()
	upper.SubRange, upper.Interval.First, upper.Create = whole.SubRange+1, cut, false
	lower.Forks = []kv.Assignment{upper}
	order(lower)

	client := func(port uint16, a kv.Assignment) *client {
		addr := netip.AddrPortFrom(nodeAddr(9).Addr(), port)
		return newClient(t, listen(t, network, addr), nodeAddr(1).Port(), a)
	}
	below, above := client(4001, lower), client(4002, upper)
	below.do(t, request{op: wire.OpPut, key: "a", value: "1"})
	above.do(t, request{op: wire.OpPut, key: "x", value: "1"}, request{op: wire.OpPut, key: "x", value: "2"})
	x := kv.RangePartitioned.IndexKey([]byte("x"))
	s.report(t, func(r *controlpb.Report) bool {
		return len(r.SubRanges) == 2 && r.SubRanges[1].Applied == 2 && r.SubRanges[1].Stable == 2
	})

	lower, upper = nextEpoch(lower), nextEpoch(upper)
	lower.Frozen, upper.Frozen = true, true
	order(lower)
	order(upper)
	merged := nextEpoch(lower)
	merged.Frozen, merged.Interval = false, kv.FullInterval
	merged.Absorb = kv.Absorbed{SubRange: upper.SubRange, Epoch: upper.Epoch, Into: lower.Epoch}
	wrong := merged
	wrong.Absorb.Epoch = 1
	s.send <- assignMessage(wrong)
	if got := s.ack(t); !strings.Contains(got.Error, "not at rest") {
		t.Errorf("ack of a merge at another epoch: %v", got)
	}
	order(merged)
	below.to = merged
	for _, c := range []struct{ key, value string }{{"a", "1"}, {"x", "2"}} {
		if got := below.do(t, request{op: wire.OpGet, key: c.key}); got[0].value != c.value {
			t.Errorf("%s is %+v after the merge, want %s", c.key, got[0], c.value)
		}
	}
	s.report(t, func(r *controlpb.Report) bool {
		return len(r.SubRanges) == 1 && kv.Epoch(r.SubRanges[0].Epoch) == merged.Epoch &&
			slices.ContainsFunc(r.SubRanges[0].Samples, func(k []byte) bool { return string(k) == string(x[:]) })
	})
}
