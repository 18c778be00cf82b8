package netns

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// starter starts processes that end with this one, however it ends: the kernel kills them when the
// thread goes that has started them. So it keeps one thread for that.
type starter struct {
	work  chan func()
	waits sync.WaitGroup
	ended func(name string, err error) // called from other goroutines
}

func newStarter(ended func(name string, err error)) *starter {
	s := &starter{work: make(chan func()), ended: ended}
	go func() { // ends with close; its thread ends too, because it stays locked
		runtime.LockOSThread()
		for f := range s.work {
			f()
		}
	}()
	return s
}

// start runs a process of a plan in the namespace of that path.
func (s *starter) start(plan *netplan.Plan, path string, p netplan.Process) (pid int, err error) {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	words := append(enter(path), p.Args...)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = plan.Dir, log, log
	cmd.Env = append(os.Environ(), p.Env...)
	detach(cmd)
	done := make(chan error)
	s.work <- func() { done <- cmd.Start() }
	if err := <-done; err != nil {
		return 0, fmt.Errorf("start %s: %w", p.Args[0], err)
	}
	s.waits.Go(func() { s.ended(p.Name, cmd.Wait()) })
	return cmd.Process.Pid, nil
}

// close kills what runs, and waits for it.
func (s *starter) close() {
	close(s.work)
	s.waits.Wait()
}
