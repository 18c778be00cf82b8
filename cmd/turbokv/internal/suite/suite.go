// Package suite runs the phases of a benchmark one after another over the same records: load, YCSB
// mixes or a trace, and the verification of everything that was acknowledged. The commands bench
// and demo both run it.
package suite

import (
	"context"
	"fmt"
	"time"

	"github.com/turbokv/turbokv/workload"
	"github.com/turbokv/turbokv/workload/runner"
	"github.com/turbokv/turbokv/workload/trace"
)

// Config says what the phases of a suite have in common.
type Config struct {
	Records    workload.Records
	Population uint64 // records loaded at the beginning, at least 1 for YCSB
	Threads    int    // client threads, at least 1
	InFlight   int    // requests in flight a thread, sent in batches if there are several; at least 1
	// Distribution, if not empty, replaces the one of every mix but D, whose point is its own.
	Distribution string
	Theta        float64
	Seed         uint64
	// Duration and Count bound each mix, whichever ends first; zero means no such bound.
	Duration time.Duration
	Count    uint64
	// Verify keeps a ledger of all writes, which costs a lock and a few bytes a write.
	Verify bool
	Meter  Meter
}

// Meter shows the progress of one phase after another.
type Meter interface {
	// Begin starts a phase. The total is in operations, or zero if the time is what ends it.
	Begin(phase string, total uint64, duration time.Duration)
	// Update is called a few times a second.
	Update(done uint64, elapsed time.Duration)
	// End ends the phase.
	End()
}

// Suite runs phases against one store.
type Suite struct {
	cfg        Config
	target     runner.Target
	ledger     *workload.Ledger
	population *workload.Population
	reports    []runner.Report
}

// New checks the configuration.
func New(target runner.Target, c Config) (*Suite, error) {
	var err error
	if c.Records, err = c.Records.Validate(); err != nil {
		return nil, err
	}
	if c.Threads < 1 || c.InFlight < 1 {
		return nil, fmt.Errorf("%d threads with %d requests in flight: need at least 1",
			c.Threads, c.InFlight)
	}
	s := &Suite{cfg: c, target: target, population: workload.NewPopulation(c.Population)}
	if c.Verify {
		s.ledger = workload.NewLedger(c.Records)
	}
	return s, nil
}

// Reports returns the reports of all phases so far.
func (s *Suite) Reports() []runner.Report { return s.reports }

// run runs one phase.
func (s *Suite) run(ctx context.Context, c runner.Config, total uint64) error {
	c.Records, c.Ledger = s.cfg.Records, s.ledger
	if c.Clients == 0 {
		c.Clients = s.cfg.Threads
	}
	if c.InFlight == 0 {
		c.InFlight = s.cfg.InFlight
	}
	c.Progress = s.cfg.Meter.Update
	s.cfg.Meter.Begin(c.Name, total, c.Duration)
	report, err := runner.Run(ctx, s.target, c)
	s.cfg.Meter.End()
	if err != nil {
		return err
	}
	s.reports = append(s.reports, report)
	return nil
}

// bulkClients is the least number of requests in flight while loading and verifying, so that a
// measurement with one client does not wait long for its records.
const bulkClients = 128

// bulkThreads is how many threads that takes.
func (s *Suite) bulkThreads() int { return max(s.cfg.Threads, bulkClients/s.cfg.InFlight) }

// Load stores the population.
func (s *Suite) Load(ctx context.Context) error {
	n, clients := s.cfg.Population, uint64(s.bulkThreads())
	err := s.run(ctx, runner.Config{
		Name: "load", Clients: int(clients),
		Source: func(client int) (workload.Source, error) {
			i := uint64(client)
			return workload.NewLoad(s.cfg.Records, n*i/clients, n*(i+1)/clients)
		},
	}, n)
	if err != nil {
		return err
	}
	if r := s.reports[len(s.reports)-1]; r.Errors > 0 {
		return fmt.Errorf("load: %d of %d records could not be stored: %v", r.Errors, n, r.ErrorTexts)
	}
	return nil
}

// Mix runs one YCSB mix.
func (s *Suite) Mix(ctx context.Context, mix workload.Mix) error {
	if s.cfg.Distribution != "" && mix.Distribution != workload.Latest {
		mix.Distribution = s.cfg.Distribution
	}
	seed := s.cfg.Seed + uint64(len(s.reports)) // no phase repeats the draws of another
	threads, inFlight := s.cfg.Threads, s.cfg.InFlight
	if mix.Share[workload.Scan] > 0 { // scans do not fit into batches
		threads, inFlight = threads*inFlight, 1
	}
	return s.run(ctx, runner.Config{
		Name: "YCSB " + mix.Name, Clients: threads, InFlight: inFlight,
		Duration: s.cfg.Duration, Count: s.cfg.Count,
		Source: func(client int) (workload.Source, error) {
			return workload.NewYCSB(workload.Config{
				Mix: mix, Records: s.cfg.Records, Theta: s.cfg.Theta, Seed: seed,
			}, s.population, client)
		},
	}, s.cfg.Count)
}

// Verify reads back all that the mixes wrote.
func (s *Suite) Verify(ctx context.Context) (runner.Verification, error) {
	return s.verify(ctx, "verify", s.cfg.Records.Key)
}

func (s *Suite) verify(
	ctx context.Context, name string, key func([]byte, workload.Record) []byte,
) (runner.Verification, error) {
	s.cfg.Meter.Begin(name, uint64(s.ledger.Len()), 0)
	v, err := runner.Verify(ctx, s.target, s.ledger, runner.VerifyConfig{
		Clients: s.bulkThreads(), InFlight: s.cfg.InFlight, Key: key, Progress: s.cfg.Meter.Update,
	})
	s.cfg.Meter.End()
	if err == nil {
		v.Report.Name = name
		s.reports = append(s.reports, v.Report)
	}
	return v, err
}

// Replay runs the requests of a trace, at most Config.Count of them, and verifies what it wrote. It
// is for a Suite and a keyspace of its own.
func (s *Suite) Replay(
	ctx context.Context, file *trace.File,
) (*trace.Replay, runner.Verification, error) {
	replay := trace.NewReplay(file.Reader)
	err := s.run(ctx, runner.Config{
		Name: "trace", Duration: s.cfg.Duration, Count: s.cfg.Count,
		Source: func(int) (workload.Source, error) { return replay, nil },
	}, s.cfg.Count)
	if err == nil {
		err = replay.Err()
	}
	if err != nil || s.ledger == nil {
		return replay, runner.Verification{}, err
	}
	v, err := s.verify(ctx, "verify trace", replay.Key)
	return replay, v, err
}

// SetThreads changes the number of client threads of the phases to come; it is at least 1.
func (s *Suite) SetThreads(n int) { s.cfg.Threads = max(n, 1) }
