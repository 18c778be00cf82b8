package clientlib

import (
	"context"
	"errors"
	"fmt"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// What an operation can end with, to be asked for with errors.Is.
var (
	// ErrNotFound: there is no record under the key.
	ErrNotFound = errors.New("not found")
	// ErrVersionMismatch: the record does not have the expected version. The error is a
	// *VersionMismatchError as well.
	ErrVersionMismatch = errors.New("version mismatch")
	// ErrTooLarge: the key is longer than wire.MaxKeySize bytes, or key and value together are
	// longer than wire.MaxRecordSize. Nothing was sent.
	ErrTooLarge = errors.New("too large")
	// ErrUnavailable: no answer came before the deadline, and nothing was changed.
	ErrUnavailable = errors.New("unavailable")
	// ErrOutcomeUnknown: no answer came before the deadline; the write may have been executed
	// or may yet be, at most once.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrNoKeyspace: the cluster has no keyspace of this name or number.
	ErrNoKeyspace = errors.New("no such keyspace")
	// ErrBadRequest: the arguments contradict themselves, as an empty key does.
	ErrBadRequest = errors.New("bad request")
	// ErrUnsupported: the keyspace does not offer the operation: a hash-partitioned one cannot
	// be scanned.
	ErrUnsupported = errors.New("not supported by this keyspace")
	// ErrNotANumber: Increment of a record that is not an 8-byte integer.
	ErrNotANumber = errors.New("record is not an 8-byte integer")
	// ErrInternal: a node's storage engine failed.
	ErrInternal = errors.New("storage node failed")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("client is closed")
)

// OpError is the error of one operation: what was done to which key, and how it ended.
type OpError struct {
	Op       wire.Op
	Keyspace string
	Key      []byte // of a scan, where it was to go on
	Err      error  // wraps one of the Err values
}

// maxKeyShown bounds the part of a key that an error message quotes, in bytes.
const maxKeyShown = 64

// Error says the operation, the keyspace, the key and the reason.
func (e *OpError) Error() string {
	key, more := e.Key, ""
	if len(key) > maxKeyShown {
		key, more = key[:maxKeyShown], "..."
	}
	return fmt.Sprintf("%v %s/%q%s: %v", e.Op, e.Keyspace, key, more, e.Err)
}

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

// VersionMismatchError says which version a record had instead of the expected one.
type VersionMismatchError struct {
	Current kv.Version // 0 if there is no record
}

// Error says the current version.
func (e *VersionMismatchError) Error() string {
	if e.Current == 0 {
		return "version mismatch: there is no record"
	}
	return fmt.Sprintf("version mismatch: the record has version %d", e.Current)
}

// Is makes errors.Is(err, ErrVersionMismatch) hold.
func (e *VersionMismatchError) Is(target error) bool { return target == ErrVersionMismatch }

var statusErrors = map[wire.Status]error{
	wire.StatusNotFound:       ErrNotFound,
	wire.StatusNoKeyspace:     ErrNoKeyspace,
	wire.StatusBadRequest:     ErrBadRequest,
	wire.StatusTooLarge:       ErrTooLarge,
	wire.StatusUnsupported:    ErrUnsupported,
	wire.StatusNotANumber:     ErrNotANumber,
	wire.StatusInternal:       ErrInternal,
	wire.StatusSessionExpired: errors.New("the store has forgotten this session"),
}

var causeErrors = map[session.Cause]error{
	session.ByDeadline: context.DeadlineExceeded,
	session.ByCancel:   context.Canceled,
	session.ByClose:    ErrClosed,
}

// errorOf translates the end of a request; nil means success.
func errorOf(c *session.Completion) error {
	switch c.Outcome {
	case session.Unavailable:
		return fmt.Errorf("%w: %w", ErrUnavailable, reasonOf(c))
	case session.Unknown:
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, reasonOf(c))
	}
	if c.Status == wire.StatusOK {
		return nil
	}
	return statusError(c)
}

func reasonOf(c *session.Completion) error {
	if c.Cause == session.ByNode {
		return statusError(c)
	}
	return causeErrors[c.Cause]
}

func statusError(c *session.Completion) error {
	if c.Status == wire.StatusVersionMismatch {
		return &VersionMismatchError{Current: c.Version}
	}
	if err, ok := statusErrors[c.Status]; ok {
		return err
	}
	return fmt.Errorf("%w: unexpected status %v", ErrInternal, c.Status)
}
