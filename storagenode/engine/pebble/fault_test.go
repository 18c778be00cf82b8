package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/turbokv/turbokv/serverlib"
)

func numberedKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte("k"), n) }

// applyNumbered applies batch n: one record of its own that is large enough to fill tables.
func applyNumbered(t *testing.T, e *Engine, n uint64) {
	t.Helper()
	var b serverlib.Batch
	b.Put(numberedKey(n), make([]byte, 500))
	b.Put([]byte("newest"), binary.BigEndian.AppendUint64(nil, n))
	if err := e.Apply(&b); err != nil {
		t.Fatal(err)
	}
}

// survivors checks that an engine holds the batches from 1 on without a gap, and counts them.
func survivors(t *testing.T, e *Engine) (n uint64) {
	t.Helper()
	err := e.Scan([]byte("k"), []byte("l"), func(key, _ []byte) bool {
		n++
		if got := binary.BigEndian.Uint64(key[1:]); got != n {
			t.Errorf("batch %d follows batch %d", got, n-1)
		}
		return !t.Failed()
	})
	if err != nil {
		t.Fatal(err)
	}
	newest, ok, err := e.Get([]byte("newest"), nil)
	if err != nil || ok != (n > 0) || ok && binary.BigEndian.Uint64(newest) != n {
		t.Errorf("%d batches, but newest is %x, %v, %v", n, newest, ok, err)
	}
	return n
}

// TestPowerLossLosesNothingThatWasSynced crashes a file system that drops any part of what was not
// fsynced. Small tables make the engine write and merge files all the time.
func TestPowerLossLosesNothingThatWasSynced(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			fs := vfs.NewCrashableMem()
			n := uint64(0)
			for range 3 {
				fs, n = crashOnce(t, fs, n, rng)
			}
		})
	}
}

// crashOnce goes on from batch n, loses power at a random moment, and returns the file system as
// it is then with the number of batches that survived.
func crashOnce(t *testing.T, fs *vfs.MemFS, n uint64, rng *rand.Rand) (*vfs.MemFS, uint64) {
	e, err := Open("db", Options{FS: fs, MemTableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if got := survivors(t, e); got < n {
		t.Fatalf("batch %d was synced, but %d is the newest after the crash", n, got)
	} else {
		n = got
	}
	synced := n
	for range 200 + rng.IntN(800) {
		n++
		applyNumbered(t, e, n)
		if rng.IntN(20) == 0 {
			if err := e.Sync(); err != nil {
				t.Fatal(err)
			}
			synced = n
		}
	}
	crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return crashed, synced
}

func TestFailedSyncFailsTheEngineForGood(t *testing.T) {
	broken := errors.New("disk is broken")
	failing := func(kind errorfs.OpKind) *errorfs.Toggle {
		return &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == kind && strings.HasSuffix(op.Path, ".log") {
				return broken
			}
			return nil
		})}
	}
	for name, kind := range map[string]errorfs.OpKind{
		"fsync": errorfs.OpFileSyncData, "write": errorfs.OpFileWrite,
	} {
		t.Run(name, func(t *testing.T) {
			fault := failing(kind)
			e, err := Open("db", Options{FS: errorfs.Wrap(vfs.NewMem(), fault)})
			if err != nil {
				t.Fatal(err)
			}
			applyNumbered(t, e, 1)
			if err := e.Sync(); err != nil {
				t.Fatal(err)
			}
			fault.On()
			applyNumbered(t, e, 2)
			expectFailed(t, e, broken)
			fault.Off()
			expectFailed(t, e, broken)
			if err := e.Close(); err == nil {
				t.Error("Close of a failed engine succeeded")
			}
		})
	}
}

func expectFailed(t *testing.T, e *Engine, want error) {
	t.Helper()
	if err := e.Sync(); err == nil || !strings.Contains(err.Error(), want.Error()) {
		t.Errorf("Sync: got %v, want %v", err, want)
	}
	var b serverlib.Batch
	b.Put([]byte("x"), nil)
	if err := e.Apply(&b); err == nil {
		t.Error("Apply succeeded")
	}
	if _, _, err := e.Get([]byte("x"), nil); err == nil {
		t.Error("Get succeeded")
	}
}

func TestApplyDeletesRangesInTheOrderOfTheBatch(t *testing.T) {
	for _, n := range []uint64{10, shortRange + 10} {
		e, err := Open("db", Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			applyNumbered(t, e, i)
		}
		var b serverlib.Batch
		b.Put(numberedKey(n), []byte("before"))
		b.DeleteRange(numberedKey(0), numberedKey(n+5))
		b.Put(numberedKey(1), []byte("after"))
		if err := e.Apply(&b); err != nil {
			t.Fatal(err)
		}
		var left []string
		err = e.Scan([]byte("k"), []byte("l"), func(_, value []byte) bool {
			left = append(left, string(value))
			return true
		})
		if err != nil || len(left) != 1 || left[0] != "after" {
			t.Errorf("%d records: %d left, %v; want the one put afterwards", n, len(left), err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
