package comparison

import (
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/workload"
)

// Config says what to measure.
type Config struct {
	Modes  []Mode
	Thetas []float64 // exponents of the zipfian distribution; 0 is uniform
	Writes []int     // shares of writes in percent
	// Scans adds, for the least and the greatest theta, a point at which all operations are scans of
	// up to ScanLength records.
	Scans  bool
	Depths []int // requests in flight; every point is measured with each
	// Batch is how many requests a thread of the clients sends together, and waits for, before it
	// sends the next; 0 stands for 1, the true closed loop.
	Batch  int
	Rounds int
	Turn   time.Duration // of one way at one point with one depth in one round
	WarmUp time.Duration // of each way before the first round
	// TurnCount, if it is set, ends a turn after so many operations, if Turn does not before.
	TurnCount uint64

	Records workload.Records
	Count   uint64 // records
	Seed    uint64
}

// ScanLength is the largest number of records that a scan wants.
const ScanLength = 20

// Validate tells what is wrong with a configuration.
func (c Config) Validate() error {
	switch {
	case len(c.Modes) == 0 || len(c.Depths) == 0 || len(c.Thetas) == 0 || len(c.Writes) == 0 && !c.Scans:
		return fmt.Errorf("%d ways, %d depths, %d exponents, %d write ratios: at least one of each",
			len(c.Modes), len(c.Depths), len(c.Thetas), len(c.Writes))
	case c.Rounds < 1 || c.Turn <= 0 || c.Count < 1:
		return fmt.Errorf("%d rounds of turns of %v over %d records: must be above 0", c.Rounds, c.Turn,
			c.Count)
	case slices.Min(c.Depths) < 1 || c.Batch < 0:
		return fmt.Errorf("%d requests in flight in batches of %d: must be at least 1",
			slices.Min(c.Depths), c.Batch)
	case slices.Min(c.Thetas) < 0:
		return fmt.Errorf("zipfian exponent %v: must not be negative", slices.Min(c.Thetas))
	}
	for _, w := range c.Writes {
		if w < 0 || w > 100 {
			return fmt.Errorf("%d %% of writes: must be 0 to 100", w)
		}
	}
	_, err := c.Records.Validate()
	return err
}

// Points are all points, in the order in which they are measured.
func (c Config) Points() (points []Point) {
	for _, theta := range c.Thetas {
		for _, w := range c.Writes {
			points = append(points, Point{Theta: theta, Writes: w})
		}
	}
	if c.Scans {
		least, most := slices.Min(c.Thetas), slices.Max(c.Thetas)
		points = append(points, Point{Theta: least, Scan: true})
		if most > least {
			points = append(points, Point{Theta: most, Scan: true})
		}
	}
	return points
}

// Duration is about how long the turns take together.
func (c Config) Duration() time.Duration {
	turns := len(c.Points()) * len(c.Depths) * len(c.Modes) * c.Rounds
	return time.Duration(turns)*c.Turn + time.Duration(len(c.Modes))*c.WarmUp
}

// Point is one load.
type Point struct {
	Theta  float64 `json:"theta"`
	Writes int     `json:"write_percent"`
	Scan   bool    `json:"scan"` // all operations are scans
}

// String names the point in a table.
func (p Point) String() string {
	popularity := fmt.Sprintf("zipf %v", p.Theta)
	if p.Theta == 0 {
		popularity = "uniform"
	}
	switch {
	case p.Scan:
		return popularity + ", scans"
	case p.Writes == 0:
		return popularity + ", reads"
	}
	return fmt.Sprintf("%s, %d %% writes", popularity, p.Writes)
}

// mix is the point as a workload.
func (p Point) mix() workload.Mix {
	m := workload.Mix{Name: p.String(), Distribution: workload.Zipfian, MaxScan: ScanLength}
	if p.Theta == 0 {
		m.Distribution = workload.Uniform
	}
	if p.Scan {
		m.Share[workload.Scan] = 1
		return m
	}
	m.Share[workload.Update] = float64(p.Writes) / 100
	m.Share[workload.Read] = 1 - m.Share[workload.Update]
	return m
}
