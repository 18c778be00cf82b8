package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/controller/admin"
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{errors.New("disk full"), exitFailure},
		{usagef("--keys %d", 0), exitUsage},
		{fmt.Errorf("get: %w", clientlib.ErrNotFound), exitNotFound},
		{&clientlib.VersionMismatchError{Current: 3}, exitVersionMismatch},
		{clientlib.ErrUnavailable, exitUnavailable},
		{admin.ErrUnavailable, exitUnavailable},
		// Why a write is in doubt matters less than that it is.
		{fmt.Errorf("%w: %w", clientlib.ErrOutcomeUnknown, context.DeadlineExceeded), exitOutcomeUnknown},
		{fmt.Errorf("%w: %w", clientlib.ErrUnavailable, clientlib.ErrOutcomeUnknown), exitOutcomeUnknown},
		{errInterrupted, exitInterrupted},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

func TestHelpDocumentsEveryExitCode(t *testing.T) {
	for _, code := range []int{
		exitOK, exitFailure, exitUsage, exitNotFound, exitVersionMismatch, exitUnavailable,
		exitOutcomeUnknown, exitInterrupted,
	} {
		if !strings.Contains(exitHelp, "  "+strconv.Itoa(code)+"  ") {
			t.Errorf("exit code %d is not documented", code)
		}
	}
}

func TestAnInterruptedCommandSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var stderr strings.Builder
	code := Run(ctx, []string{"demo", "--records", "100", "--duration", "1m", "--nodes", "1"},
		Streams{In: strings.NewReader(""), Out: &strings.Builder{}, Err: interrupter{&stderr, cancel}})
	if code != exitInterrupted || !strings.Contains(stderr.String(), "turbokv: interrupted") {
		t.Errorf("exit code %d\n%s", code, stderr.String())
	}
}

// interrupter stops the command when the first workload begins.
type interrupter struct {
	*strings.Builder
	stop func()
}

func (i interrupter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "YCSB A") {
		i.stop()
	}
	return i.Builder.Write(p)
}
