package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/turbokv/turbokv/bench/switchbench/scenario"
)

// lowRate is the low load in frames a second.
const lowRate = 1000

// plan is what to measure and how long.
type plan struct {
	binary    string
	csv       string
	scenarios []*scenario.Scenario
	// contenders are names of kinds, see newContender.
	contenders   []string
	generatorCPU int
	switchCPUs   []int
	rounds       int
	steps        int // of the bisection
	trial        time.Duration
	flood        time.Duration
	timing       time.Duration // of a measurement of latency
}

// quick makes a plan that only shows that everything works.
func (p *plan) quick() {
	p.rounds, p.steps = 1, 4
	p.trial, p.flood, p.timing = 100*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
}

func parsePlan(args []string, stderr io.Writer) (*plan, error) {
	flags := flag.NewFlagSet("switchbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	p := new(plan)
	flags.StringVar(&p.binary, "turbokv", "../bin/turbokv", "the turbokv binary")
	flags.StringVar(&p.csv, "csv", "", "also write every single measurement to this `file`")
	only := flags.String("scenarios", "", "comma-separated; a scenario is chosen by a part of its `name` (default: all)")
	contenders := flags.String("contenders", strings.Join(defaultContenders, ","), "comma-separated: "+contenderHelp)
	flags.IntVar(&p.generatorCPU, "generator-cpu", 0, "`processor` of the generator")
	cpus := flags.String("switch-cpus", "1", "comma-separated `processors` of whoever is measured")
	flags.IntVar(&p.rounds, "rounds", 3, "repetitions of everything")
	flags.IntVar(&p.steps, "steps", 7, "of the bisection")
	flags.DurationVar(&p.trial, "trial", 250*time.Millisecond, "of one offered rate")
	flags.DurationVar(&p.flood, "flood", 600*time.Millisecond, "of a flood")
	flags.DurationVar(&p.timing, "timing", 300*time.Millisecond, "of a measurement of latency")
	quick := flags.Bool("quick", false, "one short round, to see that it works: the figures say little")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *quick {
		p.quick()
	}
	if p.rounds < 1 || p.steps < 1 {
		return nil, fmt.Errorf("%d rounds of %d steps: must be at least 1", p.rounds, p.steps)
	}
	return p, p.parseLists(*only, *contenders, *cpus)
}

func (p *plan) parseLists(only, contenders, cpus string) error {
	all, err := scenario.All()
	if err != nil {
		return err
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
		if chosen(s.Name, only) {
			p.scenarios = append(p.scenarios, s)
		}
	}
	if len(p.scenarios) == 0 {
		return fmt.Errorf("-scenarios %q: there are %s", only, strings.Join(names, ", "))
	}
	p.contenders = strings.Split(contenders, ",")
	for text := range strings.SplitSeq(cpus, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n >= runtime.NumCPU() {
			return fmt.Errorf("-switch-cpus %q: must be numbers from 0 to %d", cpus, runtime.NumCPU()-1)
		}
		p.switchCPUs = append(p.switchCPUs, n)
	}
	return nil
}

func chosen(name, only string) bool {
	for part := range strings.SplitSeq(only, ",") {
		if strings.Contains(strings.ToLower(name), strings.ToLower(part)) {
			return true
		}
	}
	return false
}

var errMissing = errors.New("something is missing")

// ready tells what this machine lacks.
func (p *plan) ready() error {
	var errs []error
	missing := func(what, remedy string) {
		errs = append(errs, fmt.Errorf("%w: %s: %s", errMissing, what, remedy))
	}
	if runtime.GOOS != "linux" {
		missing("Linux", "veth pairs and network namespaces are its")
	} else if os.Geteuid() != 0 {
		missing("the rights to make network namespaces", "run it as root, as with sudo")
	}
	if runtime.NumCPU() < 2 {
		missing("a second processor", "generator and switch need one each")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		missing("the program ip", "it comes with the package iproute2")
	}
	var err error
	if p.binary, err = filepath.Abs(p.binary); err != nil {
		errs = append(errs, err)
	} else if _, err := os.Stat(p.binary); err != nil {
		missing("the turbokv binary "+p.binary, "make build, or name it with -turbokv")
	}
	return errors.Join(errs...)
}
