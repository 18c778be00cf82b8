package engine

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

// TestValueSetsHoldTheirMembers compares sets with a scan over their members as big numbers.
func TestValueSetsHoldTheirMembers(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 13))
		width := 8 * (1 + r.IntN(30))
		random := func() *big.Int { // few distinct bits, so that members are met
			v := new(big.Int)
			for range r.IntN(4) {
				v.SetBit(v, []int{0, 1, width / 2, width - 1}[r.IntN(4)], uint(r.IntN(2)))
			}
			return v
		}
		var members []SetMember
		for range r.IntN(8) {
			m := SetMember{Value: random().Bytes()}
			if r.IntN(2) == 0 {
				m.Mask = new(big.Int).Or(random(), random()).Bytes()
			}
			members = append(members, m)
		}
		set := NewValueSet(&bmv2.ValueSet{Width: width}, members)
		n := (width + 63) / 64
		buf := make([]byte, 8*n)
		for range 50 {
			key := random()
			want := false
			for _, m := range members {
				want = want || met(key, m)
			}
			if got := set.contains(constLimbs(key, n), buf); got != want {
				t.Fatalf("seed %d: %x in %x: %v", seed, key, members, got)
			}
		}
	}
}

func met(key *big.Int, m SetMember) bool {
	v := new(big.Int).SetBytes(m.Value)
	if m.Mask == nil {
		return key.Cmp(v) == 0
	}
	mask := new(big.Int).SetBytes(m.Mask)
	return new(big.Int).And(key, mask).Cmp(v.And(v, mask)) == 0
}
