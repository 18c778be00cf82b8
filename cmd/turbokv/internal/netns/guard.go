package netns

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// startGuarded starts a process by a guard, a program that stays beside it.
func (n *Net) startGuarded(p netplan.Process) (pid int, err error) {
	cmd := exec.Command(n.plan.Binary, "netns", "guard", "--run", n.path, p.Name)
	leave(cmd)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if _, err := fmt.Sscanf(line, "%d", &pid); err != nil {
		_ = cmd.Wait() // what it complained about tells more
		return 0, errors.New(strings.TrimSpace(complaint.String()))
	}
	return pid, cmd.Process.Release()
}

// ownerPoll is how often a guard looks whether the owner of its network lives.
const ownerPoll = 200 * time.Millisecond

// Guard starts a process of a network that another process owns, prints its id to out, and returns when
// it has ended. The process ends with the owner, though it is not its child.
func Guard(ctx context.Context, path, name string, out io.Writer) error {
	r, err := read(path)
	if err != nil {
		return err
	}
	p, ok := r.Plan.Process(name)
	if !ok {
		return fmt.Errorf("%w: process %q", ErrUnknown, name)
	}
	ended := make(chan struct{})
	s := newStarter(func(string, error) { close(ended) })
	defer s.close()
	pid, err := s.start(r.Plan, r.Namespaces[p.Place], p)
	if err != nil {
		return err
	}
	defer func() { _ = signal(pid, syscall.SIGKILL) }() // it may have ended
	if _, err := fmt.Fprintln(out, pid); err != nil {
		return err
	}
	tick := time.NewTicker(ownerPoll)
	defer tick.Stop()
	for Alive(r) {
		select {
		case <-tick.C:
		case <-ended:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
