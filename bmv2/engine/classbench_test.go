package engine

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

// The rule sets are drawn after the seeds of ClassBench (Taylor and Turner, ToN 2007): five fields
// (addresses, ports, protocol), addresses that cluster in sites and nest, ports that are exact, any
// range, the low or the high numbers, or anything. The three kinds differ in how specific they are.
type classKind struct {
	name string
	// Of 100 rules, how many have a source or destination of 0, 1 to 15, 16 to 23, 24 to 31, 32 bits.
	src, dst [5]int
	// Of 100 rules, how many have source or destination ports of each class.
	sport, dport [5]int
	anyProto     int // of 100
}

const (
	portAny = iota
	portLow
	portHigh
	portRange
	portExact
)

var classKinds = []classKind{
	{"acl", [5]int{4, 2, 14, 30, 50}, [5]int{1, 1, 12, 36, 50},
		[5]int{97, 0, 2, 1, 0}, [5]int{30, 2, 8, 15, 45}, 5},
	{"fw", [5]int{35, 5, 15, 15, 30}, [5]int{30, 4, 16, 15, 35},
		[5]int{60, 1, 20, 5, 14}, [5]int{45, 2, 15, 10, 28}, 15},
	{"ipc", [5]int{12, 4, 24, 20, 40}, [5]int{12, 4, 24, 20, 40},
		[5]int{65, 1, 10, 6, 18}, [5]int{55, 1, 10, 8, 26}, 10},
}

func draw(r *rand.Rand, weights [5]int) int {
	n := r.IntN(100)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	return 4
}

// fiveTuple is a table with the five fields as a firewall in P4 has them.
func fiveTuple() *tableSpec {
	s := &tableSpec{form: formTernary, lpm: -1, t: &bmv2.Table{}}
	for _, p := range []keyPart{{bmv2.MatchTernary, 32, 0, 4}, {bmv2.MatchTernary, 32, 0, 4},
		{bmv2.MatchRange, 16, 0, 2}, {bmv2.MatchRange, 16, 0, 2}, {bmv2.MatchTernary, 8, 0, 1}} {
		s.parts = append(s.parts, p)
	}
	s.place()
	return s
}

// sites are the networks in which addresses lie.
type sites []uint32

func newSites(r *rand.Rand, n int) (out sites) {
	for range max(4, n/60) {
		out = append(out, r.Uint32()&0xffff0000)
	}
	return out
}

func (s sites) prefix(r *rand.Rand, weights [5]int) Match {
	low := [5]int{0, 1, 16, 24, 32}[draw(r, weights)]
	length := low
	switch low {
	case 1:
		length = 8 + r.IntN(8)
	case 16, 24:
		length = low + r.IntN(8)
	}
	// Few subnets in each site, few hosts in each subnet.
	addr := s[r.IntN(len(s))] | uint32(r.IntN(24))<<8 | uint32(r.IntN(40))
	mask := ^uint32(0) << (32 - length)
	return Match{Value: binary.BigEndian.AppendUint32(nil, addr&mask),
		Mask: binary.BigEndian.AppendUint32(nil, mask), PrefixLen: length}
}

func ports(r *rand.Rand, class int) Match {
	lo, hi := uint16(0), uint16(0xffff)
	switch class {
	case portLow:
		hi = 1023
	case portHigh:
		lo = 1024
	case portRange:
		lo = uint16(r.IntN(60000))
		hi = lo + uint16(1+r.IntN(4000))
	case portExact:
		lo = []uint16{22, 25, 53, 80, 123, 443, 1521, 3306, 8080, uint16(r.IntN(9000))}[r.IntN(10)]
		hi = lo
	}
	return Match{Value: binary.BigEndian.AppendUint16(nil, lo),
		High: binary.BigEndian.AppendUint16(nil, hi)}
}

// rules draws n rules in any order. As in lists that people write, specific rules mostly precede those
// that say what happens to the rest.
func (k classKind) rules(r *rand.Rand, s *tableSpec, n int) (out []*slowRule) {
	where := newSites(r, n)
	for i := range n {
		proto := Match{Value: []byte{[]byte{6, 6, 6, 17, 17, 1}[r.IntN(6)]}, Mask: []byte{0xff}}
		if r.IntN(100) < k.anyProto {
			proto = Match{Value: []byte{0}, Mask: []byte{0}}
		}
		x := &slowRule{spec: EntrySpec{Order: uint32(i), Match: []Match{
			where.prefix(r, k.src), where.prefix(r, k.dst),
			ports(r, draw(r, k.sport)), ports(r, draw(r, k.dport)), proto}}}
		x.spec.Priority = int32(1 + r.IntN(30) + specific(x.spec.Match))
		x.e = new(Entry)
		s.setKey(x.e, x.spec)
		out = append(out, x)
	}
	return out
}

// specific counts the bits that a rule cares for.
func specific(match []Match) (n int) {
	for _, m := range match {
		for i := range m.Value {
			if m.High != nil {
				n += 8 - bits.Len8(m.High[i]^m.Value[i])
			} else {
				n += bits.OnesCount8(m.Mask[i])
			}
		}
	}
	return n
}

// keys draws packets, nine of ten of which some rule is for.
func keys(r *rand.Rand, s *tableSpec, rules []*slowRule, n int) (out [][]byte) {
	for range n {
		key := make([]byte, align(s.keyBytes, 8)+8)
		for i := range key[:s.keyBytes] {
			key[i] = byte(r.Uint32())
		}
		if r.IntN(10) > 0 {
			aim(r, s, rules[r.IntN(len(rules))], key)
		}
		out = append(out, key)
	}
	return out
}

// aim makes a key meet a rule.
func aim(r *rand.Rand, s *tableSpec, x *slowRule, key []byte) {
	for i, p := range s.parts {
		m, v := x.spec.Match[i], key[p.off:p.off+p.size]
		if p.kind == bmv2.MatchRange {
			lo, hi := wordOf(m.Value), wordOf(m.High)
			n := be.AppendUint64(nil, lo+r.Uint64N(hi-lo+1))
			copy(v, n[8-p.size:])
			continue
		}
		for k := range v {
			v[k] = v[k]&^m.Mask[k] | m.Value[k]
		}
	}
}

func TestLongChangesYield(t *testing.T) {
	s := fiveTuple()
	yields := 0
	ed := (&Table{spec: s}).Edit().Yielding(func() { yields++ })
	for _, x := range classKinds[0].rules(rand.New(rand.NewPCG(1, 1)), s, 3000) {
		ed.With(x.e)
	}
	if yields < 3000/512 {
		t.Errorf("%d yields while 3,000 entries were arranged", yields)
	}
}
