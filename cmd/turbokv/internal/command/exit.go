package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/gateway"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/upservice"
	"github.com/turbokv/turbokv/controller/admin"
)

// The exit codes.
const (
	exitOK              = 0
	exitFailure         = 1 // anything not listed below
	exitUsage           = 2 // wrong flags or arguments
	exitNotFound        = 3 // no such record or keyspace
	exitVersionMismatch = 4 // the record does not have the expected version
	exitUnavailable     = 5 // no cluster, or no answer in time, and nothing was changed
	exitOutcomeUnknown  = 6 // no answer in time, and the write may or may not be in effect
	exitInterrupted     = 130
)

const exitHelp = `Exit codes:
  0  success
  1  failure not listed below
  2  wrong flags or arguments
  3  no such record or keyspace
  4  the record does not have the expected version
  5  the cluster is unavailable; nothing was changed
  6  the outcome of a write is unknown: it may be in effect, or come in effect, at most once
  130  interrupted`

// errUsage marks errors in flags and arguments.
var errUsage = errors.New("usage")

// usagef returns an error of flags or arguments.
func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// usageError is an errUsage whose text does not say so.
type usageError struct{ error }

func (e *usageError) Is(target error) bool { return target == errUsage }
func (e *usageError) Unwrap() error        { return e.error }

// errInterrupted says that somebody stopped the command.
var errInterrupted = errors.New("interrupted")

// codes maps errors to exit codes, first match first: an outcome that is unknown matters more than
// the reason why.
var codes = []struct {
	err  error
	code int
}{
	{errUsage, exitUsage},
	{clientlib.ErrOutcomeUnknown, exitOutcomeUnknown},
	{clientlib.ErrNotFound, exitNotFound},
	{clientlib.ErrNoKeyspace, exitNotFound},
	{clientlib.ErrVersionMismatch, exitVersionMismatch},
	{clientlib.ErrUnavailable, exitUnavailable},
	{clientlib.ErrBadRequest, exitUsage},
	{clientlib.ErrTooLarge, exitUsage},
	{admin.ErrInvalid, exitUsage},
	{admin.ErrNotFound, exitNotFound},
	{admin.ErrNotReady, exitUnavailable},
	{admin.ErrUnavailable, exitUnavailable},
	{clusterfile.ErrNone, exitUnavailable},
	{gateway.ErrFull, exitUnavailable},
	{netns.ErrNone, exitUnavailable},
	{netns.ErrMissing, exitUnavailable},
	{upservice.ErrAbsent, exitUnavailable},
	{context.DeadlineExceeded, exitUnavailable},
	{errInterrupted, exitInterrupted},
}

func codeOf(err error) int {
	if err == nil {
		return exitOK
	}
	if other := (*passed)(nil); errors.As(err, &other) {
		return other.code
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return exitFailure
}
