package comparison

import (
	"math"
	"slices"
	"time"

	"github.com/turbokv/turbokv/workload/runner"
)

// Cell is what is measured in one turn of a round.
type Cell struct {
	Point Point `json:"point"`
	Depth int   `json:"in_flight"`
	Mode  Mode  `json:"mode"`
}

// Sample is one turn.
type Sample struct {
	Throughput float64          `json:"ops_per_second"`
	Mean       float64          `json:"mean_us"`
	P99        float64          `json:"p99_us"`
	Errors     uint64           `json:"errors"`
	Retries    uint64           `json:"retries"`
	CPU        map[Part]float64 `json:"cpu_us_per_op,omitempty"`
}

func sampleOf(r runner.Report, before, after map[Part]time.Duration) Sample {
	s := Sample{
		Throughput: r.Throughput, Mean: r.Latency.Mean, P99: r.Latency.P99, Errors: r.Errors,
		Retries: r.Retries, CPU: make(map[Part]float64),
	}
	for part, used := range after {
		if r.Count > 0 {
			s.CPU[part] = float64((used - before[part]).Microseconds()) / float64(r.Count)
		}
	}
	return s
}

// Result is what all rounds have measured of a cell.
type Result struct {
	Cell
	Samples []Sample `json:"samples"`
}

// Report is the result of a comparison.
type Report struct {
	Modes   []Mode   `json:"modes"`
	Depths  []int    `json:"in_flight"`
	Points  []Point  `json:"points"`
	Results []Result `json:"results"`
}

func newReport(c Config) *Report {
	return &Report{Modes: c.Modes, Depths: c.Depths, Points: c.Points()}
}

func (r *Report) add(c Cell, s Sample) {
	i := slices.IndexFunc(r.Results, func(x Result) bool { return x.Cell == c })
	if i < 0 {
		i = len(r.Results)
		r.Results = append(r.Results, Result{Cell: c})
	}
	r.Results[i].Samples = append(r.Results[i].Samples, s)
}

// Result returns what was measured of a cell.
func (r *Report) Result(p Point, depth int, m Mode) Result {
	c := Cell{p, depth, m}
	for _, x := range r.Results {
		if x.Cell == c {
			return x
		}
	}
	return Result{Cell: c}
}

// Spread is what several turns say about one number: the least, the quartiles, the greatest.
type Spread struct{ Min, Low, Median, High, Max float64 }

// spreadOf summarises numbers, which it sorts; without any it is zero.
func spreadOf(all []float64) Spread {
	if len(all) == 0 {
		return Spread{}
	}
	slices.Sort(all)
	at := func(share float64) float64 {
		i, part := math.Modf(share * float64(len(all)-1))
		n := int(i)
		return all[n] + part*(all[min(n+1, len(all)-1)]-all[n])
	}
	return Spread{all[0], at(0.25), at(0.5), at(0.75), all[len(all)-1]}
}

// Of summarises a number of all samples.
func (x Result) Of(number func(Sample) float64) Spread {
	var all []float64
	for _, s := range x.Samples {
		all = append(all, number(s))
	}
	return spreadOf(all)
}

// Numbers of a sample.
var (
	Throughput = func(s Sample) float64 { return s.Throughput }
	Mean       = func(s Sample) float64 { return s.Mean }
	P99        = func(s Sample) float64 { return s.P99 }
)

// CPU is the processor time of a part per operation, in microseconds.
func CPU(p Part) func(Sample) float64 { return func(s Sample) float64 { return s.CPU[p] } }

// Ratio returns how a number of a cell relates to that of server-driven coordination of the same
// rounds, turn by turn; zero if that was not measured.
func (r *Report) Ratio(c Cell, number func(Sample) float64) Spread {
	return spreadOf(r.ratios(c, number))
}

func (r *Report) ratios(c Cell, number func(Sample) float64) (ratios []float64) {
	own, base := r.Result(c.Point, c.Depth, c.Mode), r.Result(c.Point, c.Depth, Server)
	for i := range min(len(own.Samples), len(base.Samples)) {
		if b := number(base.Samples[i]); b > 0 {
			ratios = append(ratios, number(own.Samples[i])/b)
		}
	}
	return ratios
}

// Failures are the operations that failed.
func (r *Report) Failures() (n uint64) {
	for _, x := range r.Results {
		for _, s := range x.Samples {
			n += s.Errors
		}
	}
	return n
}
