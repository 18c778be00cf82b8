package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// Mix is a YCSB workload: the share of each kind of operation and which records they touch.
type Mix struct {
	Name         string
	Share        [OpKinds]float64 // sums to 1
	Distribution string           // Uniform, Zipfian or Latest
	MaxScan      int              // scans want 1 to MaxScan records, evenly distributed
}

// Mixes are the YCSB core workloads by name (workloads/workloada to workloadf of the Java YCSB).
var mixes = []Mix{
	{Name: "A", Distribution: Zipfian, Share: share(Read, 0.5, Update, 0.5)},
	{Name: "B", Distribution: Zipfian, Share: share(Read, 0.95, Update, 0.05)},
	{Name: "C", Distribution: Zipfian, Share: share(Read, 1, Update, 0)},
	{Name: "D", Distribution: Latest, Share: share(Read, 0.95, Insert, 0.05)},
	{Name: "E", Distribution: Zipfian, Share: share(Scan, 0.95, Insert, 0.05), MaxScan: 100},
	{Name: "F", Distribution: Zipfian, Share: share(Read, 0.5, ReadModifyWrite, 0.5)},
}

func share(a OpKind, partA float64, b OpKind, partB float64) (s [OpKinds]float64) {
	s[a], s[b] = partA, partB
	return s
}

// ParseMix returns the YCSB core workload of that letter, in either case.
func ParseMix(name string) (Mix, error) {
	for _, m := range mixes {
		if strings.EqualFold(m.Name, name) {
			return m, nil
		}
	}
	return Mix{}, fmt.Errorf("workload %q: must be one of the YCSB letters A to F", name)
}

// Population is the records that exist, shared by all threads of a run. It is safe for concurrent
// use.
type Population struct {
	mu   sync.Mutex
	size uint64   // every record below it exists
	next uint64   // number of the next insert
	done []uint64 // finished inserts from size on, ascending
}

// NewPopulation starts with records 0 to n-1.
func NewPopulation(n uint64) *Population { return &Population{size: n, next: n} }

// Size returns the number of records that may be read.
func (p *Population) Size() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// insert draws the number of a new record.
func (p *Population) insert() Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	return Record(p.next - 1)
}

// finish makes the record readable once all before it are finished too, so that readers never
// draw a number that nobody has tried to insert.
func (p *Population) finish(n Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, _ := slices.BinarySearch(p.done, uint64(n))
	p.done = slices.Insert(p.done, at, uint64(n))
	gone := 0
	for gone < len(p.done) && p.done[gone] == p.size {
		p.size++
		gone++
	}
	p.done = slices.Delete(p.done, 0, gone)
}

// YCSB is the Source of one thread of a YCSB run.
type YCSB struct {
	mix        Mix
	records    Records
	population *Population
	draw       Distribution
	rand       *rand.Rand
}

// Config says what a YCSB run does.
type Config struct {
	Mix     Mix
	Records Records
	Theta   float64 // exponent of the zipfian and latest distributions; 0 means DefaultTheta
	Seed    uint64
}

// NewYCSB returns the source of one thread. Threads of one run share the population and the
// configuration and differ by number.
func NewYCSB(c Config, p *Population, thread int) (*YCSB, error) {
	records, err := c.Records.Validate()
	if err != nil {
		return nil, err
	}
	if p.Size() == 0 {
		return nil, fmt.Errorf("workload %s: no records are loaded", c.Mix.Name)
	}
	draw, err := NewDistribution(c.Mix.Distribution, c.Theta)
	if err != nil {
		return nil, err
	}
	return &YCSB{
		mix: c.Mix, records: records, population: p, draw: draw,
		rand: rand.New(rand.NewPCG(c.Seed, uint64(thread))),
	}, nil
}

// Next draws an operation; a YCSB source never ends.
func (y *YCSB) Next(op *Op) bool {
	kind := y.kind()
	*op = Op{Kind: kind, Key: op.Key[:0], Size: y.records.ValueSize}
	if kind == Insert {
		op.Record = y.population.insert()
	} else {
		op.Record = Record(y.draw.Next(y.rand, y.population.Size()))
	}
	if kind == Scan {
		op.Limit = 1 + y.rand.IntN(max(y.mix.MaxScan, 1))
	}
	op.Key = y.records.Key(op.Key, op.Record)
	return true
}

// kind draws by share; rounding errors of the sum fall to the first kind.
func (y *YCSB) kind() OpKind {
	u := y.rand.Float64()
	for k, share := range y.mix.Share {
		if u < share {
			return OpKind(k)
		}
		u -= share
	}
	return Read
}

// Done makes an inserted record readable.
func (y *YCSB) Done(op *Op) {
	if op.Kind == Insert {
		y.population.finish(op.Record)
	}
}

// Load is a Source that inserts records [first, first+count), one thread of a load phase.
type Load struct {
	records Records
	next    uint64
	end     uint64
}

// NewLoad returns the source that inserts the records first to end-1.
func NewLoad(s Records, first, end uint64) (*Load, error) {
	s, err := s.Validate()
	if err != nil {
		return nil, err
	}
	return &Load{records: s, next: first, end: end}, nil
}

// Next hands out the next record.
func (l *Load) Next(op *Op) bool {
	if l.next >= l.end {
		return false
	}
	*op = Op{Kind: Insert, Record: Record(l.next), Key: op.Key[:0], Size: l.records.ValueSize}
	op.Key = l.records.Key(op.Key, op.Record)
	l.next++
	return true
}

// Done has nothing to do: the population of a load is fixed.
func (l *Load) Done(*Op) {}
