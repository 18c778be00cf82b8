package outage

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a store whose parts can be taken away, and that can lose or repeat an increment.
type fake struct {
	mu       sync.Mutex
	counters map[string]int64
	back     map[string]chan struct{} // of parts that are away
}

func newFake() *fake {
	return &fake{counters: map[string]int64{}, back: map[string]chan struct{}{}}
}

func (f *fake) wait(ctx context.Context, key []byte) error {
	f.mu.Lock()
	back := f.back[string(key)]
	f.mu.Unlock()
	if back == nil {
		return nil
	}
	select {
	case <-back:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fake) Read(ctx context.Context, key []byte) error { return f.wait(ctx, key) }

func (f *fake) Increment(ctx context.Context, key []byte) (int64, error) {
	if err := f.wait(ctx, key); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counters[string(key)]++
	return f.counters[string(key)], nil
}

func (f *fake) add(key string, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counters[key] += n
}

// away takes a part away for d.
func (f *fake) away(key string, d time.Duration) {
	back := make(chan struct{})
	f.mu.Lock()
	f.back[key] = back
	f.mu.Unlock()
	time.Sleep(d)
	f.mu.Lock()
	delete(f.back, key)
	f.mu.Unlock()
	close(back)
}

var parts = []Part{{"one", []byte("a")}, {"two", []byte("b")}}

func TestOutagesAreMeasuredPerPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		w, err := Start(t.Context(), f, parts)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		w.Window()
		f.away("a", 300*time.Millisecond)
		time.Sleep(time.Second)
		gaps := w.Window()
		for _, gap := range []time.Duration{gaps[0].Read, gaps[0].Write} {
			if gap < 300*time.Millisecond || gap > 310*time.Millisecond {
				t.Errorf("away for 300 ms, measured %v", gaps[0])
			}
		}
		if gaps[1].Read > 2*pause || gaps[1].Write > 2*pause {
			t.Errorf("never away, measured %v", gaps[1])
		}
		v, err := w.Stop(t.Context())
		if err != nil || v.Lost != 0 || v.Surplus != 0 || v.Unknown != 0 || v.Acknowledged < 1000 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func TestLossAndSurplusAreFound(t *testing.T) {
	for _, n := range []int64{-3, 2} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			w, err := Start(t.Context(), f, parts)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			f.add("b", n)
			time.Sleep(time.Second)
			v, err := w.Stop(t.Context())
			if v.Lost != max(0, -n) || v.Surplus != max(0, n) || (n < 0) != (err != nil) {
				t.Errorf("%d: %+v, %v", n, v, err)
			}
		})
	}
}

func TestAStoreThatDoesNotAnswerAtTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := newFake()
	f.back["a"] = make(chan struct{})
	if _, err := Start(ctx, f, parts); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
