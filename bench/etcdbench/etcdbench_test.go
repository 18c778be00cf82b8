package etcdbench

import (
	"errors"
	"os"
	"testing"

	"github.com/turbokv/turbokv/workload"
	"github.com/turbokv/turbokv/workload/runner"
)

// TestMain lets the test binary be started again as a member.
func TestMain(m *testing.M) {
	if child, err := RunChild(); child {
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, c Config) *Target {
	t.Helper()
	c.Dir = t.TempDir()
	cluster, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	target, err := Dial(t.Context(), cluster.Endpoints)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	})
	return target
}

func TestTargetDoesWhatTheRunnerAsks(t *testing.T) {
	target, ctx := start(t, Config{NoFsync: true}), t.Context()
	if _, err := target.Get(ctx, []byte("a"), nil); !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("get of nothing: %v", err)
	}
	for _, key := range []string{"a", "b", "c"} {
		if err := target.Put(ctx, []byte(key), []byte("value")); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := target.Get(ctx, []byte("a"), []byte(">")); string(v) != ">value" || err != nil {
		t.Errorf("get: %q, %v", v, err)
	}
	if n, err := target.Scan(ctx, []byte("b"), 10); n != 2 || err != nil {
		t.Errorf("scan: %d, %v", n, err)
	}
	if n, err := target.Scan(ctx, []byte("a"), 2); n != 2 || err != nil {
		t.Errorf("scan with limit: %d, %v", n, err)
	}
	if err := target.Delete(ctx, []byte("b")); err != nil {
		t.Errorf("delete: %v", err)
	}
	if err := target.Delete(ctx, []byte("b")); !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("second delete: %v", err)
	}
	for range 2 {
		if err := target.Increment(ctx, []byte("n"), 21); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := target.Get(ctx, []byte("n"), nil); string(v) != "42" || err != nil {
		t.Errorf("counter: %q, %v", v, err)
	}
}

func TestProcessesServeAndStop(t *testing.T) {
	target := start(t, Config{NoFsync: true, Processes: true})
	s, err := workload.Records{ValueSize: 100}.Validate()
	if err != nil {
		t.Fatal(err)
	}
	ledger := workload.NewLedger(s)
	report, err := runner.Run(t.Context(), target, runner.Config{
		Name: "load", Clients: 8, Records: s, Ledger: ledger,
		Source: func(i int) (workload.Source, error) {
			return workload.NewLoad(s, uint64(i)*10, uint64(i+1)*10)
		},
	})
	if err != nil || report.Count != 80 {
		t.Fatalf("%+v, %v", report, err)
	}
	v, err := runner.Verify(t.Context(), target, ledger, runner.VerifyConfig{Clients: 8, Key: s.Key})
	if err != nil || v.Err() != nil || v.Checked != 80 {
		t.Errorf("%+v, %v", v, err)
	}
}
