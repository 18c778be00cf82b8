package runner

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turbokv/turbokv/workload"
)

// mapStore is a correct store in memory, with faults on demand.
type mapStore struct {
	mu      sync.Mutex
	data    map[string][]byte
	delay   time.Duration
	retries uint64
	// fault, if set, decides per write: acted says whether it takes effect, err what is returned.
	fault func(n int) (acted bool, err error)
	calls int
}

func newMapStore() *mapStore { return &mapStore{data: map[string][]byte{}} }

// wait takes as long as the store is slow; under synctest in virtual time.
func (s *mapStore) wait() {
	if s.delay > 0 {
		<-time.After(s.delay)
	}
}

func (s *mapStore) write(f func()) error {
	s.wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	acted, err := true, error(nil)
	if s.fault != nil {
		acted, err = s.fault(s.calls)
	}
	if acted {
		f()
	}
	return err
}

func (s *mapStore) Get(_ context.Context, key, dst []byte) ([]byte, error) {
	s.wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.data[string(key)]
	if !ok {
		return dst, fmt.Errorf("get: %w", ErrNotFound)
	}
	return append(dst, value...), nil
}

func (s *mapStore) Put(_ context.Context, key, value []byte) error {
	return s.write(func() { s.data[string(key)] = bytes.Clone(value) })
}

func (s *mapStore) Delete(_ context.Context, key []byte) error {
	return s.write(func() { delete(s.data, string(key)) })
}

func (s *mapStore) Scan(_ context.Context, start []byte, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for key := range s.data {
		if key >= string(start) {
			n++
		}
	}
	return min(n, limit), nil
}

func (s *mapStore) Increment(_ context.Context, key []byte, delta int64) error {
	return s.write(func() {
		old := slices.Concat(s.data[string(key)], make([]byte, 8))[:8]
		s.data[string(key)] = binary.BigEndian.AppendUint64(nil,
			binary.BigEndian.Uint64(old)+uint64(delta))
	})
}

func (s *mapStore) Retries() uint64 { return s.retries }

func shape(t *testing.T) workload.Records {
	t.Helper()
	s, err := workload.Records{ValueSize: 64}.Validate()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ycsb returns the configuration of a run of the mix over 100 records.
func ycsb(t *testing.T, name string) Config {
	t.Helper()
	mix, err := workload.ParseMix(name)
	if err != nil {
		t.Fatal(err)
	}
	population := workload.NewPopulation(100)
	s := shape(t)
	return Config{
		Name: name, Clients: 4, Records: s, Ledger: workload.NewLedger(s),
		Source: func(i int) (workload.Source, error) {
			return workload.NewYCSB(workload.Config{Mix: mix, Records: s, Seed: 1}, population, i)
		},
	}
}

func load(t *testing.T, s *mapStore, c Config) {
	t.Helper()
	c.Clients = 1
	c.Source = func(int) (workload.Source, error) { return workload.NewLoad(c.Records, 0, 100) }
	if r, err := Run(t.Context(), s, c); err != nil || r.Count != 100 {
		t.Fatalf("load: %d records, %v", r.Count, err)
	}
}

func TestCountIsExact(t *testing.T) {
	s, c := newMapStore(), ycsb(t, "A")
	load(t, s, c)
	c.Count = 1001
	s.retries = 5
	r, err := Run(t.Context(), s, c)
	if err != nil || r.Count != 1001 || r.Errors != 0 || r.Retries != 0 {
		t.Errorf("report %+v, %v", r, err)
	}
}

func TestLatencyAndThroughputAreThoseOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newMapStore(), ycsb(t, "A")
		load(t, s, c)
		s.delay = 10 * time.Millisecond
		c.Duration = 10 * time.Second
		var last uint64
		c.Progress = func(done uint64, _ time.Duration) { last = done }
		r, err := Run(t.Context(), s, c)
		if err != nil {
			t.Fatal(err)
		}
		// Four clients of 10 ms each: 400 operations a second.
		if r.Throughput < 399 || r.Throughput > 401 || r.Seconds < 10 || r.Seconds > 10.02 {
			t.Errorf("%.1f ops/s in %.2f s", r.Throughput, r.Seconds)
		}
		for _, us := range []float64{r.Latency.P50, r.Latency.P99, r.Latency.Max} {
			if us < 9_990 || us > 10_010 {
				t.Errorf("latency %+v, want 10 ms", r.Latency)
			}
		}
		if last != r.Count {
			t.Errorf("last progress %d of %d", last, r.Count)
		}
	})
}

func TestErrorsAndMissesAreCountedApart(t *testing.T) {
	s, c := newMapStore(), ycsb(t, "A")
	s.fault = func(n int) (bool, error) {
		switch n % 4 {
		case 1:
			return true, ErrOutcomeUnknown
		case 2:
			return false, errors.New("disk full")
		}
		return true, nil
	}
	c.Count = 2000 // without load: most reads miss at first
	r, err := Run(t.Context(), s, c)
	if err != nil {
		t.Fatal(err)
	}
	read, update := r.Kinds[0], r.Kinds[1]
	if read.Misses == 0 || read.Errors != 0 || read.Misses > read.Count {
		t.Errorf("reads %+v", read)
	}
	writes := update.Count + update.Errors
	if update.Errors != r.Errors || update.Errors < writes/2-1 || update.Unknown < writes/4-1 ||
		update.Unknown > writes/4+1 {
		t.Errorf("updates %+v", update)
	}
	if r.ErrorTexts["disk full"] != update.Errors-update.Unknown {
		t.Errorf("error texts %v", r.ErrorTexts)
	}
}

func TestVerifyFindsEveryAcknowledgedWrite(t *testing.T) {
	for _, mix := range []string{"A", "D", "F"} {
		s, c := newMapStore(), ycsb(t, mix)
		load(t, s, c)
		s.fault = func(n int) (bool, error) {
			if n%5 == 0 {
				return n%2 == 0, ErrOutcomeUnknown
			}
			return true, nil
		}
		c.Count = 3000
		if _, err := Run(t.Context(), s, c); err != nil {
			t.Fatal(err)
		}
		v, err := Verify(t.Context(), s, c.Ledger, VerifyConfig{Clients: 4, Key: c.Records.Key})
		if err != nil || v.Err() != nil || v.Checked != uint64(c.Ledger.Len()) || v.Checked < 100 {
			t.Errorf("%s: %+v, %v", mix, v, err)
		}
	}
}

func TestVerifyFindsALostWrite(t *testing.T) {
	s, c := newMapStore(), ycsb(t, "A")
	load(t, s, c)
	const lost, stale = 3, 4
	delete(s.data, string(c.Records.Key(nil, lost)))
	again := c.Ledger.Begin(stale, c.Records.ValueSize, false)
	c.Ledger.End(again, workload.Acknowledged) // and never stored
	v, err := Verify(t.Context(), s, c.Ledger, VerifyConfig{Clients: 4, Key: c.Records.Key})
	if err != nil || v.Violations != 2 || v.Checked != 98 || v.Err() == nil || len(v.First) != 2 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestVerifyStopsWithItsContext(t *testing.T) {
	s, c := newMapStore(), ycsb(t, "A")
	load(t, s, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Verify(ctx, s, c.Ledger, VerifyConfig{Clients: 4, Key: c.Records.Key})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// counters is a Source of increments.
type counters struct{ left int }

func (s *counters) Next(op *workload.Op) bool {
	s.left--
	n := workload.Record(s.left % 3)
	*op = workload.Op{Kind: workload.Increment, Record: n, Key: []byte{byte(n)}, Delta: 2}
	return s.left >= 0
}

func (s *counters) Done(*workload.Op) {}

func TestIncrementsAreVerified(t *testing.T) {
	s, c := newMapStore(), ycsb(t, "A")
	c.Source = func(int) (workload.Source, error) { return &counters{left: 50}, nil }
	if _, err := Run(t.Context(), s, c); err != nil {
		t.Fatal(err)
	}
	key := func(dst []byte, n workload.Record) []byte { return append(dst, byte(n)) }
	reading := VerifyConfig{Clients: 2, Key: key}
	v, err := Verify(t.Context(), s, c.Ledger, reading)
	if err != nil || v.Err() != nil || v.Checked != 3 {
		t.Errorf("%+v, %v", v, err)
	}
	s.data["\x01"][7]--
	if v, _ := Verify(t.Context(), s, c.Ledger, reading); v.Violations != 1 {
		t.Errorf("a lost increment is not found: %+v", v)
	}
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	good := ycsb(t, "A")
	for _, spoil := range []func(*Config){
		func(c *Config) { c.Clients = 0 },
		func(c *Config) { c.Source = nil },
		func(c *Config) { c.Duration = -1 },
		func(c *Config) {
			c.Source = func(int) (workload.Source, error) { return nil, errors.New("no") }
		},
	} {
		c := good
		spoil(&c)
		if _, err := Run(t.Context(), newMapStore(), c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestReportsPrint(t *testing.T) {
	r := Report{
		Name: "A", Clients: 8, Count: 1000, Throughput: 123456, Errors: 1, Retries: 2,
		Latency: Latency{P50: 88, P95: 1250, P99: 20_000, Max: 3e6},
		Kinds:   []KindReport{{Kind: "read", Count: 1000, Misses: 3}},
	}
	var table, kinds, encoded strings.Builder
	err := errors.Join(WriteTable(&table, r), WriteKinds(&kinds, r), WriteJSON(&encoded, r))
	if err != nil {
		t.Fatal(err)
	}
	want := "A 8 1000 123456 88µs 1.25ms 20ms 3s 1 2"
	if got := strings.Fields(strings.Split(table.String(), "\n")[1]); strings.Join(got, " ") != want {
		t.Errorf("row %q, want %q", got, want)
	}
	if !strings.Contains(kinds.String(), "read") {
		t.Errorf("kinds %q", kinds.String())
	}
	var back []Report
	if err := json.Unmarshal([]byte(encoded.String()), &back); err != nil ||
		back[0].Latency != r.Latency {
		t.Errorf("JSON %s: %v", encoded.String(), err)
	}
}
