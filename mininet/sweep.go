package mininet

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Environment variables that all processes of a run inherit, those that people start at the prompt
// too. markPlace is set by the program, for what runs in one of its places.
const (
	mark      = "TURBOKV_MININET" // the directory of the run
	markPlace = "TURBOKV_PLACE"   // the host, switch or controller
)

// Environ is what the environment of the program must have besides that of its parent.
func Environ(dir string) string { return mark + "=" + dir }

// sweepPatience bounds the wait for processes that were killed.
const sweepPatience = 5 * time.Second

// Leftovers tell what may be left of a run.
type Leftovers struct {
	Dir string // of the run, absolute
	// Started are command lines by process id, as far as they are known: those processes are of the
	// run if they still have that command line.
	Started map[int][]string
}

// Sweep kills all processes of a run and waits until they are gone. Mininet's namespaces and cables go
// with the last process within them. It returns how many processes there were.
func Sweep(l Leftovers) (killed int, err error) {
	seen := make(map[int]bool)
	for end := time.Now().Add(sweepPatience); ; time.Sleep(10 * time.Millisecond) {
		all, err := l.scan()
		if err != nil {
			return len(seen), err
		}
		left := choose(all, os.Getpid())
		switch {
		case len(left) == 0:
			return len(seen), nil
		case time.Now().After(end):
			return len(seen), fmt.Errorf("processes %v of %s do not end", left, l.Dir)
		}
		for _, pid := range left {
			seen[pid] = true
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
}

// process is what tells to which run a process belongs.
type process struct {
	pid    int
	parent int
	space  string // its network namespace
	ours   bool   // it has the mark of the run, or is known
	placed bool   // and it has the mark of a place
}

// choose returns the processes of a run: those that are known to be, and all others in network
// namespaces of its places, as one that was started from another terminal. This process and its
// ancestors do not count, and their namespaces are none of the run's.
func choose(all []process, self int) (ours []int) {
	spare := lineage(all, self)
	spaces := make(map[string]bool)
	for _, p := range all {
		if p.ours && p.placed {
			spaces[p.space] = true
		}
	}
	for _, p := range all {
		if spare[p.pid] {
			delete(spaces, p.space)
		}
	}
	for _, p := range all {
		if !spare[p.pid] && (p.ours || spaces[p.space]) {
			ours = append(ours, p.pid)
		}
	}
	return ours
}

// lineage holds a process and its ancestors.
func lineage(all []process, pid int) map[int]bool {
	parents := make(map[int]int)
	for _, p := range all {
		parents[p.pid] = p.parent
	}
	line := make(map[int]bool)
	for pid != 0 && !line[pid] {
		line[pid] = true
		pid = parents[pid]
	}
	return line
}

// scan looks at all processes, but for those that end meanwhile, zombies, and strangers that even root
// may not look at.
func (l Leftovers) scan() (all []process, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, err := l.look(pid); err == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

func (l Leftovers) look(pid int) (p process, err error) {
	p.pid = pid
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	if p.space, err = os.Readlink(filepath.Join(dir, "ns/net")); err != nil {
		return p, err
	}
	environ, err := os.ReadFile(filepath.Join(dir, "environ"))
	if err != nil {
		return p, err
	}
	for entry := range strings.SplitSeq(string(environ), "\x00") {
		p.ours = p.ours || entry == Environ(l.Dir)
		p.placed = p.placed || strings.HasPrefix(entry, markPlace+"=")
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return p, err
	}
	if args, known := l.Started[pid]; known && string(line) == strings.Join(args, "\x00")+"\x00" {
		p.ours = true
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return p, err
	}
	p.parent, err = parentOf(string(stat))
	return p, err
}

// parentOf reads /proc/PID/stat. The name, in parentheses, may have any bytes; behind it stand the
// state and the parent.
func parentOf(stat string) (int, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0, fmt.Errorf("%q: must have a state and a parent", stat)
	}
	return strconv.Atoi(fields[1])
}
