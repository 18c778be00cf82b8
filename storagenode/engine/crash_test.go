package engine_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode/engine"
)

// childVariable makes the test binary the process that is killed: its value is the kind of an
// engine, a colon and a directory.
const childVariable = "TURBOKV_CRASH_CHILD"

func TestMain(m *testing.M) {
	if kind, dir, ok := strings.Cut(os.Getenv(childVariable), ":"); ok {
		fmt.Fprintln(os.Stderr, writeUntilKilled(engine.Kind(kind), dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// numbered is batch n of the history that a crash may cut anywhere: two records of its own and the
// counter that all batches share.
func numbered(b *serverlib.Batch, n uint64) *serverlib.Batch {
	number := binary.BigEndian.AppendUint64(nil, n)
	b.Reset()
	b.Put(append([]byte("first"), number...), number)
	b.Put([]byte("newest"), number)
	b.Put(append([]byte("second"), number...), make([]byte, 200))
	return b
}

// writeUntilKilled continues the history in a directory without end. After each Sync it prints the
// number of the newest batch that was applied before it began.
func writeUntilKilled(kind engine.Kind, dir string) error {
	e, err := engine.Open(kind, dir)
	if err != nil {
		return err
	}
	newest, err := newestOf(e)
	if err != nil {
		return err
	}
	tokens := make(chan uint64)
	failed := make(chan error, 1)
	go func() {
		for n := range tokens {
			if err := e.Sync(); err != nil {
				failed <- err
				return
			}
			fmt.Println(n)
		}
	}()
	var batch serverlib.Batch
	for n := newest + 1; ; n++ {
		if err := e.Apply(numbered(&batch, n)); err != nil {
			return err
		}
		if err := offer(tokens, failed, n); err != nil {
			return err
		}
	}
}

// maxUnsynced bounds the batches that a Sync has to write, so that each test run has many Syncs.
const maxUnsynced = 100

// offer asks for a Sync unless one is running; now and then it waits for its end.
func offer(tokens chan<- uint64, failed <-chan error, n uint64) error {
	if n%maxUnsynced == 0 {
		select {
		case tokens <- n:
			return nil
		case err := <-failed:
			return err
		}
	}
	select {
	case tokens <- n:
	default: // a Sync is running; the next one covers this batch too
	}
	return nil
}

func newestOf(e serverlib.Engine) (uint64, error) {
	value, ok, err := e.Get([]byte("newest"), nil)
	if err != nil || !ok {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

// checkHistory tells whether an engine holds exactly the batches up to its newest, and returns
// that one.
func checkHistory(t *testing.T, e serverlib.Engine) uint64 {
	t.Helper()
	newest, err := newestOf(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"first", "second"} {
		n := uint64(0)
		err := e.Scan([]byte(prefix), []byte(prefix+"\xff"), func(key, _ []byte) bool {
			n++
			got := binary.BigEndian.Uint64(key[len(prefix):])
			if got != n {
				t.Errorf("%s: batch %d follows batch %d", prefix, got, n-1)
			}
			return got == n
		})
		if err != nil {
			t.Fatal(err)
		}
		if n != newest {
			t.Errorf("%s: %d batches are there, but the newest is %d", prefix, n, newest)
		}
	}
	return newest
}

func TestKilledProcessLosesNothingThatWasSynced(t *testing.T) {
	for _, kind := range []engine.Kind{engine.Bbolt, engine.Pebble} {
		t.Run(string(kind), func(t *testing.T) {
			dir, rng := t.TempDir(), rand.New(rand.NewPCG(3, 4))
			for range 4 {
				synced := killWriter(t, kind, dir, 1+rng.IntN(100))
				e, err := engine.Open(kind, dir)
				if err != nil {
					t.Fatal(err)
				}
				if newest := checkHistory(t, e); newest < synced {
					t.Errorf("batch %d was synced, but %d is the newest after the kill", synced, newest)
				}
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// killWriter starts a writer, kills it after so many Syncs, and returns the last one reported.
func killWriter(t *testing.T, kind engine.Kind, dir string, syncs int) (synced uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+string(kind)+":"+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for seen := 1; lines.Scan(); seen++ {
		if _, err := fmt.Sscan(lines.Text(), &synced); err != nil {
			t.Fatalf("child said %q: %v", lines.Text(), err)
		}
		if seen == syncs {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		t.Fatalf("child ended by itself: %v", err)
	}
	return synced
}
