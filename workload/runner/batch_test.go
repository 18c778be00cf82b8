package runner

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turbokv/turbokv/workload"
)

// mapBatch executes its requests at once, each taking the store's delay.
type mapBatch struct {
	store   *mapStore
	calls   []func(context.Context) ([]byte, error)
	results []mapResult
}

type mapResult struct {
	value []byte
	took  time.Duration
	err   error
}

func (s *mapStore) NewBatch() Batch { return &mapBatch{store: s} }

func (b *mapBatch) add(f func(context.Context) ([]byte, error)) { b.calls = append(b.calls, f) }

func (b *mapBatch) Get(key []byte) {
	b.add(func(ctx context.Context) ([]byte, error) { return b.store.Get(ctx, key, nil) })
}

func (b *mapBatch) Put(key, value []byte) {
	b.add(func(ctx context.Context) ([]byte, error) { return nil, b.store.Put(ctx, key, value) })
}

func (b *mapBatch) Delete(key []byte) {
	b.add(func(ctx context.Context) ([]byte, error) { return nil, b.store.Delete(ctx, key) })
}

func (b *mapBatch) Increment(key []byte, delta int64) {
	b.add(func(ctx context.Context) ([]byte, error) { return nil, b.store.Increment(ctx, key, delta) })
}

func (b *mapBatch) Do(ctx context.Context) {
	b.results = make([]mapResult, len(b.calls))
	ended := make(chan int)
	for i, call := range b.calls {
		go func() {
			start := time.Now()
			value, err := call(ctx)
			b.results[i] = mapResult{value, time.Since(start), err}
			ended <- i
		}()
	}
	for range b.calls {
		<-ended
	}
}

func (b *mapBatch) Result(i int) ([]byte, time.Duration, error) {
	r := b.results[i]
	return r.value, r.took, r.err
}

func (b *mapBatch) Reset() { b.calls = nil }

func TestBatchesCountExactlyAndVerify(t *testing.T) {
	for _, mix := range []string{"A", "D", "E", "F"} {
		s, c := newMapStore(), ycsb(t, mix)
		load(t, s, c)
		s.fault = func(n int) (bool, error) {
			if n%5 == 0 {
				return n%2 == 0, ErrOutcomeUnknown
			}
			return true, nil
		}
		c.InFlight, c.Count = 8, 3001
		r, err := Run(t.Context(), s, c)
		if err != nil || r.Count+r.Errors != 3001 || r.Clients != 32 || r.Errors == 0 {
			t.Errorf("%s: %+v, %v", mix, r, err)
		}
		v, err := Verify(t.Context(), s, c.Ledger, VerifyConfig{Clients: 2, InFlight: 8,
			Key: c.Records.Key})
		if err != nil || v.Err() != nil || v.Checked != uint64(c.Ledger.Len()) || v.Checked < 100 {
			t.Errorf("%s: %+v, %v", mix, v, err)
		}
	}
}

// A ReadModifyWrite is a read and then a write, so it takes twice the delay.
func TestBatchedLatencyIsThatOfTheWholeOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newMapStore(), ycsb(t, "F")
		load(t, s, c)
		s.delay = 10 * time.Millisecond
		c.InFlight, c.Count = 8, 2000
		r, err := Run(t.Context(), s, c)
		if err != nil || len(r.Kinds) != 2 {
			t.Fatal(r, err)
		}
		for i, want := range []float64{10_000, 20_000} {
			got := r.Kinds[i].Latency
			if got.P50 < want-10 || got.Max > want+20 {
				t.Errorf("%s: %+v, want %v µs", r.Kinds[i].Kind, got, want)
			}
		}
	})
}

func TestBatchedIncrementsAreVerified(t *testing.T) {
	s, c := newMapStore(), ycsb(t, "A")
	c.Source = func(int) (workload.Source, error) { return &counters{left: 50}, nil }
	c.InFlight = 4
	if _, err := Run(t.Context(), s, c); err != nil {
		t.Fatal(err)
	}
	key := func(dst []byte, n workload.Record) []byte { return append(dst, byte(n)) }
	v, err := Verify(t.Context(), s, c.Ledger, VerifyConfig{Clients: 1, InFlight: 2, Key: key})
	if err != nil || v.Err() != nil || v.Checked != 3 {
		t.Errorf("%+v, %v", v, err)
	}
}

// plain hides that a store can batch.
type plain struct{ Target }

func TestInFlightNeedsABatcher(t *testing.T) {
	c := ycsb(t, "A")
	c.InFlight = 2
	if _, err := Run(t.Context(), plain{newMapStore()}, c); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
