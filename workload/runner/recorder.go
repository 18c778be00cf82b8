package runner

import (
	"errors"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/turbokv/turbokv/workload"
)

// Latencies are recorded in nanoseconds. What lasts longer than the largest counts as the largest.
const (
	maxLatency        = 2 * time.Minute
	significantDigits = 3
)

// maxErrorTexts bounds the distinct errors that a report quotes.
const maxErrorTexts = 5

// tally is what was measured of one kind of operation.
type tally struct {
	latency  *hdrhistogram.Histogram // successes and misses, made at the first
	errors   uint64
	misses   uint64
	unknown  uint64 // writes among the errors whose outcome is unknown
	returned uint64 // records returned by scans
}

// recorder collects the measurements of some clients. It is safe for concurrent use.
type recorder struct {
	mu    sync.Mutex
	kinds [workload.OpKinds]tally
	texts map[string]uint64
}

// record enters one finished operation.
func (r *recorder) record(kind workload.OpKind, took time.Duration, returned int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.kinds[kind]
	miss := errors.Is(err, ErrNotFound)
	if err != nil && !miss {
		r.fail(t, err)
		return
	}
	if miss {
		t.misses++
	}
	t.returned += uint64(returned)
	if t.latency == nil {
		t.latency = newHistogram()
	}
	_ = t.latency.RecordValue(int64(min(took, maxLatency))) // in range by the min
}

func (r *recorder) fail(t *tally, err error) {
	t.errors++
	if errors.Is(err, ErrOutcomeUnknown) {
		t.unknown++
	}
	if r.texts == nil {
		r.texts = make(map[string]uint64)
	}
	if text := err.Error(); len(r.texts) < maxErrorTexts || r.texts[text] > 0 {
		r.texts[text]++
	}
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(maxLatency), significantDigits)
}

// merge adds what o has measured.
func (r *recorder) merge(o *recorder) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for k := range r.kinds {
		r.kinds[k].merge(&o.kinds[k])
	}
	for text, n := range o.texts {
		if r.texts == nil {
			r.texts = make(map[string]uint64)
		}
		r.texts[text] += n
	}
}

func (t *tally) merge(o *tally) {
	t.errors += o.errors
	t.misses += o.misses
	t.unknown += o.unknown
	t.returned += o.returned
	if o.latency == nil {
		return
	}
	if t.latency == nil {
		t.latency = newHistogram()
	}
	t.latency.Merge(o.latency)
}
