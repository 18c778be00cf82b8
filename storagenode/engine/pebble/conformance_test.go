package pebble

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/serverlib/enginetest"
)

func open(t *testing.T, fs vfs.FS) *Engine {
	t.Helper()
	e, err := Open("db", Options{FS: fs, MemTableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func closed(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) enginetest.Store {
		fs := vfs.NewCrashableMem()
		e := open(t, fs)
		reopened := func(fs vfs.FS) *Engine {
			closed(t, e)
			e = open(t, fs)
			return e
		}
		t.Cleanup(func() { closed(t, e) })
		return enginetest.Store{
			Engine: e,
			Reopen: func(*testing.T) serverlib.Engine { return reopened(fs) },
			Crash: func(*testing.T) serverlib.Engine {
				return reopened(fs.CrashClone(vfs.CrashCloneCfg{
					UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, 2)),
				}))
			},
		}
	})
}
