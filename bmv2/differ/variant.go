package differ

import "math/rand/v2"

// variant is what P4 leaves open: clocks, random numbers, and the fields of invalid headers.
type variant struct {
	now, random func() uint64
	litter      func(fields []byte)
}

// Kinds of variants.
const (
	clean = iota // fields of invalid headers are zero
	stale        // they keep what an earlier packet left
	noisy        // they are random
	variants
)

// newVariant draws a variant of a kind.
func newVariant(r *rand.Rand, kind int) variant { return variantOf(r.Uint64(), r, kind) }

// variantOf makes a variant; the seed decides its clock and its random numbers.
func variantOf(seed uint64, r *rand.Rand, kind int) variant {
	random := rand.New(rand.NewPCG(seed, 0))
	clock := random.Uint64N(1 << 47)
	noise := rand.New(rand.NewPCG(r.Uint64(), 0))
	v := variant{
		now:    func() uint64 { clock++; return clock }, // meters do not notice
		random: random.Uint64,
	}
	switch kind {
	case stale:
		v.litter = func([]byte) {}
	case noisy:
		v.litter = func(fields []byte) { fill(noise, fields) }
	}
	return v
}

// fill writes random bytes, at times small numbers only, which programs ask for most.
func fill(r *rand.Rand, b []byte) {
	limit := uint32(1) << (1 + r.IntN(8))
	for i := range b {
		b[i] = byte(r.Uint32N(limit))
	}
}
