package engine

import (
	"fmt"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Colours of a meter.
const (
	Green  = 0
	Yellow = 1
	Red    = 2
)

// MeterConfig configures a meter. Rates are in bytes or packets per second, bursts in bytes or
// packets; none is negative.
//
// With EBurst 0 it is the two rate three color marker of RFC 2698: a packet is red (2) if it
// exceeds PIR and PBurst, else yellow (1) if it exceeds CIR and CBurst, else green (0). CIR must
// not exceed PIR. With CIR = PIR and CBurst = PBurst nothing is yellow.
//
// With EBurst it is the single rate three color marker of RFC 2697: PIR and PBurst must be equal to
// CIR and CBurst; what exceeds those but not EBurst is yellow.
type MeterConfig struct {
	CIR, CBurst, PIR, PBurst, EBurst int64
}

// Validate tells what is wrong with a configuration.
func (c MeterConfig) Validate() error {
	switch {
	case c.CIR < 0 || c.CBurst < 0 || c.PIR < 0 || c.PBurst < 0 || c.EBurst < 0:
		return fmt.Errorf("meter %+v: rates and bursts must not be negative", c)
	case c.CIR > c.PIR:
		return fmt.Errorf("committed rate %d: must not exceed the peak rate %d", c.CIR, c.PIR)
	case c.EBurst > 0 && (c.CIR != c.PIR || c.CBurst != c.PBurst):
		return fmt.Errorf("excess burst %d with different committed (%d, burst %d) and peak (%d, "+
			"burst %d) rates: it is for single rate meters", c.EBurst, c.CIR, c.CBurst, c.PIR, c.PBurst)
	}
	return nil
}

// Meter marks packets with colours. Like simple_switch it is colour-blind, starts with full buckets
// and marks everything green while it has no configuration, which costs one look. It is safe for
// concurrent use.
type Meter struct{ state atomic.Pointer[buckets] }

// buckets are the two buckets of a configured meter.
type buckets struct {
	cfg  MeterConfig
	mu   sync.Mutex
	last uint64 // microseconds
	// first is the peak bucket, or the committed one of a single rate meter.
	first, second bucket
}

// bucket holds tokens: bytes or packets. What flows in is rate millionths of a token per
// microsecond.
type bucket struct {
	rate, burst, tokens uint64
	rest                uint64 // of a token, in millionths
}

// Configure sets or, with nil, removes the configuration. now is in microseconds.
func (m *Meter) Configure(c *MeterConfig, now uint64) {
	if c == nil {
		m.state.Store(nil)
		return
	}
	s := &buckets{cfg: *c, last: now}
	if c.EBurst > 0 {
		s.first, s.second = newBucket(c.CIR, c.CBurst), newBucket(0, c.EBurst)
	} else {
		s.first, s.second = newBucket(c.PIR, c.PBurst), newBucket(c.CIR, c.CBurst)
	}
	m.state.Store(s)
}

func newBucket(rate, burst int64) bucket {
	return bucket{rate: uint64(rate), burst: uint64(burst), tokens: uint64(burst)}
}

// Config returns the configuration, or nil.
func (m *Meter) Config() *MeterConfig {
	s := m.state.Load()
	if s == nil {
		return nil
	}
	c := s.cfg
	return &c
}

// Color marks a packet of n bytes, or n = 1 packets. clock returns microseconds.
func (m *Meter) Color(clock func() uint64, n uint64) uint64 {
	s := m.state.Load()
	if s == nil {
		return Green
	}
	now := clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	var elapsed uint64
	if now > s.last { // a worker that read the clock earlier may come later
		elapsed, s.last = now-s.last, now
	}
	if s.cfg.EBurst > 0 {
		return s.singleRate(elapsed, n)
	}
	return s.twoRates(elapsed, n)
}

func (s *buckets) twoRates(elapsed, n uint64) uint64 {
	s.first.fill(elapsed)
	s.second.fill(elapsed)
	switch {
	case !s.first.take(n):
		return Red
	case !s.second.take(n):
		return Yellow
	}
	return Green
}

// singleRate has what overflows the committed bucket flow into the excess bucket.
func (s *buckets) singleRate(elapsed, n uint64) uint64 {
	s.second.add(s.first.fill(elapsed))
	switch {
	case s.first.take(n):
		return Green
	case s.second.take(n):
		return Yellow
	}
	return Red
}

// fill lets tokens flow in and returns how many the bucket cannot hold.
func (b *bucket) fill(elapsed uint64) (over uint64) {
	const million = 1e6
	hi, lo := bits.Mul64(elapsed, b.rate)
	lo, carry := bits.Add64(lo, b.rest, 0)
	hi += carry
	var more uint64
	more, b.rest = bits.Div64(hi%million, lo, million)
	if hi >= million { // the quotient exceeds 64 bits, and so any burst
		more = math.MaxUint64
	}
	return b.add(more)
}

func (b *bucket) add(more uint64) (over uint64) {
	room := b.burst - b.tokens
	if more <= room {
		b.tokens += more
		return 0
	}
	b.tokens = b.burst
	return more - room
}

func (b *bucket) take(n uint64) bool {
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}

// MeterArray is an indirect meter array.
type MeterArray struct {
	cells []Meter
	bytes bool
}

// Size returns the number of cells.
func (a *MeterArray) Size() int { return len(a.cells) }

// Cell returns one cell, or nil when the index is out of range.
func (a *MeterArray) Cell(i uint64) *Meter {
	if i >= uint64(len(a.cells)) {
		return nil
	}
	return &a.cells[i]
}

// Units returns what a packet counts for.
func (a *MeterArray) Units(st *State) uint64 { return units(st, a.bytes) }

func units(st *State, bytes bool) uint64 {
	if bytes {
		return uint64(len(st.packet))
	}
	return 1
}
