package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// exact returns the probabilities of a zipfian distribution by summing its definition.
func exact(n int, theta float64) []float64 {
	p, sum := make([]float64, n), 0.0
	for k := range p {
		p[k] = math.Pow(float64(k+1), -theta)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

// chiSquare compares counts with probabilities, pooling cells from the tail until each expects at
// least ten draws, and returns the statistic with its degrees of freedom.
func chiSquare(counts []int, p []float64, draws int) (statistic float64, freedom int) {
	pooledCount, pooledP := 0.0, 0.0
	for k := len(p) - 1; k >= 0; k-- {
		pooledCount += float64(counts[k])
		pooledP += p[k]
		if want := pooledP * float64(draws); want >= 10 {
			statistic += (pooledCount - want) * (pooledCount - want) / want
			freedom++
			pooledCount, pooledP = 0, 0
		}
	}
	return statistic, freedom - 1
}

// checkFit fails when the statistic is 5 standard deviations above its mean: a right sampler does
// so about once in a million seeds, and the seed is fixed.
func checkFit(t *testing.T, counts []int, p []float64, draws int) {
	t.Helper()
	statistic, freedom := chiSquare(counts, p, draws)
	if limit := float64(freedom) + 5*math.Sqrt(2*float64(freedom)); statistic > limit {
		t.Errorf("chi-square %.0f with %d degrees of freedom, limit %.0f", statistic, freedom, limit)
	}
}

func TestZipfHasItsExactProbabilities(t *testing.T) {
	const draws = 400_000
	for _, theta := range []float64{0.1, 0.5, 0.99, 1, 1.2, 2.6774} {
		for _, n := range []int{1, 2, 3, 10, 1000} {
			t.Run(fmt.Sprintf("theta=%v/n=%d", theta, n), func(t *testing.T) {
				z, err := NewZipf(uint64(n), theta)
				if err != nil {
					t.Fatal(err)
				}
				r := rand.New(rand.NewPCG(7, uint64(n)))
				counts := make([]int, n)
				for range draws {
					counts[z.Next(r)]++
				}
				if n > 1 {
					checkFit(t, counts, exact(n, theta), draws)
				}
			})
		}
	}
}

// A wrong exponent must be found by the very test that the right one passes.
func TestChiSquareFindsAWrongExponent(t *testing.T) {
	const n, draws = 1000, 400_000
	z, err := NewZipf(n, 0.99)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, n))
	counts := make([]int, n)
	for range draws {
		counts[z.Next(r)]++
	}
	statistic, freedom := chiSquare(counts, exact(n, 1.01), draws)
	if statistic < float64(freedom)+10*math.Sqrt(2*float64(freedom)) {
		t.Errorf("chi-square %.0f with %d degrees of freedom does not tell 0.99 from 1.01",
			statistic, freedom)
	}
}

func TestLatestPrefersTheNewest(t *testing.T) {
	const n, draws = 500, 200_000
	d, err := NewDistribution(Latest, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	counts := make([]int, n)
	for range draws {
		counts[n-1-d.Next(r, n)]++
	}
	checkFit(t, counts, exact(n, DefaultTheta), draws)
}

func TestUniformIsUniform(t *testing.T) {
	const n, draws = 500, 200_000
	d, err := NewDistribution(Uniform, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	counts, p := make([]int, n), make([]float64, n)
	for range draws {
		counts[d.Next(r, n)]++
	}
	for k := range p {
		p[k] = 1.0 / n
	}
	checkFit(t, counts, p, draws)
}

func TestDistributionsFollowAGrowingPopulation(t *testing.T) {
	for _, name := range []string{Uniform, Zipfian, Latest} {
		d, err := NewDistribution(name, 1.2)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(3, 4))
		for n := uint64(1); n < 2000; n++ {
			if k := d.Next(r, n); k >= n {
				t.Fatalf("%s drew record %d of %d", name, k, n)
			}
		}
	}
}

func TestUnknownDistributionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		theta float64
	}{{"gaussian", 0}, {Zipfian, -1}, {Zipfian, math.NaN()}, {Latest, math.Inf(1)}} {
		if _, err := NewDistribution(c.name, c.theta); err == nil {
			t.Errorf("NewDistribution(%q, %v) succeeded", c.name, c.theta)
		}
	}
}

func BenchmarkZipf(b *testing.B) {
	z, err := NewZipf(1_000_000, DefaultTheta)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		z.Next(r)
	}
}
