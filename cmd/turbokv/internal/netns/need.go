package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

var errNotLinux = errors.New("network namespaces need Linux")

// ErrMissing says that this machine lacks something that a network needs.
var ErrMissing = errors.New("something is missing")

// hints tell how to get a program.
var hints = map[string]string{
	"ip":     "it comes with the package iproute2: apt-get install iproute2",
	"tc":     "it comes with the package iproute2: apt-get install iproute2",
	"ping":   "it comes with the package iputils-ping: apt-get install iputils-ping",
	"iperf3": "it comes with the package iperf3: apt-get install iperf3",
	netplan.DefaultSimpleSwitch: "it is part of the behavioral model of P4; " +
		"https://github.com/p4lang/behavioral-model tells how to build it or to install it as a package " +
		"(p4lang-bmv2); or use the built-in switch: --switch builtin",
}

// Need tells which programs are not there, and how to get them.
func Need(programs ...string) error {
	var errs []error
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			hint := hints[filepath.Base(p)]
			if hint == "" {
				hint = "is it on PATH?"
			}
			errs = append(errs, fmt.Errorf("%w: the program %s: %s", ErrMissing, p, hint))
		}
	}
	return errors.Join(errs...)
}

// NeedRoot tells if this process may not make network namespaces.
func NeedRoot() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%w: %w", ErrMissing, errNotLinux)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: the rights to make network namespaces: run it as root, as with sudo",
			ErrMissing)
	}
	return nil
}

// Needs tells what is missing for a plan.
func Needs(p *netplan.Plan) error {
	programs := []string{"ip"}
	if p.Shaping == netplan.ShapedByTC || p.Switch == netplan.BMv2 { // which cuts links by tc
		programs = append(programs, "tc")
	}
	if p.Switch == netplan.BMv2 {
		if s, ok := p.Process(p.Topology.Switches[0].Name); ok {
			programs = append(programs, s.Args[0])
		}
	}
	return errors.Join(NeedRoot(), Need(programs...))
}

// Try asks the kernel, in a namespace that is thrown away, which queueing disciplines it has, and
// whether it lets us make namespaces at all.
func Try() (can netplan.Capabilities, err error) {
	if err := errors.Join(NeedRoot(), Need("ip", "tc")); err != nil {
		return can, err
	}
	name := fmt.Sprintf("%stry%d", netplan.DefaultPrefix, os.Getpid())
	if err := ip("netns", "add", name); err != nil {
		return can, fmt.Errorf("%w: the right to make network namespaces: %w", ErrMissing, err)
	}
	can.Netem = run("tc", "-n", name, "qdisc", "replace", "dev", "lo", "root", "netem", "delay", "1ms") == nil
	can.TBF = run("tc", "-n", name, "qdisc", "replace", "dev", "lo", "root",
		"tbf", "rate", "10mbit", "burst", "10k", "limit", "10k") == nil
	return can, ip("netns", "del", name)
}
