// Package procs runs parts of a cluster as child processes of this program. Children stop when the
// parent does, however it ends: each holds the read end of a pipe as standard input and stops at
// its end. What they print comes out of the parent with their name in front.
package procs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// childVariable tells a process that it is a child of this package.
const childVariable = "TURBOKV_CHILD"

// IsChild reports whether this process was started by a Group.
func IsChild() bool { return os.Getenv(childVariable) != "" }

// Context is done when the process is asked to stop: by SIGINT or SIGTERM or, in a child, by
// SIGTERM or the end of its parent. A child leaves SIGINT to its parent, because a terminal sends
// it to both.
func Context(parent context.Context) (context.Context, context.CancelFunc) {
	if !IsChild() {
		return signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	}
	signal.Ignore(os.Interrupt)
	ctx, stop := signal.NotifyContext(parent, syscall.SIGTERM)
	go func() { // ends with the parent, or with this process
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	return ctx, stop
}

// Group is a set of children that stop together.
type Group struct {
	out     io.Writer
	mu      sync.Mutex // guards out
	members []*member
	ended   chan error // the first end of a child that nobody asked for
	pumps   sync.WaitGroup
}

type member struct {
	name   string
	args   []string
	cmd    *exec.Cmd
	stdin  io.Closer
	killed atomic.Bool   // by Kill: its end is no news
	told   bool          // its end was given to Ended; read after done
	done   chan struct{} // closed when the process has ended
	err    error         // how; read after done
}

// NewGroup returns an empty group whose children print to out.
func NewGroup(out io.Writer) *Group {
	return &Group{out: out, ended: make(chan error, 1)}
}

// Start starts this program again as a child with the given arguments.
func (g *Group) Start(name string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	lines, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	m := &member{name: name, args: args, cmd: cmd, stdin: stdin, done: make(chan struct{})}
	g.members = append(g.members, m)
	g.pumps.Go(func() { g.pump(name, lines) })
	g.pumps.Go(func() {
		m.err = cmd.Wait()
		_ = write.Close() // never fails
		defer close(m.done)
		if m.killed.Load() {
			return
		}
		select {
		case g.ended <- fmt.Errorf("%s ended: %w", name, exitOf(m.err)):
			m.told = true
		default:
		}
	})
	return nil
}

// errExit stands for an exit code of 0 that nobody asked for.
var errExit = errors.New("exit status 0")

func exitOf(err error) error {
	if err == nil {
		return errExit
	}
	return err
}

// maxLine bounds a line of a child's output in bytes; longer ones are cut in pieces.
const maxLine = 64 << 10

// pump copies lines with the name in front.
func (g *Group) pump(name string, r io.Reader) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			g.mu.Lock()
			fmt.Fprintf(g.out, "[%s] %s\n", name, bytes.TrimRight(line, "\r\n"))
			g.mu.Unlock()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// Ended delivers the reason when a child has ended.
func (g *Group) Ended() <-chan error { return g.ended }

// ErrNoChild says that no running child has that name.
var ErrNoChild = errors.New("no such child is running")

// running returns the child of that name that was started last.
func (g *Group) running(name string) (*member, error) {
	for _, m := range slices.Backward(g.members) {
		if m.name == name && !m.killed.Load() {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, ErrNoChild)
}

// PID returns the process id of a child.
func (g *Group) PID(name string) (int, error) {
	m, err := g.running(name)
	if err != nil {
		return 0, err
	}
	return m.cmd.Process.Pid, nil
}

// Kill ends a child with SIGKILL and waits for its end, which is not reported by Ended.
func (g *Group) Kill(name string) error {
	m, err := g.running(name)
	if err != nil {
		return err
	}
	m.killed.Store(true)
	if err := m.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	<-m.done
	return nil
}

// Restart starts a child again that was killed, with the arguments that it had.
func (g *Group) Restart(name string) error {
	for _, m := range slices.Backward(g.members) {
		if m.name == name && m.killed.Load() {
			return g.Start(name, m.args...)
		}
	}
	return fmt.Errorf("%s: it was not killed", name)
}

// Stop asks the children to stop, last started first, kills those that take longer than the
// timeout, and waits for all. The error names children that did not stop well, but for those whose
// end Ended tells of.
func (g *Group) Stop(timeout time.Duration) error {
	var errs []error
	for i := len(g.members) - 1; i >= 0; i-- {
		errs = append(errs, g.members[i].stop(timeout))
	}
	g.pumps.Wait()
	return errors.Join(errs...)
}

func (m *member) stop(timeout time.Duration) error {
	if m.killed.Load() {
		return nil
	}
	_ = m.stdin.Close() // the child may have ended before
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-m.done:
	case <-timer.C:
		_ = m.cmd.Process.Kill() // fails only if it has ended just now
		<-m.done
		return fmt.Errorf("%s did not stop within %v and was killed", m.name, timeout)
	}
	if m.err != nil && !m.told {
		return fmt.Errorf("%s: %w", m.name, m.err)
	}
	return nil
}
