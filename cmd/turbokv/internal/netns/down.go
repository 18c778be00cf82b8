package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// stopTime is how long processes may take to stop before they are killed.
const stopTime = 3 * time.Second

// remove ends all processes in the namespaces of a plan, and removes these and the run file.
func remove(p *netplan.Plan) error {
	var names []string
	for _, x := range p.Places {
		names = append(names, p.Prefix+x.Name)
	}
	return errors.Join(removeSpaces(names), forget(p))
}

// removeSpaces ends all processes in named namespaces, and removes those that are there.
func removeSpaces(names []string) error {
	paths := pathsOf(names)
	all := func(s syscall.Signal) {
		for _, pid := range pidsIn(paths...) {
			_ = signal(pid, s) // those that cannot be ended show below
		}
	}
	empty := func() bool { return len(pidsIn(paths...)) == 0 }
	all(syscall.SIGTERM)
	if !within(stopTime, empty) {
		all(syscall.SIGKILL)
	}
	var errs []error
	if !within(killTime, empty) {
		errs = append(errs, fmt.Errorf("processes %v do not end", pidsIn(paths...)))
	}
	for i, name := range names {
		if _, err := os.Stat(paths[i]); err == nil {
			errs = append(errs, ip("netns", "del", name))
		}
	}
	return errors.Join(errs...)
}

// Down ends the run of a run file, and removes what its owner has left, if it has ended before.
func Down(path string) error {
	r, err := read(path)
	if err != nil {
		return err
	}
	if r.By != "netns" {
		return fmt.Errorf("%s was not built by netns: `turbokv %s down --run %s` ends it", path, r.By, path)
	}
	if err := NeedRoot(); err != nil {
		return err
	}
	if Alive(r) {
		if err := signal(r.Runner, syscall.SIGTERM); err != nil {
			return err
		}
		if within(stopTime+killTime, func() bool { return !Alive(r) }) {
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
		}
	}
	return remove(r.Plan)
}

// DownAll removes all namespaces whose names begin with a prefix, and ends all that runs in them. It
// returns their names.
func DownAll(prefix string) ([]string, error) {
	if err := NeedRoot(); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(prefix, strings.TrimSuffix(netplan.DefaultPrefix, "-")) {
		return nil, fmt.Errorf("prefix %q: those of networks begin with %q", prefix, netplan.DefaultPrefix)
	}
	paths, err := filepath.Glob(folder + prefix + "*")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return names, removeSpaces(names)
}
