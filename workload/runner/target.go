package runner

import (
	"context"
	"errors"
)

// The errors that a Target must return (wrapped or not) for outcomes that are counted apart.
var (
	// ErrNotFound says that a read found no record. It is a miss, not an error.
	ErrNotFound = errors.New("not found")
	// ErrOutcomeUnknown says that a write may be in effect or come in effect later.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrUnsupported says that the store does not have the operation.
	ErrUnsupported = errors.New("operation not supported by this store")
)

// Target is a key-value store under test. All methods are safe for concurrent use, keep no
// argument after they return, and bound their own time.
type Target interface {
	// Get appends the value of key to dst.
	Get(ctx context.Context, key, dst []byte) ([]byte, error)
	Put(ctx context.Context, key, value []byte) error
	// Delete removes key; absence is ErrNotFound.
	Delete(ctx context.Context, key []byte) error
	// Scan reads up to limit records from start on in key order and returns how many there were.
	Scan(ctx context.Context, start []byte, limit int) (int, error)
	// Increment adds delta to an integer record; an absent one counts as 0.
	Increment(ctx context.Context, key []byte, delta int64) error
	// Retries returns how many requests were sent again so far.
	Retries() uint64
}
