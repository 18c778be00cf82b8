// Package cpulimit gives processes small machines: it bounds the processor time of each with a
// control group of the Linux kernel, of version 2 or 1, which takes root. Measurements use it so that
// many nodes on one machine are limited by themselves, each on its own, as on machines of their own.
package cpulimit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// ErrUnavailable says that this system has no control groups that this process may use.
var ErrUnavailable = errors.New("no control group for processor time that may be used")

// period is over what the kernel accounts, in microseconds: short, so that a process that has used
// up its share waits for milliseconds and not for a tenth of a second.
const period = 50_000

// hierarchy is one of the two forms of control groups.
type hierarchy struct {
	root string
	set  func(dir string, quota int) error
}

var hierarchies = []hierarchy{
	{"/sys/fs/cgroup", func(dir string, quota int) error {
		return write(dir, "cpu.max", fmt.Sprintf("%d %d", quota, period))
	}},
	{"/sys/fs/cgroup/cpu", func(dir string, quota int) error {
		if err := write(dir, "cpu.cfs_period_us", strconv.Itoa(period)); err != nil {
			return err
		}
		return write(dir, "cpu.cfs_quota_us", strconv.Itoa(quota))
	}},
}

// write changes a file of the kernel; where it is none, there is nothing to change.
func write(dir, name, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// Limit bounds a process to a number of cores, such as 0.1. Release takes the bound away; the process
// may have ended.
func Limit(pid int, cores float64) (release func() error, err error) {
	why := ErrUnavailable
	for _, h := range hierarchies {
		if release, err = h.limit(pid, int(cores*period)); err == nil {
			return release, nil
		}
		why = fmt.Errorf("%w: %v", why, err)
	}
	return nil, why
}

func (h hierarchy) limit(pid, quota int) (release func() error, err error) {
	if _, err := os.Stat(filepath.Join(h.root, "cgroup.procs")); err != nil {
		return nil, err
	}
	dir := filepath.Join(h.root, fmt.Sprintf("turbokv-%d", pid))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	release = func() error {
		// A group is removed when nobody is in it: the process, if it lives, goes to the root group.
		_ = write(h.root, "cgroup.procs", strconv.Itoa(pid))
		if err := os.Remove(dir); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := h.set(dir, quota); err != nil {
		return nil, errors.Join(err, release())
	}
	if err := write(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}
