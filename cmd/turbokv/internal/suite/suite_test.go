package suite

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turbokv/turbokv/workload"
	"github.com/turbokv/turbokv/workload/runner"
	"github.com/turbokv/turbokv/workload/trace"
)

// store is a correct store in memory.
type store struct {
	mu   sync.Mutex
	data map[string][]byte
	sums map[string]int64
}

func newStore() *store { return &store{data: map[string][]byte{}, sums: map[string]int64{}} }

func (s *store) Get(_ context.Context, key, dst []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sum, ok := s.sums[string(key)]; ok {
		return append(dst, 0, 0, 0, 0, 0, 0, 0, byte(sum)), nil
	}
	value, ok := s.data[string(key)]
	if !ok {
		return dst, runner.ErrNotFound
	}
	return append(dst, value...), nil
}

func (s *store) Put(_ context.Context, key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data[string(key)] = bytes.Clone(value)
	return nil
}

func (s *store) Delete(_ context.Context, key []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.data[string(key)]; !ok {
		return runner.ErrNotFound
	}
	delete(s.data, string(key))
	return nil
}

func (s *store) Scan(context.Context, []byte, int) (int, error) { return 1, nil }

func (s *store) Increment(_ context.Context, key []byte, delta int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sums[string(key)] += delta
	return nil
}

func (s *store) Retries() uint64 { return 0 }

func TestAllMixesRunAndVerify(t *testing.T) {
	var bar bytes.Buffer
	s, err := New(newStore(), Config{
		Population: 500, Threads: 4, InFlight: 1, Count: 1000, Verify: true,
		Distribution: workload.Uniform,
		Meter:        &Bar{Out: &bar}, Records: workload.Records{ValueSize: 32},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq("A B C D E F", " ") {
		mix, err := workload.ParseMix(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Mix(t.Context(), mix); err != nil {
			t.Fatal(err)
		}
	}
	v, err := s.Verify(t.Context())
	if err != nil || v.Err() != nil || v.Checked < 500 {
		t.Errorf("%+v, %v", v, err)
	}
	if len(s.Reports()) != 8 {
		t.Errorf("%d reports", len(s.Reports()))
	}
	for _, r := range s.Reports()[1:7] {
		if r.Count != 1000 || r.Errors != 0 {
			t.Errorf("%s: %d operations, %d errors", r.Name, r.Count, r.Errors)
		}
	}
	if text := bar.String(); !strings.Contains(text, "YCSB F") || !strings.Contains(text, "ops/s") {
		t.Errorf("progress %q", text)
	}
}

func TestTracesAreReplayedAndVerified(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "..", "workload", "trace", "testdata")
	file, err := trace.OpenFile(filepath.Join(folder, "twitter.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var lines bytes.Buffer
	s, err := New(newStore(), Config{Threads: 1, InFlight: 1, Verify: true, Meter: Lines{&lines}})
	if err != nil {
		t.Fatal(err)
	}
	replay, v, err := s.Replay(t.Context(), file)
	if err != nil || v.Err() != nil {
		t.Fatal(v, err)
	}
	stats := replay.Stats()
	if stats.Requests != 12 || stats.CutValues != 1 || v.Checked != stats.Written {
		t.Errorf("stats %+v, verification %+v", stats, v)
	}
	if lines.String() != "trace ...\nverify trace ...\n" {
		t.Errorf("progress %q", lines.String())
	}
}

func TestBadConfigurations(t *testing.T) {
	for _, c := range []Config{
		{Threads: 0, InFlight: 1}, {Threads: 1},
		{Threads: 1, InFlight: 1, Records: workload.Records{ValueSize: 1 << 20}},
	} {
		if _, err := New(newStore(), c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestMixesNeedRecords(t *testing.T) {
	s, err := New(newStore(), Config{Threads: 1, InFlight: 1, Count: 1, Duration: time.Second,
		Meter: Silent{}})
	if err != nil {
		t.Fatal(err)
	}
	mix, err := workload.ParseMix("A")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Mix(t.Context(), mix); err == nil {
		t.Error("a mix over no records runs")
	}
}
