package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// ErrNone says that there is no run.
var ErrNone = errors.New("no network is running")

// read loads a run file.
func read(path string) (*netplan.Run, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s: start one with `turbokv netns up` or `turbokv mininet "+
			"up`, or name its file with --run", ErrNone, path)
	}
	if err != nil {
		return nil, err
	}
	r, err := netplan.DecodeRun(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// write stores a run file, whole or not at all.
func write(path string, r *netplan.Run) error {
	text, err := r.Encode()
	if err != nil {
		return err
	}
	next := path + ".new"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// change reads a run file, changes what it says, and writes it, while nobody else does.
func change(path string, f func(*netplan.Run)) error {
	unlock, err := lock(path + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	r, err := read(path)
	if err != nil {
		return err
	}
	f(r)
	return write(path, r)
}

// startOf returns when a process started, in clock ticks since boot, or 0 if there is none. One whose
// first thread has ended is there as long as another has not: it keeps its sockets.
func startOf(pid int) uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything; the state follows it, and 19 fields later the start.
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	fields := strings.Fields(rest)
	const state, threads, start = 0, 17, 19
	if len(fields) <= start || fields[state] == "Z" && fields[threads] == "1" {
		return 0
	}
	ticks, err := strconv.ParseUint(fields[start], 10, 64)
	if err != nil {
		return 0
	}
	return ticks
}

// Alive reports whether the owner of a run lives.
func Alive(r *netplan.Run) bool {
	start := startOf(r.Runner)
	return r.Runner > 0 && start != 0 && (r.RunnerStart == 0 || r.RunnerStart == start)
}

// Self fills in the process that owns a run: this one.
func Self(r *netplan.Run) { r.Runner, r.RunnerStart = os.Getpid(), startOf(os.Getpid()) }

// lives reports whether a process is there and runs in the namespace of that path: after a crash its
// number may be another's.
func lives(pid int, path string) bool {
	if startOf(pid) == 0 {
		return false
	}
	own, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return false
	}
	space, err := os.Stat(path)
	return err == nil && os.SameFile(own, space)
}

// pidsIn returns the processes in namespaces of these paths. Our own namespace is never one of them.
func pidsIn(paths ...string) (pids []int) {
	var spaces []fs.FileInfo
	own, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return nil
	}
	for _, path := range paths {
		if space, err := os.Stat(path); err == nil && !os.SameFile(space, own) {
			spaces = append(spaces, space)
		}
	}
	all, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return nil
	}
	for _, path := range all {
		space, err := os.Stat(path)
		within := func(x fs.FileInfo) bool { return os.SameFile(x, space) }
		var pid int
		if _, e := fmt.Sscanf(path, "/proc/%d/", &pid); e != nil || err != nil {
			continue // ended just now
		}
		if slices.ContainsFunc(spaces, within) && startOf(pid) != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
