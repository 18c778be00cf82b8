package workload

import (
	"fmt"
	"math/rand/v2"
)

// Distribution draws the record that an operation touches out of the first n.
type Distribution interface {
	// Next returns a record number below n. n must be at least 1 and may change between calls.
	Next(r *rand.Rand, n uint64) uint64
}

// The names that ParseDistribution knows.
const (
	Uniform = "uniform" // every record alike
	Zipfian = "zipfian" // record k with probability ~ 1/(k+1)^theta
	Latest  = "latest"  // zipfian counted back from the newest record
)

// DefaultTheta is the zipfian exponent of YCSB (ZipfianGenerator.ZIPFIAN_CONSTANT).
const DefaultTheta = 0.99

// NewDistribution returns the distribution of that name. theta is the exponent of the zipfian and
// latest ones, above 0; 0 means DefaultTheta.
func NewDistribution(name string, theta float64) (Distribution, error) {
	if theta == 0 {
		theta = DefaultTheta
	}
	if name == Uniform {
		return uniform{}, nil
	}
	z, err := NewZipf(1, theta)
	if err != nil {
		return nil, err
	}
	switch name {
	case Zipfian:
		return (*zipfian)(z), nil
	case Latest:
		return (*latest)(z), nil
	}
	return nil, fmt.Errorf("distribution %q: must be uniform, zipfian or latest", name)
}

type uniform struct{}

func (uniform) Next(r *rand.Rand, n uint64) uint64 { return r.Uint64N(n) }

type zipfian Zipf

func (z *zipfian) Next(r *rand.Rand, n uint64) uint64 {
	(*Zipf)(z).resize(n)
	return (*Zipf)(z).Next(r)
}

type latest Zipf

func (z *latest) Next(r *rand.Rand, n uint64) uint64 {
	(*Zipf)(z).resize(n)
	return n - 1 - (*Zipf)(z).Next(r)
}
