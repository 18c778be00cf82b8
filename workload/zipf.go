package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Zipf draws ranks 0, 1, ... n-1 with probability proportional to 1/(rank+1)^theta. It uses
// rejection-inversion (W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates
// from monotone discrete distributions", ACM TOMACS 6(3), 1996): constant time per draw and per
// change of n, exact for every theta > 0, theta = 1 included.
type Zipf struct {
	theta float64
	n     uint64
	// The area under the hat function runs from areaTop (rank 0 end) down to areaEnd (rank n-1).
	areaTop, areaEnd float64
	squeeze          float64
}

// NewZipf returns a sampler over n ranks. theta must be positive and finite.
func NewZipf(n uint64, theta float64) (*Zipf, error) {
	if theta <= 0 || math.IsInf(theta, 0) || math.IsNaN(theta) {
		return nil, fmt.Errorf("zipfian exponent %v: must be above 0", theta)
	}
	if n == 0 {
		return nil, fmt.Errorf("zipfian over no records: need at least 1")
	}
	z := &Zipf{theta: theta}
	z.areaTop = z.area(1.5) - 1
	z.squeeze = 2 - z.areaInverse(z.area(2.5)-z.hat(2))
	z.resize(n)
	return z, nil
}

// resize changes the number of ranks.
func (z *Zipf) resize(n uint64) {
	if n != z.n {
		z.n, z.areaEnd = n, z.area(float64(n)+0.5)
	}
}

// Next draws one rank.
func (z *Zipf) Next(r *rand.Rand) uint64 {
	for {
		u := z.areaEnd + r.Float64()*(z.areaTop-z.areaEnd)
		x := z.areaInverse(u)
		k := math.Min(math.Max(math.Floor(x+0.5), 1), float64(z.n))
		// The squeeze accepts most draws without evaluating the hat again.
		if k-x <= z.squeeze || u >= z.area(k+0.5)-z.hat(k) {
			return uint64(k) - 1
		}
	}
}

// hat is the unnormalised probability of the value x, x^-theta.
func (z *Zipf) hat(x float64) float64 { return math.Exp(-z.theta * math.Log(x)) }

// area is an antiderivative of hat: (x^(1-theta) - 1) / (1-theta), and log x in the limit.
func (z *Zipf) area(x float64) float64 {
	logX := math.Log(x)
	return expm1Over((1-z.theta)*logX) * logX
}

// areaInverse solves area(x) = u for x.
func (z *Zipf) areaInverse(u float64) float64 {
	t := math.Max(u*(1-z.theta), -1) // rounding can fall below -1, where the logarithm ends
	return math.Exp(log1pOver(t) * u)
}

// seriesBelow is where two terms of a Taylor series are exact to the last bit and division is not.
const seriesBelow = 1e-8

// expm1Over is (e^x - 1)/x, continued at 0.
func expm1Over(x float64) float64 {
	if math.Abs(x) < seriesBelow {
		return 1 + x/2
	}
	return math.Expm1(x) / x
}

// log1pOver is log(1+x)/x, continued at 0.
func log1pOver(x float64) float64 {
	if math.Abs(x) < seriesBelow {
		return 1 - x/2
	}
	return math.Log1p(x) / x
}
