package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// place is a thread in a network namespace of its own, on processors of its own. What it starts lives
// there too. The namespace goes with the last of them, so nothing is left to remove.
type place struct {
	work chan func()
	path string // of the namespace
}

func newPlace(cpus ...int) (*place, error) {
	p := &place{work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the place
		ready <- p.enter(cpus)
		for f := range p.work {
			f()
		}
	}()
	return p, <-ready
}

func (p *place) enter(cpus []int) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("new network namespace: %w", err)
	}
	p.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("processors %v: %w", cpus, err)
	}
	// The kernel's own frames would be counted.
	for _, name := range []string{"all", "default"} {
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
	}
	return ip("link set lo up")
}

// do runs f in the place.
func (p *place) do(f func() error) error {
	done := make(chan error)
	p.work <- func() { done <- f() }
	return <-done
}

func (p *place) close() { close(p.work) }

// ip runs an ip command in the namespace of the calling thread.
func ip(command string) error {
	out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", command, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// cable makes a veth pair between two places and returns when it carries frames.
func cable(a *place, nameA string, b *place, nameB string) error {
	commands := []string{
		fmt.Sprintf("link add %s type veth peer name %s netns %s", nameA, nameB, b.path),
		"link set " + nameA + " up",
	}
	err := a.do(func() error {
		for _, c := range commands {
			if err := ip(c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.do(func() error { return ip("link set " + nameB + " up") })
}
