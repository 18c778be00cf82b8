// Command switchbench compares the built-in switch with simple_switch_grpc, where that is on PATH,
// and with reflectors that do nothing but receive and send: over veth pairs in network namespaces,
// with the same generator, programs, entries and frames, in one run that takes turns. `make
// bench-switch` runs it.
//
// The generator has one processor and whoever is measured has another (see -generator-cpu and
// -switch-cpus), with all its threads. Every contender has a pair of ports of its own; only one is
// loaded at a time:
//
//	generator -- out | port 1 -- contender -- port 2 | in -- counter
//
// Of every contender in every scenario it tells the highest rate at which no more than a thousandth
// of the frames is lost, found by bisection; the rate under a flood; and how long a frame takes at a
// low rate and at half of that highest rate. Figures are medians over rounds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if reflecting() {
		exit(reflect(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "switchbench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures and prints.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	p, err := parsePlan(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.ready(); err != nil {
		return err
	}
	r, err := p.measure(ctx, stderr)
	if err != nil {
		return err
	}
	if err := r.write(stdout); err != nil {
		return err
	}
	return r.writeCSV(p.csv)
}
