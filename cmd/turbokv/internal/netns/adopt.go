package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// Adopted is a network that this process owns, but that something else builds, as Mininet.
type Adopted struct {
	*Net
	doors *Doors
}

// Adopt takes the folder of a plan for a network that "by" builds, and writes the plan's files. The
// caller must Release it. Before, clear is called with what an owner that has died may have left there,
// if there was one.
func Adopt(p *netplan.Plan, by string, clear func(*netplan.Run) error) (*Adopted, error) {
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(p.Path() + ".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	old, err := read(p.Path())
	switch {
	case errors.Is(err, ErrNone):
	case err != nil:
		return nil, err
	case Alive(old):
		return nil, inUse(p, old)
	default:
		if err := clear(old); err != nil {
			return nil, err
		}
	}
	if err := writeFiles(p); err != nil {
		return nil, err
	}
	run := &netplan.Run{
		Plan: p, By: by, Namespaces: map[string]string{}, Processes: map[string]int{},
	}
	Self(run)
	return &Adopted{Net: &Net{path: p.Path(), plan: p}}, write(p.Path(), run)
}

// inUse is the error for a folder that has an owner.
func inUse(p *netplan.Plan, old *netplan.Run) error {
	return fmt.Errorf("folder %s is in use by process %d: `turbokv %s down --run %s` ends it", p.Dir,
		old.Runner, old.By, p.Path())
}

// Built tells what is where, by paths of namespaces and process ids, and opens the doors: page is the
// address of the web page, or empty.
func (a *Adopted) Built(spaces map[string]string, processes map[string]int, page string) (err error) {
	a.spaces, a.start = spaces, a.startGuarded
	if a.doors, err = Serve(a.plan, spaces[netplan.Ctl], page); err != nil {
		return err
	}
	return change(a.path, func(r *netplan.Run) {
		r.Namespaces, r.Processes, r.Page = spaces, processes, a.doors.Page()
	})
}

// Page is the URL of the web page, or empty.
func (a *Adopted) Page() string { return a.doors.Page() }

// endPoll is how often Await looks whether all processes are there.
const endPoll = 100 * time.Millisecond

// Await waits for all to be up, or for the first process that ends.
func (a *Adopted) Await(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := make(chan error, 1)
	go func() { ready <- Ready(ctx, a.plan) }() // ends with ctx
	tick := time.NewTicker(endPoll)
	defer tick.Stop()
	for {
		select {
		case err := <-ready:
			if err != nil {
				return fmt.Errorf("%w; logs are in %s", err, a.plan.Dir)
			}
			return change(a.path, func(r *netplan.Run) { r.Ready = true })
		case <-tick.C:
			if err := a.ended(); err != nil {
				return err
			}
		}
	}
}

// ended tells of processes that have ended, with the end of their logs.
func (a *Adopted) ended() error {
	r, err := read(a.path)
	if err != nil {
		return err
	}
	var errs []error
	for name, pid := range r.Processes {
		if startOf(pid) == 0 {
			p, _ := a.plan.Process(name)
			errs = append(errs, fmt.Errorf("%s has ended; its log, %s, ends with:\n%s", name, p.Log,
				tail(p.Log)))
		}
	}
	return errors.Join(errs...)
}

// Release shuts the doors and gives the folder back; what was built must be gone. Logs and data stay.
func (a *Adopted) Release() (err error) {
	if a.doors != nil {
		err = a.doors.Close()
	}
	return errors.Join(err, forget(a.plan))
}

// Disown ends the run of a run file that "by" has built: it asks the owner to stop or, if there is none
// any more, has clear remove what is left.
func Disown(path, by string, clear func(*netplan.Run) error) error {
	r, err := read(path)
	if err != nil {
		return err
	}
	if r.By != by {
		return fmt.Errorf("%s was not built by %s: `turbokv %s down --run %s` ends it", path, by, r.By, path)
	}
	if err := NeedRoot(); err != nil {
		return err
	}
	gone := func() bool { return !Alive(r) }
	if !gone() {
		if err := signal(r.Runner, syscall.SIGTERM); err != nil {
			return err
		}
		if !within(disownTime, gone) {
			_ = signal(r.Runner, syscall.SIGKILL) // it may have ended
			within(killTime, gone)
		}
	}
	return errors.Join(clear(r), forget(r.Plan))
}

// disownTime is how long an owner may take to remove its network.
const disownTime = 20 * time.Second

func forget(p *netplan.Plan) error {
	var errs []error
	for _, path := range []string{p.AdminSocket(), p.Path(), p.Path() + ".lock"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
