package serverlib

import (
	"math"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// samplesMax is the number of index keys that a report tells of each sub-range: with reports every
// second, a minute of them places a median to within a few percent.
const samplesMax = 8

// reservoir draws index keys evenly from all requests since the last report (algorithm L of Li,
// "Reservoir-Sampling Algorithms of Time Complexity O(n(1+log(N/n)))", 1994): how many requests to
// pass over is drawn at once, so a request that is not kept costs one comparison. The numbers drawn
// follow from a counter, so the same requests give the same samples.
type reservoir struct {
	seen   uint64  // requests since the last take
	next   uint64  // the one to be kept next; 0 as long as there is room
	weight float64 // the largest of samplesMax evenly drawn numbers, were there one for each request seen
	drawn  uint64
	keys   [samplesMax]kv.IndexKey
}

// note counts a request.
func (s *reservoir) note(p wire.Packet) {
	s.seen++
	if s.seen >= s.next {
		s.keep(p.IndexKey())
	}
}

func (s *reservoir) keep(k kv.IndexKey) {
	if s.seen < samplesMax {
		s.keys[s.seen-1] = k
		return
	}
	if s.seen == samplesMax {
		s.keys[samplesMax-1], s.weight = k, 1
	} else {
		s.keys[s.draw()%samplesMax] = k
	}
	s.weight *= math.Exp(math.Log(s.fraction()) / samplesMax)
	// Never is soon enough for what would be further away than that.
	skip := math.Min(math.Log(s.fraction())/math.Log1p(-s.weight), 1<<62)
	s.next = s.seen + uint64(skip) + 1
}

// take returns the samples and begins anew.
func (s *reservoir) take() []kv.IndexKey {
	n := min(s.seen, samplesMax)
	if n == 0 {
		return nil
	}
	s.seen, s.next = 0, 0
	return append([]kv.IndexKey(nil), s.keys[:n]...)
}

// draw returns the next number of splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
func (s *reservoir) draw() uint64 {
	s.drawn += 0x9e3779b97f4a7c15
	z := s.drawn
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// fraction draws a number above 0 and up to 1.
func (s *reservoir) fraction() float64 { return float64(s.draw()>>11+1) / (1 << 53) }
