package pebble

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
)

// fault is the first fatal error of an engine. It is the logger of Pebble too: its fatal messages
// are such errors, all others are dropped.
type fault struct{ err atomic.Pointer[error] }

func (f *fault) get() error {
	if err := f.err.Load(); err != nil {
		return *err
	}
	return nil
}

// set records err unless there is an earlier error, and returns the one that stands.
func (f *fault) set(err error) error {
	f.err.CompareAndSwap(nil, &err)
	return f.get()
}

// Infof implements pebble.Logger.
func (f *fault) Infof(string, ...any) {}

// Errorf implements pebble.Logger. Pebble tries again what it reports here.
func (f *fault) Errorf(string, ...any) {}

// Fatalf implements pebble.Logger. It must not return, because Pebble would go on with state that
// it knows to be broken; it ends the goroutine, which releases the locks held by it.
func (f *fault) Fatalf(format string, args ...any) {
	_ = f.set(fmt.Errorf(format, args...))
	runtime.Goexit()
}

// recover turns the panic with which Pebble answers an error of its log into an error.
func (e *Engine) recover(err *error) {
	if p := recover(); p != nil {
		*err = e.fault.set(fmt.Errorf("pebble: %v", p))
	}
}

// errAborted stands for a fatal error whose text went to the logger.
var errAborted = errors.New("aborted by a fatal error")

// guarded runs f in a goroutine, so that neither Goexit nor a panic of f takes the caller along.
func guarded(f func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errAborted
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%v", p)
			}
			done <- err
		}()
		err = f()
	}()
	return <-done
}
