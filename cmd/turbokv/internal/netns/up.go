package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// Config says how to build. The zero value is fine.
type Config struct {
	Page   string        // address at which to serve the web page; empty: not at all
	Ready  time.Duration // how long to wait for all to be up; 0: a minute
	Events Events
}

// Events tell what happens; nil functions are not called. They may be called at any time.
type Events struct {
	Step  func(text string)            // of the building
	Ended func(name string, err error) // a process has ended
	Warn  func(text string)            // something is not as asked for, but the rest goes on
}

// defaultReady is a few times as long as the largest networks take on a slow machine.
const defaultReady = time.Minute

// Run is a network that this process owns.
type Run struct {
	*Net
	doors   *Doors
	starter *starter
	events  Events

	mu    sync.Mutex
	ended map[string]error // processes that have ended, with how
	early chan struct{}    // closed when there is the first
	down  bool             // ends are no news any more
	close sync.Once
}

// Up is Config.Up with the zero Config.
func Up(ctx context.Context, p *netplan.Plan) (*Run, error) { return Config{}.Up(ctx, p) }

// Up builds a network, starts its processes, and returns when the controller has all switches under
// control and all nodes are with it. The caller must Close it, however it ends, unless Up fails: then
// nothing is left.
func (c Config) Up(ctx context.Context, p *netplan.Plan) (*Run, error) {
	if err := Needs(p); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, err
	}
	if err := claim(p); err != nil {
		return nil, err
	}
	r := &Run{events: c.Events, ended: make(map[string]error), early: make(chan struct{})}
	r.starter = newStarter(r.noteEnd)
	r.Net = &Net{path: p.Path(), plan: p, spaces: spaces(p)}
	r.Net.start = func(x netplan.Process) (int, error) {
		return r.starter.start(p, r.spaces[x.Place], x)
	}
	if err := r.up(ctx, c); err != nil {
		return nil, errors.Join(fmt.Errorf("network: %w", err), r.Close())
	}
	return r, nil
}

// claim writes the run file, if nobody else uses the folder or the names.
func claim(p *netplan.Plan) error {
	unlock, err := lock(p.Path() + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if old, err := read(p.Path()); err == nil && Alive(old) {
		return inUse(p, old)
	} else if err == nil && len(present(old.Plan)) > 0 {
		return fmt.Errorf("folder %s: an earlier run has left network namespaces behind: `turbokv %s down "+
			"--run %s` removes them", p.Dir, old.By, p.Path())
	}
	if there := present(p); len(there) > 0 {
		return fmt.Errorf("network namespaces are there already: %s, with %d processes in them: another run "+
			"uses them, or has left them behind; `turbokv netns down --all` removes those of all runs, "+
			"`--run FILE` of one, and another --name lets both be", shorten(there),
			len(pidsIn(pathsOf(there)...)))
	}
	run := &netplan.Run{Plan: p, By: "netns", Namespaces: spaces(p), Processes: map[string]int{}}
	Self(run)
	return write(p.Path(), run)
}

// present returns the names of those namespaces of a plan that are there.
func present(p *netplan.Plan) (names []string) {
	for _, x := range p.Places {
		if _, err := os.Stat(folder + p.Prefix + x.Name); err == nil {
			names = append(names, p.Prefix+x.Name)
		}
	}
	return names
}

func pathsOf(names []string) (paths []string) {
	for _, n := range names {
		paths = append(paths, folder+n)
	}
	return paths
}

// shorten names some of many.
func shorten(names []string) string {
	const most = 4
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func (r *Run) up(ctx context.Context, c Config) error {
	p := r.plan
	r.step("building %d hosts, %d switches, %d links", len(p.Hosts()), len(p.Switches()),
		len(p.Topology.Links))
	if err := writeFiles(p); err != nil {
		return err
	}
	if err := build(ctx, p); err != nil {
		return err
	}
	var err error
	if r.doors, err = Serve(p, r.spaces[netplan.Ctl], c.Page); err != nil {
		return err
	}
	r.step("starting %d processes, logs in %s", len(p.Processes), p.Dir)
	for _, x := range p.Processes {
		if err := errors.Join(ctx.Err(), r.Start(x.Name)); err != nil {
			return err
		}
	}
	r.commands(ctx)
	if err := r.await(ctx, c.Ready); err != nil {
		return err
	}
	return change(r.path, func(f *netplan.Run) { f.Ready, f.Page = true, r.doors.Page() })
}

// commands runs those of the topology file.
func (r *Run) commands(ctx context.Context) {
	for _, x := range r.plan.Places {
		for _, text := range x.Commands {
			cmd, err := r.Command(ctx, x.Name, "sh", "-c", text)
			if err == nil {
				cmd.Dir = r.plan.Dir
				var out []byte
				if out, err = cmd.CombinedOutput(); err != nil {
					err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
				}
			}
			if err != nil {
				r.warn("%s: command %q of the topology: %v", x.Name, text, err)
			}
		}
	}
}

// await waits for all to be up, or for the first process that ends.
func (r *Run) await(ctx context.Context, patience time.Duration) error {
	if patience == 0 {
		patience = defaultReady
	}
	r.step("waiting for switches and nodes")
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ready := make(chan error, 1)
	go func() { ready <- Ready(ctx, r.plan) }() // ends with ctx
	select {
	case err := <-ready:
		if err != nil {
			return fmt.Errorf("%w; within %v; logs are in %s", err, patience, r.plan.Dir)
		}
		return nil
	case <-r.early:
		return r.endings()
	}
}

// endings tells of the processes that have ended, with the end of their logs.
func (r *Run) endings() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for name, err := range r.ended {
		p, _ := r.plan.Process(name)
		errs = append(errs, fmt.Errorf("%s has ended: %w; its log, %s, ends with:\n%s", name, err, p.Log,
			tail(p.Log)))
	}
	return errors.Join(errs...)
}

// tail returns the last lines of a file.
func tail(path string) string {
	const most = 8
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

var errExit = errors.New("exit status 0")

// noteEnd is told of every end of a process.
func (r *Run) noteEnd(name string, err error) {
	if err == nil {
		err = errExit
	}
	r.mu.Lock()
	if len(r.ended) == 0 {
		close(r.early)
	}
	r.ended[name] = err
	news := !r.down
	r.mu.Unlock()
	if news && r.events.Ended != nil {
		r.events.Ended(name, err)
	}
}

func (r *Run) step(format string, args ...any) {
	if r.events.Step != nil {
		r.events.Step(fmt.Sprintf(format, args...))
	}
}

func (r *Run) warn(format string, args ...any) {
	if r.events.Warn != nil {
		r.events.Warn(fmt.Sprintf(format, args...))
	}
}

// Page is the URL of the web page, or empty.
func (r *Run) Page() string { return r.doors.Page() }

// Close ends all processes, and removes namespaces and the run file. Logs and data stay.
func (r *Run) Close() (err error) {
	r.close.Do(func() {
		r.mu.Lock()
		r.down = true
		r.mu.Unlock()
		if r.doors != nil {
			err = r.doors.Close()
		}
		err = errors.Join(err, remove(r.plan))
		r.starter.close()
	})
	return err
}
