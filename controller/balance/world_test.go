package balance

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// load is a simulated workload: points on the line with a rate each.
type workload struct {
	keys   []kv.IndexKey
	reads  []float64 // sums of rates of the keys below
	writes []float64
}

// newWorkload gives the n-th of count keys weight(n) of the total rate; place puts it on the line.
func newWorkload(count int, reads, writes float64, weight func(int) float64,
	place func(int) kv.IndexKey,
) *workload {
	type point struct {
		key kv.IndexKey
		w   float64
	}
	points, sum := make([]point, count), 0.0
	for i := range points {
		points[i] = point{place(i), weight(i)}
		sum += points[i].w
	}
	slices.SortFunc(points, func(a, b point) int { return a.key.Compare(b.key) })
	l := &workload{reads: []float64{0}, writes: []float64{0}}
	for i, p := range points {
		l.keys = append(l.keys, p.key)
		l.reads = append(l.reads, l.reads[i]+reads*p.w/sum)
		l.writes = append(l.writes, l.writes[i]+writes*p.w/sum)
	}
	return l
}

func zipf(s float64) func(int) float64 {
	return func(i int) float64 { return math.Pow(float64(i+1), -s) }
}

func even(int) float64 { return 1 }

// hashed scatters keys over the line.
func hashed(i int) kv.IndexKey {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(i))
	return kv.HashPartitioned.IndexKey(b[:])
}

// ordered puts keys side by side: the hottest are neighbours.
func ordered(count int) func(int) kv.IndexKey {
	return func(i int) (k kv.IndexKey) {
		binary.BigEndian.PutUint64(k[:], uint64(i)*(math.MaxUint64/uint64(count)))
		return k
	}
}

// span returns the keys of an interval as indexes.
func (l *workload) span(i kv.Interval) (from, to int) {
	from = sort.Search(len(l.keys), func(n int) bool { return !l.keys[n].Less(i.First) })
	to = sort.Search(len(l.keys), func(n int) bool { return i.Last.Less(l.keys[n]) })
	return from, to
}

func (l *workload) rates(i kv.Interval) (reads, writes float64) {
	from, to := l.span(i)
	return l.reads[to] - l.reads[from], l.writes[to] - l.writes[from]
}

// draw returns a key of the interval, by rate.
func (l *workload) draw(r *rand.Rand, i kv.Interval) (kv.IndexKey, bool) {
	from, to := l.span(i)
	sum := l.reads
	if l.reads[len(l.keys)] == 0 {
		sum = l.writes
	}
	if sum[to] <= sum[from] {
		return kv.IndexKey{}, false
	}
	at := sum[from] + r.Float64()*(sum[to]-sum[from])
	n := sort.Search(to-from, func(n int) bool { return sum[from+n+1] > at })
	return l.keys[min(from+n, to-1)], true
}

// piece is a sub-range of the simulated cluster.
type piece struct {
	interval      kv.Interval
	chain         kv.Chain
	reads, writes float64 // as counted
}

// cluster is a simulated cluster under a workload, in steps of one second.
type cluster struct {
	t       *testing.T
	rng     *rand.Rand
	now     time.Duration
	nodes   []Node
	pieces  map[kv.SubRangeID]*piece
	next    kv.SubRangeID
	load    *workload
	noisy   bool // counters are Poisson
	bal     *Balancer
	meter   *Meter
	samples *Samples
	running map[kv.SubRangeID]running
	limits  Limits
	done    map[Kind]int // changes
	last    time.Duration
	whys    []string
}

type running struct {
	Change
	until time.Duration
	share float64
}

func newCluster(t *testing.T, nodes int, load *workload) *cluster {
	bal, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{
		t: t, rng: rand.New(rand.NewPCG(1, uint64(nodes))), pieces: map[kv.SubRangeID]*piece{},
		load: load, bal: bal, meter: NewMeter(), samples: NewSamples(), next: 1,
		running: map[kv.SubRangeID]running{}, done: map[Kind]int{},
		limits: Limits{FreeIDs: 1000, FreePrefixes: 10000},
	}
	for i := range nodes {
		c.nodes = append(c.nodes, Node{ID: kv.NodeID(i + 1), Alive: true, Capacity: 1})
	}
	return c
}

// cut creates n sub-ranges; chain gives the members of each.
func (c *cluster) cut(n int, chain func(int) kv.Chain) {
	for i, interval := range kv.EvenSplit(n) {
		c.pieces[c.next] = &piece{interval: interval, chain: chain(i)}
		c.next++
	}
}

// round places sub-range i on r nodes from i on.
func round(nodes, r int) func(int) kv.Chain {
	return func(i int) (out kv.Chain) {
		for k := range r {
			out = append(out, kv.NodeID((i+k)%nodes+1))
		}
		return out
	}
}

func poisson(r *rand.Rand, mean float64) float64 {
	if mean > 50 {
		return max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	n, p := 0.0, math.Exp(-mean)
	for u := r.Float64(); u > p; n++ {
		u *= r.Float64()
	}
	return n
}

func (c *cluster) ids() []kv.SubRangeID {
	var ids []kv.SubRangeID
	for id := range c.pieces {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// count is one second of work.
func (c *cluster) count() {
	var counts []Count
	for _, id := range c.ids() {
		p := c.pieces[id]
		reads, writes := c.load.rates(p.interval)
		if c.noisy {
			reads, writes = poisson(c.rng, reads), poisson(c.rng, writes)
		}
		p.reads, p.writes = p.reads+reads, p.writes+writes
		counts = append(counts, Count{id, uint64(p.reads), uint64(p.writes)})
		var keys []kv.IndexKey
		for range min(8, int(reads+writes)) {
			if k, ok := c.load.draw(c.rng, p.interval); ok {
				keys = append(keys, k)
			}
		}
		c.samples.Add(id, keys)
	}
	c.meter.Observe(c.now, "s1", counts, nil)
}

func (c *cluster) input() Input {
	in := Input{Now: c.now, Nodes: c.nodes, Limits: c.limits}
	for _, id := range c.ids() {
		p, l := c.pieces[id], c.meter.Of(id)
		in.SubRanges = append(in.SubRanges, SubRange{
			ID: id, Keyspace: 1, Interval: p.interval, Chain: p.chain, Reads: l.ReadRate,
			Writes: l.WriteRate, Samples: c.samples.Of(id),
		})
		if r, ok := c.running[id]; ok {
			in.Running = append(in.Running, r.Change)
		}
	}
	return in
}

// step is one second: work, what is finished, new proposals.
func (c *cluster) step() {
	c.now += time.Second
	c.count()
	for _, id := range c.ids() {
		if r, ok := c.running[id]; ok && r.until <= c.now {
			delete(c.running, id)
			c.finish(r)
		}
	}
	for _, p := range c.bal.Propose(c.input()) {
		took := map[Kind]time.Duration{Reorder: 1, Move: 5, Split: 1, Merge: 2}[p.Kind]
		c.bal.Begun(c.now, p.Change)
		c.running[p.SubRange] = running{p.Change, c.now + took*time.Second, p.Share}
		c.check(p)
		c.done[p.Kind]++
		c.last = c.now
		c.whys = append(c.whys, p.Why)
	}
}

// check demands that a proposal can be carried out.
func (c *cluster) check(p Proposal) {
	c.t.Helper()
	piece := c.pieces[p.SubRange]
	if piece == nil || p.Why == "" || len(c.running) > c.bal.Config().Plans {
		c.t.Fatalf("%v: %+v with %d running", c.now, p, len(c.running))
	}
	want := after(piece.chain, Change{From: p.From, To: p.To})
	got := slices.Clone(p.Chain)
	if p.Kind == Split || p.Kind == Merge {
		got = slices.Clone(piece.chain)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) || len(slices.Compact(got)) != len(piece.chain) {
		c.t.Fatalf("%v: chain %v: %+v", c.now, piece.chain, p)
	}
}

func (c *cluster) finish(r running) {
	p := c.pieces[r.SubRange]
	switch r.Kind {
	case Reorder, Move:
		p.chain = r.Chain
	case Split:
		if !p.interval.Contains(r.Cut) || r.Cut == p.interval.First {
			c.t.Fatalf("%v of %v: cut %v", r.SubRange, p.interval, r.Cut)
		}
		below, _ := r.Cut.Prev()
		c.pieces[c.next] = &piece{
			interval: kv.Interval{First: r.Cut, Last: p.interval.Last}, chain: slices.Clone(p.chain),
			reads: 123456, // counted by an earlier use
		}
		p.interval.Last = below
		c.meter.Split(c.now, r.SubRange, c.next, r.share)
		c.samples.Split(r.SubRange, c.next, r.Cut)
		c.next++
	case Merge:
		q := c.pieces[r.Other]
		if next, ok := p.interval.Last.Next(); !ok || next != q.interval.First ||
			!slices.Equal(p.chain, q.chain) {
			c.t.Fatalf("merge of %+v and %+v", p, q)
		}
		p.interval.Last = q.interval.Last
		p.reads, p.writes = p.reads+q.reads, p.writes+q.writes
		delete(c.pieces, r.Other)
		c.meter.Merge(r.SubRange, r.Other)
		c.samples.Drop(r.Other)
	}
}

func (c *cluster) run(steps int) {
	for range steps {
		c.step()
	}
}

// true loads of all nodes per capacity, in averages over those that are fit.
func (c *cluster) ratios() map[kv.NodeID]float64 {
	in := c.input()
	in.Running = nil
	for i, s := range in.SubRanges {
		in.SubRanges[i].Reads, in.SubRanges[i].Writes = c.load.rates(s.Interval)
	}
	m := newModel(c.bal.cfg, in)
	out := map[kv.NodeID]float64{}
	for h := range m.hosts {
		out[m.hosts[h].ID] = m.ratio(h)
	}
	return out
}

func (c *cluster) worst() (worst float64) {
	for i, n := range c.nodes {
		if c.nodes[i].Alive && !c.nodes[i].Draining {
			worst = max(worst, c.ratios()[n.ID])
		}
	}
	return worst
}

// quiet runs on and demands that nothing is done any more.
func (c *cluster) quiet(steps int) {
	c.t.Helper()
	at := len(c.whys)
	c.run(steps)
	if len(c.whys) > at {
		c.t.Fatalf("%d changes after the cluster had come to rest, such as:\n%s", len(c.whys)-at,
			c.whys[at])
	}
}
