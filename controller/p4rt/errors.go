package p4rt

import (
	"errors"
	"fmt"
	"strings"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errors of sessions.
var (
	ErrNotPrimary = errors.New("not the primary controller of the switch")
	ErrQueueFull  = errors.New("queue to the switch is full")
	ErrClosed     = errors.New("session is closed")
)

// UpdateError is why one update of a batch was refused.
type UpdateError struct {
	Update  tables.Update
	Code    codes.Code
	Message string
}

// Error implements error.
func (e UpdateError) Error() string {
	return fmt.Sprintf("%v: %v: %s", e.Update, e.Code, e.Message)
}

// BatchError says that some updates of a batch were refused and the others executed.
type BatchError struct {
	// Failed lists the refused updates. It is empty if the switch did not say which ones: then the
	// only way to know is to read what it holds.
	Failed []UpdateError
	Size   int   // of the batch
	Cause  error // as gRPC gave it
}

// Error implements error. It prints the first of many.
func (e *BatchError) Error() string {
	if len(e.Failed) == 0 {
		return fmt.Sprintf("write of %d updates: an unknown part was refused: %v", e.Size, e.Cause)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "write: %d of %d updates refused: %v", len(e.Failed), e.Size, e.Failed[0])
	if more := len(e.Failed) - 1; more > 0 {
		fmt.Fprintf(&b, " (and %d more)", more)
	}
	return b.String()
}

// Unwrap gives the gRPC error.
func (e *BatchError) Unwrap() error { return e.Cause }

// batchError interprets the error of a Write. P4Runtime puts one p4.v1.Error per update into the
// details. Where they are missing and the code is RESOURCE_EXHAUSTED, they were too large for the
// metadata of the response: some updates failed, others did not.
func batchError(err error, updates []tables.Update) error {
	s := status.Convert(err)
	if s.Code() == codes.PermissionDenied {
		return fmt.Errorf("write: %w: %w", ErrNotPrimary, err)
	}
	out := &BatchError{Size: len(updates), Cause: err}
	details := s.Details()
	if len(details) != len(updates) {
		switch s.Code() {
		case codes.Unknown, codes.ResourceExhausted:
			return out
		}
		return fmt.Errorf("write of %d updates: %w", len(updates), err)
	}
	for i, d := range details {
		e, ok := d.(*p4v1.Error)
		if !ok || codes.Code(e.GetCanonicalCode()) == codes.OK {
			continue
		}
		out.Failed = append(out.Failed, UpdateError{
			Update: updates[i], Code: codes.Code(e.GetCanonicalCode()), Message: e.GetMessage(),
		})
	}
	return out
}

// readCode returns why a Read of one entity failed. The specification has servers put that into the
// details of an UNKNOWN, as for a Write; PI says it directly.
func readCode(err error) codes.Code {
	s := status.Convert(err)
	for _, d := range s.Details() {
		if e, ok := d.(*p4v1.Error); ok && e.GetCanonicalCode() != int32(codes.OK) {
			return codes.Code(e.GetCanonicalCode())
		}
	}
	return s.Code()
}
