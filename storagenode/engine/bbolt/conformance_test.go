package bbolt

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/serverlib/enginetest"
)

func open(t *testing.T, path string) *Engine {
	t.Helper()
	e, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() }) // a second Close does nothing
	return e
}

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) enginetest.Store {
		path := filepath.Join(t.TempDir(), "records")
		e := open(t, path)
		return enginetest.Store{
			Engine: e,
			Reopen: func(t *testing.T) serverlib.Engine {
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				return open(t, path)
			},
			Crash: func(t *testing.T) serverlib.Engine { return open(t, copyFile(t, path)) },
		}
	})
}

// copyFile copies the file of an engine that is open, as a process that was killed leaves it.
func copyFile(t *testing.T, path string) string {
	t.Helper()
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(path + ".crashed")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	return to.Name()
}

// TestSyncRunsBesideEverythingElse lets the race detector see all pairs of calls that may meet.
func TestSyncRunsBesideEverythingElse(t *testing.T) {
	e := open(t, filepath.Join(t.TempDir(), "records"))
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := e.Sync(); err != nil {
				done <- err
				return
			}
		}
	}()
	var b serverlib.Batch
	for i := range 300 {
		b.Reset()
		b.Put([]byte{byte(i)}, []byte{byte(i)})
		b.DeleteRange([]byte{byte(i + 10)}, []byte{byte(i + 12)})
		if err := e.Apply(&b); err != nil {
			t.Fatal(err)
		}
		value, ok, err := e.Get([]byte{byte(i)}, nil)
		if err != nil || !ok || value[0] != byte(i) {
			t.Fatalf("record %d: got %v, %v, %v", i, value, ok, err)
		}
		found := false
		err = e.Scan([]byte{byte(i)}, nil, func(key, _ []byte) bool {
			found = key[0] == byte(i)
			return false
		})
		if err != nil || !found {
			t.Fatalf("scan from record %d does not start with it: %v", i, err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestFailedSyncFailsTheEngineForGood(t *testing.T) {
	e := open(t, filepath.Join(t.TempDir(), "records"))
	var b serverlib.Batch
	b.Put([]byte("k"), []byte("v"))
	if err := e.Apply(&b); err != nil {
		t.Fatal(err)
	}
	// A database that is closed below the engine refuses the transaction, as a full disk does.
	if err := e.db.Close(); err != nil {
		t.Fatal(err)
	}
	first := e.Sync()
	if first == nil {
		t.Fatal("Sync succeeded without a file")
	}
	if err := e.Sync(); err != first {
		t.Errorf("second Sync: got %v, want %v", err, first)
	}
	if err := e.Apply(&b); err != first {
		t.Errorf("Apply: got %v, want %v", err, first)
	}
	if _, _, err := e.Get([]byte("k"), nil); err != first {
		t.Errorf("Get: got %v, want %v", err, first)
	}
}
