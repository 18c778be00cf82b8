// Command bench compares TurboKV with a three-member etcd: the same YCSB mixes by the same runner,
// at equal durability, in like deployment, with the same number of requests in flight, in one run
// on one machine. It prints one table with the ratios, and measures the switch pipeline.
//
// etcd runs embedded in this process, or as three processes that this program starts from itself.
// TurboKV runs in one process of its own (`turbokv bench --embedded`), or as separate switch,
// controller and node processes (`turbokv up --processes`).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/turbokv/turbokv/bench/etcdbench"
	"github.com/turbokv/turbokv/bench/pipeline"
	"github.com/turbokv/turbokv/workload"
)

func main() {
	if child, err := etcdbench.RunChild(); child {
		exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// plan is what to measure.
type plan struct {
	binary       string
	mixes        []workload.Mix
	clients      []int
	durabilities []string
	deployments  []deployment
	records      workload.Records
	population   uint64
	duration     time.Duration
	jsonPath     string
	switchRate   bool
}

// deployment says how the parts of a cluster are spread.
type deployment string

// The deployments.
const (
	oneProcess    deployment = "process"
	manyProcesses deployment = "processes"
)

func parsePlan(args []string, stderr io.Writer) (plan, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var p plan
	flags.StringVar(&p.binary, "turbokv", "../bin/turbokv", "the turbokv binary")
	mixes := flags.String("mixes", "A,B,C,D,E,F", "YCSB mixes")
	clients := flags.String("clients", "1,256", "numbers of requests in flight")
	durabilities := flags.String("durability", "memory,sync", "durabilities")
	deployments := flags.String("deployment", "process,processes", "deployments")
	flags.Uint64Var(&p.population, "records", 10_000, "records loaded before")
	flags.IntVar(&p.records.ValueSize, "value-size", workload.DefaultValueSize, "bytes of a value")
	flags.DurationVar(&p.duration, "duration", 2*time.Second, "of each measurement")
	flags.StringVar(&p.jsonPath, "json", "", "also write all results to this file")
	flags.BoolVar(&p.switchRate, "pipeline", true, "measure the switch pipeline as well")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	var err error
	if p.records, err = p.records.Validate(); err != nil {
		return plan{}, err
	}
	for name := range strings.SplitSeq(*mixes, ",") {
		mix, err := workload.ParseMix(name)
		if err != nil {
			return plan{}, err
		}
		p.mixes = append(p.mixes, mix)
	}
	p.durabilities = strings.Split(*durabilities, ",")
	return p, p.parseLists(*clients, *deployments)
}

func (p *plan) parseLists(clients, deployments string) error {
	for text := range strings.SplitSeq(clients, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-clients %q: must be numbers from 1", clients)
		}
		p.clients = append(p.clients, n)
	}
	for text := range strings.SplitSeq(deployments, ",") {
		d := deployment(text)
		if d != oneProcess && d != manyProcesses {
			return fmt.Errorf("-deployment %q: must be process, processes or both", deployments)
		}
		p.deployments = append(p.deployments, d)
	}
	for _, d := range p.durabilities {
		if d != "memory" && d != "sync" {
			return fmt.Errorf("-durability %q: must be memory, sync or both", d)
		}
	}
	return nil
}

// run measures everything and prints the tables.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	p, err := parsePlan(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.switchRate {
		if err := pipeline.Measure(stdout); err != nil {
			return err
		}
	}
	var pairs []pair
	for _, where := range p.deployments {
		for _, durability := range p.durabilities {
			setup := setup{plan: p, where: where, durability: durability}
			fmt.Fprintf(stderr, "%s, durability %s: etcd ...\n", where, durability)
			etcd, err := setup.etcd(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(stderr, "%s, durability %s: TurboKV ...\n", where, durability)
			turbo, err := setup.turbokv(ctx)
			if err != nil {
				return err
			}
			more, err := setup.pair(turbo, etcd)
			if err != nil {
				return err
			}
			pairs = append(pairs, more...)
		}
	}
	if err := writeTable(stdout, pairs); err != nil {
		return err
	}
	return p.writeJSON(pairs)
}

func (p plan) writeJSON(pairs []pair) error {
	if p.jsonPath == "" {
		return nil
	}
	text, err := json.MarshalIndent(pairs, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(p.jsonPath, append(text, '\n'), 0o644)
}
