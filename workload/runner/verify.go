package runner

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/turbokv/turbokv/workload"
)

// maxViolations bounds the violations that a Verification describes.
const maxViolations = 10

// Verification is the result of reading back what was acknowledged.
type Verification struct {
	Checked    uint64   `json:"checked"`    // records read and right
	Violations uint64   `json:"violations"` // records that hold what no correct store may hold
	Unread     uint64   `json:"unread"`     // records that could not be read
	First      []string `json:"first,omitempty"`
	Report     Report   `json:"report"` // of the reads
}

// Err is nil if every acknowledged write was found.
func (v Verification) Err() error {
	if v.Violations == 0 && v.Unread == 0 {
		return nil
	}
	first := ""
	if len(v.First) > 0 {
		first = ": " + v.First[0]
	}
	return fmt.Errorf("verification: %d records wrong, %d unreadable, %d right%s",
		v.Violations, v.Unread, v.Checked, first)
}

// VerifyConfig says how to read.
type VerifyConfig struct {
	Clients, InFlight int // as in Config
	// Key appends the key of a record to dst.
	Key func(dst []byte, n workload.Record) []byte
	// Progress may be nil.
	Progress func(done uint64, elapsed time.Duration)
}

// Verify reads every record of the ledger and judges it. All writes must have ended.
func Verify(
	ctx context.Context, t Target, l *workload.Ledger, c VerifyConfig,
) (Verification, error) {
	todo := make(chan workload.Record, max(c.Clients, 1))
	ctx, cancel := context.WithCancel(ctx)
	var feeder sync.WaitGroup
	feeder.Go(func() { feed(ctx, l, todo) })
	j := judge{ledger: l}
	report, err := Run(ctx, t, Config{
		Name: "verify", Clients: c.Clients, InFlight: c.InFlight, Progress: c.Progress, Check: j.check,
		Source: func(int) (workload.Source, error) { return &readBack{todo, c.Key}, nil },
	})
	cancel() // or the feeder waits for ever when the run ended early
	feeder.Wait()
	j.Unread, j.Report = report.Errors, report
	return j.Verification, err
}

func feed(ctx context.Context, l *workload.Ledger, todo chan<- workload.Record) {
	defer close(todo)
	for n := range l.Records {
		select {
		case todo <- n:
		case <-ctx.Done():
			return
		}
	}
}

// readBack is a Source of reads of the records that come out of a channel.
type readBack struct {
	todo <-chan workload.Record
	key  func(dst []byte, n workload.Record) []byte
}

func (s *readBack) Next(op *workload.Op) bool {
	n, ok := <-s.todo
	if ok {
		*op = workload.Op{Kind: workload.Read, Record: n, Key: s.key(op.Key[:0], n)}
	}
	return ok
}

func (s *readBack) Done(*workload.Op) {}

// judge fills in a Verification.
type judge struct {
	mu sync.Mutex
	Verification
	ledger *workload.Ledger
}

func (j *judge) check(op *workload.Op, value []byte, found bool) {
	err := j.ledger.Check(op.Record, value, found)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil {
		j.Checked++
		return
	}
	j.Violations++
	if len(j.First) < maxViolations {
		j.First = append(j.First, err.Error())
	}
}
