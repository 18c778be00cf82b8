package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// Errors of what somebody wants of a network.
var (
	ErrUnknown = errors.New("unknown name")
	ErrStopped = errors.New("it does not run")
	ErrRuns    = errors.New("it runs already")
)

// Net is a network that somebody has built. It may be used by several processes at a time.
type Net struct {
	path   string
	plan   *netplan.Plan
	spaces map[string]string // paths of namespaces by place
	start  func(netplan.Process) (pid int, err error)
}

// Open finds the network of a run file.
func Open(path string) (*Net, error) {
	r, err := read(path)
	if err != nil {
		return nil, err
	}
	if !Alive(r) {
		return nil, fmt.Errorf("%w: the one of %s has ended, but something of it is left: "+
			"`turbokv %s down --run %[2]s` removes it", ErrNone, path, r.By)
	}
	n := &Net{path: path, plan: r.Plan, spaces: r.Namespaces}
	n.start = n.startGuarded
	return n, nil
}

// Plan returns what was built.
func (n *Net) Plan() *netplan.Plan { return n.plan }

// Run returns what the run file tells at present.
func (n *Net) Run() (*netplan.Run, error) { return read(n.path) }

// Namespace returns the path of the network namespace of a place.
func (n *Net) Namespace(place string) (string, error) {
	path, ok := n.spaces[place]
	if !ok {
		return "", unknown("host or switch", place, n.places())
	}
	return path, nil
}

func (n *Net) places() (names []string) {
	for _, p := range n.plan.Places {
		names = append(names, p.Name)
	}
	return names
}

// unknown names what there is.
func unknown(what, name string, there []string) error {
	return fmt.Errorf("%w: %s %q: there are %s", ErrUnknown, what, name, strings.Join(there, ", "))
}

// Command returns a command to run in a place, with the environment in which clients find the
// cluster. The program "turbokv" is the one of the plan.
func (n *Net) Command(ctx context.Context, place string, args ...string) (*exec.Cmd, error) {
	path, err := n.Namespace(place)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("%s: no command to run", place)
	}
	words := append(enter(path), args...)
	if args[0] == "turbokv" {
		words[len(words)-len(args)] = n.plan.Binary
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), n.plan.ClientEnv())
	return cmd, nil
}

// process returns a process of the plan, and its id if it runs.
func (n *Net) process(name string) (p netplan.Process, pid int, err error) {
	p, ok := n.plan.Process(name)
	if !ok {
		return p, 0, unknown("process", name, n.processes())
	}
	r, err := read(n.path)
	if err != nil {
		return p, 0, err
	}
	if pid = r.Processes[name]; pid != 0 && !lives(pid, n.spaces[p.Place]) {
		pid = 0
	}
	return p, pid, nil
}

func (n *Net) processes() (names []string) {
	for _, p := range n.plan.Processes {
		names = append(names, p.Name)
	}
	return names
}

// PID returns the id of a process, 0 if it does not run.
func (n *Net) PID(name string) (int, error) {
	_, pid, err := n.process(name)
	return pid, err
}

// Kill ends a process with SIGKILL, and returns when it is gone.
func (n *Net) Kill(name string) error {
	_, pid, err := n.process(name)
	if err == nil && pid == 0 {
		err = fmt.Errorf("%s: %w", name, ErrStopped)
	}
	start := startOf(pid)
	if err == nil {
		err = signal(pid, syscall.SIGKILL)
	}
	if err != nil {
		return err
	}
	if !within(killTime, func() bool { return startOf(pid) != start }) {
		return fmt.Errorf("%s: process %d lives %v after SIGKILL", name, pid, killTime)
	}
	return change(n.path, func(r *netplan.Run) { delete(r.Processes, name) })
}

// killTime is far more than a process needs to go after SIGKILL.
const killTime = 10 * time.Second

// within waits until something is so, for a time.
func within(patience time.Duration, so func() bool) bool {
	for end := time.Now().Add(patience); !so(); time.Sleep(pause) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// pause is between two looks at something that takes milliseconds.
const pause = 5 * time.Millisecond

// Start starts a process of the plan that does not run, as it was started first.
func (n *Net) Start(name string) error {
	p, pid, err := n.process(name)
	if err == nil && pid != 0 {
		err = fmt.Errorf("%s: %w, as process %d", name, ErrRuns, pid)
	}
	if err != nil {
		return err
	}
	if pid, err = n.start(p); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	// At first it is a program that enters the namespace.
	within(killTime, func() bool { return lives(pid, n.spaces[p.Place]) || startOf(pid) == 0 })
	return change(n.path, func(r *netplan.Run) { r.Processes[name] = pid })
}
