package comparison

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/target"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/coordinate/coordinator"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/workload"
	"github.com/turbokv/turbokv/workload/runner"
)

// Keyspace is the keyspace that is measured: by range, because scans are measured too.
func Keyspace(subRanges int, d kv.Durability) admin.KeyspaceSpec {
	return admin.KeyspaceSpec{
		Name: "compare", Partitioner: kv.RangePartitioned, Durability: d, Replication: 3,
		SubRanges: subRanges,
	}
}

// requestTimeout bounds a request: a node may be killed meanwhile.
const requestTimeout = 30 * time.Second

// Bench is a rig with a client of every way and the records loaded.
type Bench struct {
	cfg        Config
	rig        Rig
	cache      *coordinator.Cache
	clients    map[Mode]*clientlib.Client
	ledger     *workload.Ledger
	population *workload.Population
	turns      uint64
}

// Open dials a client for each way to coordinate. The bench must be closed.
func Open(ctx context.Context, rig Rig, keyspace string, cfg Config) (b *Bench, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Records, err = cfg.Records.Validate(); err != nil {
		return nil, err
	}
	b = &Bench{
		cfg: cfg, rig: rig, clients: make(map[Mode]*clientlib.Client),
		cache:  coordinator.NewCache(ctx, coordinator.FromController(rig)),
		ledger: workload.NewLedger(cfg.Records), population: workload.NewPopulation(cfg.Count),
	}
	for _, m := range cfg.Modes {
		if b.clients[m], err = b.dial(ctx, m, keyspace); err != nil {
			return nil, errors.Join(fmt.Errorf("%s-driven: %w", m, err), b.Close())
		}
	}
	return b, nil
}

func (b *Bench) dial(ctx context.Context, m Mode, keyspace string) (*clientlib.Client, error) {
	inner, err := b.rig.Connect()
	if err != nil {
		return nil, err
	}
	conn, err := m.Wrap(inner, Places{b.rig.Service(), b.rig.Master(), b.cache})
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return clientlib.Dial(ctx, clientlib.Config{
		Conn: conn, Service: b.rig.Service(), Keyspace: keyspace, Timeout: requestTimeout,
	})
}

// Close ends the clients.
func (b *Bench) Close() error {
	var errs []error
	for _, m := range allModes { // those that were dialled, in order
		if c := b.clients[m]; c != nil {
			errs = append(errs, c.Close())
		}
	}
	b.cache.Close()
	return errors.Join(errs...)
}

// Load stores all records, and every way takes its part.
func (b *Bench) Load(ctx context.Context) error {
	n, ways := b.cfg.Count, uint64(len(b.cfg.Modes))
	for i, m := range b.cfg.Modes {
		first, end := n*uint64(i)/ways, n*uint64(i+1)/ways
		const threads = 4
		report, err := runner.Run(ctx, target.New(b.clients[m]), runner.Config{
			Name: "load", Clients: threads, InFlight: 16, Records: b.cfg.Records, Ledger: b.ledger,
			Source: func(client int) (workload.Source, error) {
				part := end - first
				return workload.NewLoad(b.cfg.Records, first+part*uint64(client)/threads,
					first+part*uint64(client+1)/threads)
			},
		})
		if err != nil {
			return err
		}
		if report.Errors > 0 {
			return fmt.Errorf("load, %s-driven: %d of %d records: %v", m, report.Errors, end-first,
				report.ErrorTexts)
		}
	}
	return nil
}

// Run measures. Progress is told what is being done, and may be nil.
func (b *Bench) Run(ctx context.Context, progress func(text string)) (*Report, error) {
	r := newReport(b.cfg)
	if progress == nil {
		progress = func(string) {}
	}
	points, deepest := b.cfg.Points(), b.cfg.Depths[len(b.cfg.Depths)-1]
	for _, m := range b.cfg.Modes {
		if b.cfg.WarmUp > 0 {
			progress(fmt.Sprintf("warm-up, %s-driven", m))
			if _, err := b.turn(ctx, points[0], m, deepest, b.cfg.WarmUp); err != nil {
				return nil, err
			}
		}
	}
	for round := range b.cfg.Rounds {
		for i, p := range points {
			progress(fmt.Sprintf("round %d of %d, point %d of %d: %v", round+1, b.cfg.Rounds, i+1,
				len(points), p))
			for _, depth := range b.cfg.Depths {
				if err := b.everyWay(ctx, r, round, p, depth); err != nil {
					return nil, err
				}
			}
		}
	}
	return r, nil
}

// everyWay gives each way its turn; another one begins in each round.
func (b *Bench) everyWay(ctx context.Context, r *Report, round int, p Point, depth int) error {
	for i := range b.cfg.Modes {
		m := b.cfg.Modes[(round+i)%len(b.cfg.Modes)]
		s, err := b.turn(ctx, p, m, depth, b.cfg.Turn)
		if err != nil {
			return fmt.Errorf("%v, %s-driven: %w", p, m, err)
		}
		r.add(Cell{p, depth, m}, s)
	}
	return nil
}

// threads divides a depth into threads and requests in flight of each.
func (c Config) threads(depth int, p Point) (threads, inFlight int) {
	batch := max(c.Batch, 1)
	if p.Scan || batch == 1 { // scans do not fit into batches
		return depth, 1
	}
	return (depth + batch - 1) / batch, min(batch, depth)
}

// turn measures one way once.
func (b *Bench) turn(
	ctx context.Context, p Point, m Mode, depth int, d time.Duration,
) (s Sample, err error) {
	b.turns++
	seed := b.cfg.Seed + b.turns
	threads, inFlight := b.cfg.threads(depth, p)
	before := b.rig.Used()
	report, err := runner.Run(ctx, target.New(b.clients[m]), runner.Config{
		Name: p.String(), Clients: threads, InFlight: inFlight, Duration: d, Count: b.cfg.TurnCount,
		Records: b.cfg.Records, Ledger: b.ledger,
		Source: func(client int) (workload.Source, error) {
			return workload.NewYCSB(workload.Config{
				Mix: p.mix(), Records: b.cfg.Records, Theta: p.Theta, Seed: seed,
			}, b.population, client)
		},
	})
	if err != nil {
		return s, err
	}
	return sampleOf(report, before, b.rig.Used()), nil
}

// Verify reads back all that was acknowledged, in one of the ways.
func (b *Bench) Verify(ctx context.Context, m Mode) (runner.Verification, error) {
	return runner.Verify(ctx, target.New(b.clients[m]), b.ledger, runner.VerifyConfig{
		Clients: 4, InFlight: 16, Key: b.cfg.Records.Key,
	})
}
