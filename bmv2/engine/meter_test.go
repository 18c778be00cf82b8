package engine

import (
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// slowBucket is a bucket with exact fractions.
type slowBucket struct{ rate, burst, tokens *big.Rat }

func newSlowBucket(rate, burst int64) *slowBucket {
	perMicro := new(big.Rat).SetFrac64(rate, 1e6)
	return &slowBucket{perMicro, new(big.Rat).SetInt64(burst), new(big.Rat).SetInt64(burst)}
}

// slowMeter is a meter after the text of the RFCs, whose tokens are whole: in all, as many have
// flowed in at any time as the rate allows, rounded down.
type slowMeter struct {
	cfg           MeterConfig
	start, last   uint64
	first, second *slowBucket
}

func newSlowMeter(c MeterConfig, now uint64) *slowMeter {
	m := &slowMeter{cfg: c, start: now, last: now}
	if c.EBurst > 0 {
		m.first, m.second = newSlowBucket(c.CIR, c.CBurst), newSlowBucket(0, c.EBurst)
	} else {
		m.first, m.second = newSlowBucket(c.PIR, c.PBurst), newSlowBucket(c.CIR, c.CBurst)
	}
	return m
}

// arrived returns how many whole tokens arrive in (from, to], counted from start.
func (m *slowMeter) arrived(b *slowBucket, from, to uint64) *big.Rat {
	whole := func(t uint64) *big.Int {
		micros := new(big.Rat).SetInt(new(big.Int).SetUint64(t - m.start))
		micros.Mul(micros, b.rate)
		return new(big.Int).Quo(micros.Num(), micros.Denom())
	}
	return new(big.Rat).SetInt(new(big.Int).Sub(whole(to), whole(from)))
}

// pour adds tokens and returns what the bucket cannot hold.
func (b *slowBucket) pour(more *big.Rat) *big.Rat {
	b.tokens.Add(b.tokens, more)
	over := new(big.Rat).Sub(b.tokens, b.burst)
	if over.Sign() <= 0 {
		return new(big.Rat)
	}
	b.tokens.Set(b.burst)
	return over
}

func (b *slowBucket) take(n uint64) bool {
	want := new(big.Rat).SetInt(new(big.Int).SetUint64(n))
	if b.tokens.Cmp(want) < 0 {
		return false
	}
	b.tokens.Sub(b.tokens, want)
	return true
}

func (m *slowMeter) color(now, n uint64) uint64 {
	if now < m.last {
		now = m.last
	}
	over := m.first.pour(m.arrived(m.first, m.last, now))
	if m.cfg.EBurst > 0 {
		m.second.pour(over)
	} else {
		m.second.pour(m.arrived(m.second, m.last, now))
	}
	m.last = now
	switch {
	case m.cfg.EBurst > 0 && m.first.take(n):
		return Green
	case m.cfg.EBurst > 0 && m.second.take(n):
		return Yellow
	case m.cfg.EBurst > 0 || !m.first.take(n):
		return Red
	case m.second.take(n):
		return Green
	}
	return Yellow
}

// anyMeter makes configurations small and huge.
func anyMeter(r *rand.Rand) MeterConfig {
	size := func() int64 {
		switch r.IntN(5) {
		case 0:
			return 0
		case 1:
			return r.Int64N(10)
		case 2:
			return math.MaxInt64 - r.Int64N(3)
		}
		return r.Int64N(1 << (1 + r.IntN(40)))
	}
	c := MeterConfig{CIR: size(), CBurst: size(), PIR: size(), PBurst: size()}
	c.CIR, c.PIR = min(c.CIR, c.PIR), max(c.CIR, c.PIR)
	if r.IntN(2) == 0 {
		c.PIR, c.PBurst, c.EBurst = c.CIR, c.CBurst, size()
	}
	return c
}

func TestMeterIsTheExactModel(t *testing.T) {
	seen := map[uint64]int{}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := anyMeter(r)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		now := r.Uint64N(1 << 40)
		m, slow := new(Meter), newSlowMeter(c, now)
		m.Configure(&c, now)
		for i := range 200 {
			switch r.IntN(10) {
			case 0:
				now += r.Uint64N(1 << 50) // thirty years
			case 1:
				now -= r.Uint64N(3) // another worker read the clock earlier
			default:
				now += r.Uint64N(1 << (1 + r.IntN(20)))
			}
			n := 1 + r.Uint64N(1<<r.IntN(12))
			got, want := m.Color(func() uint64 { return now }, n), slow.color(now, n)
			if seen[got]++; got != want {
				t.Fatalf("seed %d, packet %d of %d bytes: color %d, want %d; %+v", seed, i, n, got, want, c)
			}
		}
	}
	if seen[Green] == 0 || seen[Yellow] == 0 || seen[Red] == 0 {
		t.Errorf("colors seen: %v", seen)
	}
}

func TestMeterWithoutConfigurationIsGreen(t *testing.T) {
	m := new(Meter)
	never := func() uint64 { t.Error("the clock was read"); return 0 }
	if got := m.Color(never, 1e9); got != Green || m.Config() != nil {
		t.Errorf("color %d, %v", got, m.Config())
	}
	m.Configure(&MeterConfig{}, 0) // bursts of 0: nothing fits
	if got := m.Color(func() uint64 { return 1e9 }, 1); got != Red {
		t.Errorf("with bursts of 0: %d", got)
	}
	m.Configure(nil, 0)
	if got := m.Color(never, 1); got != Green {
		t.Errorf("the configuration removed: %d", got)
	}
}

func TestMeterConfigIsChecked(t *testing.T) {
	for _, c := range []MeterConfig{{CIR: -1}, {EBurst: -1}, {CIR: 2, PIR: 1}, {PIR: 1, EBurst: 1},
		{PBurst: 1, EBurst: 1}} {
		if c.Validate() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func TestMeterIsShared(t *testing.T) {
	m := new(Meter)
	c := MeterConfig{CBurst: 300, PBurst: 500}
	m.Configure(&c, 0)
	var colors [3]atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				colors[m.Color(func() uint64 { return 0 }, 1)].Add(1)
			}
		})
	}
	all.Wait()
	if g, y, r := colors[0].Load(), colors[1].Load(), colors[2].Load(); g != 300 || y != 200 || r != 300 {
		t.Errorf("%d green, %d yellow, %d red", g, y, r)
	}
}

func FuzzMeter(f *testing.F) {
	f.Add(int64(1000), int64(10), int64(2000), int64(20), int64(0), uint64(1000), uint64(1))
	f.Add(int64(1000), int64(10), int64(1000), int64(10), int64(5), uint64(1<<60), uint64(1500))
	f.Fuzz(func(t *testing.T, cir, cb, pir, pb, eb int64, step, n uint64) {
		c := MeterConfig{CIR: cir, CBurst: cb, PIR: pir, PBurst: pb, EBurst: eb}
		if c.Validate() != nil {
			return
		}
		m, slow := new(Meter), newSlowMeter(c, 0)
		m.Configure(&c, 0)
		for now, i := uint64(0), 0; i < 8 && now+step >= now; now, i = now+step, i+1 {
			if got, want := m.Color(func() uint64 { return now }, n), slow.color(now, n); got != want {
				t.Fatalf("%+v at %d: color %d, want %d", c, now, got, want)
			}
			for _, b := range []bucket{m.state.Load().first, m.state.Load().second} {
				if b.tokens > b.burst || b.rest >= 1e6 {
					t.Fatalf("bucket %+v", b)
				}
			}
		}
	})
}

func BenchmarkMeter(b *testing.B) {
	m := new(Meter)
	var now uint64
	clock := func() uint64 { now++; return now }
	for range b.N {
		m.Color(clock, 100)
	}
}

func BenchmarkMeterConfigured(b *testing.B) {
	m := new(Meter)
	m.Configure(&MeterConfig{CIR: 1e6, CBurst: 1000, PIR: 1e7, PBurst: 1000}, 0)
	var now uint64
	clock := func() uint64 { now++; return now }
	for range b.N {
		m.Color(clock, 100)
	}
}
