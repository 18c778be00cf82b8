package port

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace: sockets belong to that of the thread which makes them. A process
// usually has one, but the threads of a test, or of a program that builds networks, may differ.
type namespace struct {
	file *os.File
}

const ownNamespace = "/proc/thread-self/ns/net"

// openNamespace returns that of the calling thread.
func openNamespace() (namespace, error) {
	f, err := os.Open(ownNamespace)
	if err != nil {
		return namespace{}, fmt.Errorf("network namespace: %w", err)
	}
	return namespace{f}, nil
}

// run calls f in the namespace.
func (n namespace) run(f func() error) error {
	runtime.LockOSThread()
	own, err := os.Open(ownNamespace)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("network namespace: %w", err)
	}
	defer own.Close()
	if same(own, n.file) {
		defer runtime.UnlockOSThread()
		return f()
	}
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("network namespace: %w", err)
	}
	defer func() {
		if unix.Setns(int(own.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread() // otherwise the thread ends with its goroutine
		}
	}()
	return f()
}

func same(a, b *os.File) bool {
	x, errA := a.Stat()
	y, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(x, y)
}

func (n namespace) close() error { return n.file.Close() }
