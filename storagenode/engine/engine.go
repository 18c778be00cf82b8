// Package engine opens the storage engines of a node by name. The engines themselves stand in the
// packages below; all pass the conformance tests of serverlib/enginetest.
package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode/engine/bbolt"
	"github.com/turbokv/turbokv/storagenode/engine/cached"
	"github.com/turbokv/turbokv/storagenode/engine/memory"
	"github.com/turbokv/turbokv/storagenode/engine/pebble"
)

// Kind names an engine, on command lines and in data directories.
type Kind string

// The engines.
const (
	Memory Kind = "memory" // nothing survives a restart
	Bbolt  Kind = "bbolt"  // one file, no background work
	Pebble Kind = "pebble" // log-structured merge tree
)

// DefaultDurable is the engine of a node with a data directory that is not told otherwise.
const DefaultDurable = Pebble

// Kinds lists the engines.
func Kinds() []Kind { return []Kind{Memory, Bbolt, Pebble} }

// Errors of Open.
var (
	ErrUnknownKind = errors.New("unknown engine")
	ErrOtherKind   = errors.New("directory belongs to another engine")
)

// ParseKind returns the kind of this name; an empty name stands for DefaultDurable.
func ParseKind(name string) (Kind, error) {
	if name == "" {
		return DefaultDurable, nil
	}
	if k := Kind(name); slices.Contains(Kinds(), k) {
		return k, nil
	}
	return "", fmt.Errorf("%w %q: must be one of %v", ErrUnknownKind, name, Kinds())
}

// kindFile records in a directory whose it is, because an engine that finds nothing of its own
// would start empty beside the data of another.
const kindFile = "ENGINE"

// Open opens the engine of this kind in a directory, making the directory if needed, and puts a
// cache of records in front of a durable one. Only Memory needs no directory. An engine is open
// in one process at a time.
func Open(kind Kind, dir string) (serverlib.Engine, error) {
	if kind == Memory {
		return memory.New(), nil
	}
	if _, err := ParseKind(string(kind)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%s engine: %w", kind, err)
	}
	if err := claim(kind, dir); err != nil {
		return nil, err
	}
	e, err := openDurable(kind, dir)
	if err != nil {
		return nil, err
	}
	return cached.New(e, cacheSize), nil
}

// cacheSize is the memory for records in use, in bytes: about 100,000 records of 200 bytes.
const cacheSize = 32 << 20

func openDurable(kind Kind, dir string) (serverlib.Engine, error) {
	if kind == Bbolt {
		return bbolt.Open(filepath.Join(dir, "records.bbolt"))
	}
	return pebble.Open(filepath.Join(dir, "pebble"), pebble.Options{})
}

// claim writes the kind into a new directory, or compares it with the one there.
func claim(kind Kind, dir string) error {
	path := filepath.Join(dir, kindFile)
	found, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		err = os.WriteFile(path, []byte(kind+"\n"), 0o600)
		found = []byte(kind)
	}
	if err != nil {
		return fmt.Errorf("%s engine: %w", kind, err)
	}
	if other := strings.TrimSpace(string(found)); other != string(kind) {
		return fmt.Errorf("%w: %s was made by %q, not by %q", ErrOtherKind, dir, other, kind)
	}
	return nil
}
