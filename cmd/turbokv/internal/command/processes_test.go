package command

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/procs"
)

// TestMain lets the test binary be started again as a part of a cluster.
func TestMain(m *testing.M) {
	time.Local = time.UTC // scripts show times
	if !procs.IsChild() {
		os.Exit(m.Run())
	}
	ctx, stop := procs.Context(context.Background())
	code := Run(ctx, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}

func TestProcessesServeTheSame(t *testing.T) {
	up(t, "--processes")
	run(t, "put", "greeting", "hello")
	if got := run(t, "get", "greeting"); got != "hello\n" {
		t.Errorf("got %q", got)
	}
	if got := run(t, "add"); got != "node 10.0.0.4 has joined\n" {
		t.Errorf("add: %q", got)
	}
	out := benchmark(t, "-w", "A,E")
	if out.Verification == nil || out.Verification.Err() != nil {
		t.Errorf("%+v", out)
	}
}
