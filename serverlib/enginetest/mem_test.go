package enginetest

import (
	"errors"
	"testing"

	"github.com/turbokv/turbokv/serverlib"
)

func TestMemConforms(t *testing.T) {
	for _, keep := range []int{0, 3, 1000} {
		Run(t, func(*testing.T) Store {
			m := NewMem()
			return Store{
				Engine: m,
				Reopen: func(*testing.T) serverlib.Engine { return m },
				Crash:  func(*testing.T) serverlib.Engine { m.Crash(keep); return m },
			}
		})
	}
}

func TestMemLosesWhatWasNotSynced(t *testing.T) {
	m := NewMem()
	put(t, m, "a", "1")
	mark := m.Applied()
	put(t, m, "a", "2")
	put(t, m, "b", "1")
	if err := m.SyncTo(mark); err != nil || m.Unsynced() != 2 {
		t.Fatalf("%v, %d not synced, want 2", err, m.Unsynced())
	}
	m.Crash(1)
	expect(t, m, "a=2 ")
}

func TestMemBreaks(t *testing.T) {
	m := NewMem()
	broken := errors.New("disk is gone")
	m.Break(broken)
	if err := m.Apply(&serverlib.Batch{}); !errors.Is(err, broken) {
		t.Fatalf("apply: %v", err)
	}
	if err := m.Sync(); !errors.Is(err, broken) {
		t.Fatalf("sync: %v", err)
	}
}
