package engine_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode/engine"
)

func TestOpenRefusesTheDirectoryOfAnotherEngine(t *testing.T) {
	dir := t.TempDir()
	e, err := engine.Open(engine.Bbolt, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Open(engine.Pebble, dir); !errors.Is(err, engine.ErrOtherKind) {
		t.Errorf("got %v, want %v", err, engine.ErrOtherKind)
	}
}

func TestOpenRefusesADirectoryInUse(t *testing.T) {
	for _, kind := range []engine.Kind{engine.Bbolt, engine.Pebble} {
		t.Run(string(kind), func(t *testing.T) {
			dir := t.TempDir()
			first, err := engine.Open(kind, dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := engine.Open(kind, dir); err == nil {
				t.Error("opened twice")
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := engine.Open(kind, dir)
			if err != nil {
				t.Fatalf("after Close: %v", err)
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestParseKind(t *testing.T) {
	for _, kind := range engine.Kinds() {
		if got, err := engine.ParseKind(string(kind)); got != kind || err != nil {
			t.Errorf("%s: got %q, %v", kind, got, err)
		}
	}
	if got, err := engine.ParseKind(""); got != engine.DefaultDurable || err != nil {
		t.Errorf("empty name: got %q, %v", got, err)
	}
	if _, err := engine.ParseKind("leveldb"); !errors.Is(err, engine.ErrUnknownKind) {
		t.Errorf("leveldb: got %v, want %v", err, engine.ErrUnknownKind)
	}
}

// TestDeleteRangeWithoutEndDeletesNothing: an empty end is no bound to Scan, but the smallest key
// to DeleteRange.
func TestDeleteRangeWithoutEndDeletesNothing(t *testing.T) {
	for _, kind := range engine.Kinds() {
		e, err := engine.Open(kind, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		var b serverlib.Batch
		b.Put([]byte("a"), nil)
		b.DeleteRange([]byte("a"), nil)
		b.DeleteRange(nil, nil)
		if err := e.Apply(&b); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := e.Get([]byte("a"), nil); !ok || err != nil {
			t.Errorf("%s: record is gone: %v", kind, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSizeFollowsTheRecords: what a node reports must grow with what it holds, whatever the engine.
func TestSizeFollowsTheRecords(t *testing.T) {
	const records, value = 2000, 1000
	for _, kind := range engine.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			e, err := engine.Open(kind, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			sized := e.(serverlib.Sized)
			before := sized.Size()
			var b serverlib.Batch
			for i := range records {
				b.Put(fmt.Appendf(nil, "key %d", i), make([]byte, value))
			}
			if err := errors.Join(e.Apply(&b), e.Sync()); err != nil {
				t.Fatal(err)
			}
			grown := sized.Size() - before
			if grown < records*value || grown > 4*records*value {
				t.Errorf("%d bytes more for %d of values", grown, records*value)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
