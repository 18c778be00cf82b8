package balance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// All hot keys begin on one node; the hottest key alone is 18 % of the load.
func TestZipfFromOneNodeConverges(t *testing.T) {
	for r := 1; r <= 3; r++ {
		for _, noisy := range []bool{false, true} {
			t.Run(fmt.Sprintf("replication %d noisy %v", r, noisy), func(t *testing.T) {
				c := newCluster(t, 5, newWorkload(10000, 4000, 1000, zipf(1.2), ordered(10000)))
				c.noisy = noisy
				c.cut(20, round(5, r))
				before := c.worst()
				c.run(900)
				if got := c.worst(); got > 1.3 { // what is between is within the noise
					t.Errorf("max/avg %.2f -> %.2f after 900 s: %v", before, got, c.ratios())
				}
				t.Logf("max/avg %.2f -> %.2f by %v, the last at %v", before, c.worst(), c.done, c.last)
				c.quiet(2000)
			})
		}
	}
}

func TestLoadIsLevelledNotCounts(t *testing.T) {
	// The keys of every fourth sub-range are hot, and those are all on node 1.
	load := newWorkload(6400, 6000, 0, func(i int) float64 {
		if i/100%4 == 0 {
			return 10
		}
		return 1
	}, ordered(6400))
	c := newCluster(t, 4, load)
	c.cut(64, round(4, 1))
	if w := c.worst(); w < 2.5 {
		t.Fatalf("%.2f: the test is too easy", w)
	}
	c.run(600)
	held := map[kv.NodeID]int{}
	for _, p := range c.pieces {
		held[p.chain.Head()]++
	}
	if w := c.worst(); w > 1.25 {
		t.Fatalf("max/avg %.2f, %v", w, c.ratios())
	}
	if held[1] >= 16 || c.done[Split] > 0 {
		t.Fatalf("replicas %v, changes %v", held, c.done)
	}
	c.quiet(2000)
}

// Reads move to other tails without a byte copied.
func TestRolesAreExchangedBeforeDataMove(t *testing.T) {
	c := newCluster(t, 3, newWorkload(3000, 5000, 500, even, hashed))
	c.cut(24, func(int) kv.Chain { return kv.Chain{1, 2, 3} })
	c.run(300)
	if w := c.worst(); w > 1.25 || c.done[Move] > 0 || c.done[Split] > 0 {
		t.Fatalf("max/avg %.2f by %v", w, c.done)
	}
	c.quiet(2000)
}

func TestItStillMovesWhenMostAreHot(t *testing.T) {
	c := newCluster(t, 6, newWorkload(20000, 30000, 3000, even, hashed))
	c.cut(48, func(i int) kv.Chain { return kv.Chain{1, kv.NodeID(i%2 + 2)} }) // 4 to 6 have nothing
	c.run(900)
	if w := c.worst(); w > 1.25 {
		t.Fatalf("max/avg %.2f: %v by %v", w, c.ratios(), c.done)
	}
	c.quiet(2000)
}

func TestANodeAddedGetsLoad(t *testing.T) {
	c := newCluster(t, 10, newWorkload(20000, 10000, 1000, even, hashed))
	c.noisy = true
	c.cut(200, round(10, 3))
	c.quiet(300) // it is level, and the eleventh node makes nobody overloaded
	c.nodes = append(c.nodes, Node{ID: 11, Alive: true, Capacity: 1})
	c.run(600)
	if x := c.ratios()[11]; x < 0.8 || c.worst() > 1.25 {
		t.Fatalf("the new node has %.2f of the average: %v", x, c.done)
	}
	c.quiet(2000)
}

func TestAnIdleClusterSpreadsToo(t *testing.T) {
	c := newCluster(t, 3, newWorkload(10, 0, 0, even, hashed))
	c.cut(30, round(2, 2))
	c.run(900)
	if x := c.ratios()[3]; x < 0.8 {
		t.Fatalf("the third node has %.2f of the average: %v", x, c.done)
	}
	c.quiet(2000)
}

func TestDrainingAndDeadNodesGetNothing(t *testing.T) {
	c := newCluster(t, 5, newWorkload(20000, 10000, 1000, zipf(0.8), ordered(20000)))
	c.cut(40, func(i int) kv.Chain { return kv.Chain{1, kv.NodeID(i%2 + 2)} })
	c.nodes[3].Draining = true
	c.nodes[4].Alive = false
	c.run(900)
	if x := c.ratios(); x[4] != 0 || x[5] != 0 {
		t.Fatalf("%v", x)
	}
	if c.done[Move]+c.done[Reorder] == 0 {
		t.Fatal("nothing moved at all")
	}
}

// A key that is hotter than an average node cannot be divided.
func TestOneHotKeyIsNotSplitForEver(t *testing.T) {
	load := newWorkload(1000, 5000, 0, func(i int) float64 {
		if i == 500 {
			return 2000
		}
		return 1
	}, ordered(1000))
	c := newCluster(t, 4, load)
	c.noisy = true
	c.cut(8, round(4, 2))
	c.run(900)
	hot := hotPiece(c)
	from, to := load.span(hot.interval)
	t.Logf("max/avg %.2f by %v; the hot key is with %d others", c.worst(), c.done, to-from-1)
	if c.done[Split] > 12 {
		t.Fatalf("%d splits", c.done[Split])
	}
	if x := c.ratios()[hot.chain.Tail()]; x > 2.75 { // it has 2000 of 2999
		t.Fatalf("the node of the hot key has %.2f averages, more than its key", x)
	}
	c.quiet(2000)
}

func hotPiece(c *cluster) (hot *piece) {
	best := -1.0
	for _, p := range c.pieces {
		if r, w := c.load.rates(p.interval); r+w > best {
			best, hot = r+w, p
		}
	}
	return hot
}

func TestCapacityCounts(t *testing.T) {
	c := newCluster(t, 4, newWorkload(20000, 20000, 2000, even, hashed))
	c.nodes[0].Capacity, c.nodes[1].Capacity = 4, 2
	c.cut(80, round(4, 2))
	c.run(900)
	if w := c.worst(); w > 1.25 {
		t.Fatalf("max/avg %.2f: %v by %v", w, c.ratios(), c.done)
	}
	c.quiet(2000)
}

func TestColdNeighboursAreMergedDownToTheTarget(t *testing.T) {
	c := newCluster(t, 4, newWorkload(20000, 20000, 2000, zipf(1.1), ordered(20000)))
	c.limits.SubRanges = 60
	c.cut(120, round(4, 2))
	c.run(3000)
	if n := len(c.pieces); n > 60 || n < 50 || c.worst() > 1.3 {
		t.Fatalf("%d sub-ranges, max/avg %.2f by %v", n, c.worst(), c.done)
	}
	c.quiet(2000)
}

func TestALoadThatPassesIsNotWorthMoving(t *testing.T) {
	calm := newWorkload(2000, 8000, 500, even, hashed)
	burst := newWorkload(2000, 8000, 500, zipf(1.2), ordered(2000))
	c := newCluster(t, 4, calm)
	c.cut(40, round(4, 2))
	for range 50 {
		c.load = calm
		c.run(60)
		c.load = burst
		c.run(5)
	}
	if len(c.whys) > 0 {
		t.Fatalf("%v, such as: %s", c.done, c.whys[0])
	}
}

func TestReasonsHaveNumbers(t *testing.T) {
	c := newCluster(t, 3, newWorkload(2000, 8000, 500, even, hashed))
	c.cut(12, func(i int) kv.Chain { return kv.Chain{1, 2} })
	c.run(10)
	got := c.bal.Now(c.input())
	if len(got) == 0 || got[0].Before <= got[0].After || got[0].Gain <= 0 {
		t.Fatalf("%+v", got)
	}
	for _, word := range []string{"sub-range ", "reads/s", "averages of", "0.0.0.2 ", " -> "} {
		if !strings.Contains(got[0].Why, word) {
			t.Errorf("no %q in: %s", word, got[0].Why)
		}
	}
	if more := c.bal.Now(c.input()); len(more) != len(got) {
		t.Fatal("asking has changed something")
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for want, cfg := range map[string]Config{
		"band 1.50 to 1.25": {Low: 1.5},
		"hold -1s":          {Hold: -time.Second},
		"merge share 0.2":   {MergeShare: 0.2},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
}
