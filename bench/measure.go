package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/turbokv/turbokv/bench/etcdbench"
	"github.com/turbokv/turbokv/workload"
	"github.com/turbokv/turbokv/workload/runner"
)

// setup is one deployment at one durability.
type setup struct {
	plan
	where      deployment
	durability string
}

// loadClients is the number of requests in flight while the records are loaded.
const loadClients = 128

// processorsForSyncs is what `turbokv bench --embedded` gives GOMAXPROCS where nodes sync. Members of
// etcd that sync in one process get the same.
const processorsForSyncs = 4

// equalProcessors sets GOMAXPROCS for an embedded etcd as turbokv does for itself, unless the user
// has set it for both, and returns what undoes it.
func (s setup) equalProcessors() (undo func()) {
	before := runtime.GOMAXPROCS(0)
	if s.where == oneProcess && s.durability == "sync" && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(before, processorsForSyncs))
	}
	return func() { runtime.GOMAXPROCS(before) }
}

// etcd measures etcd: for each number of clients every mix.
func (s setup) etcd(ctx context.Context) (reports []runner.Report, err error) {
	defer s.equalProcessors()()
	dir, err := os.MkdirTemp("", "turbokv-bench-etcd-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cluster, err := etcdbench.Start(ctx, etcdbench.Config{
		Dir: dir, NoFsync: s.durability == "memory", Processes: s.where == manyProcesses,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	target, err := etcdbench.Dial(ctx, cluster.Endpoints)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	return s.ycsb(ctx, target)
}

// ycsb loads the records and runs every mix with every number of clients.
func (s setup) ycsb(
	ctx context.Context, target runner.Target,
) (reports []runner.Report, err error) {
	_, err = runner.Run(ctx, target, runner.Config{
		Name: "load", Clients: loadClients, Records: s.records,
		Source: func(i int) (workload.Source, error) {
			n, all := uint64(i), uint64(loadClients)
			return workload.NewLoad(s.records, s.population*n/all, s.population*(n+1)/all)
		},
	})
	if err != nil {
		return nil, err
	}
	population := workload.NewPopulation(s.population)
	for _, clients := range s.clients {
		for _, mix := range s.mixes {
			report, err := runner.Run(ctx, target, runner.Config{
				Name: "YCSB " + mix.Name, Clients: clients, Records: s.records, Duration: s.duration,
				Source: func(i int) (workload.Source, error) {
					return workload.NewYCSB(workload.Config{
						Mix: mix, Records: s.records, Seed: uint64(len(reports)),
					}, population, i)
				},
			})
			if err != nil {
				return nil, err
			}
			reports = append(reports, report)
		}
	}
	return reports, nil
}

// turbokv measures TurboKV in the same way.
func (s setup) turbokv(ctx context.Context) ([]runner.Report, error) {
	if s.where == oneProcess {
		return s.benchCommands(ctx, "--embedded", "--nodes", strconv.Itoa(etcdbench.Members))
	}
	dir, err := os.MkdirTemp("", "turbokv-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	stop, err := s.startProcesses(ctx, dir)
	if err != nil {
		return nil, err
	}
	reports, err := s.benchCommands(ctx, "--cluster", filepath.Join(dir, "cluster.json"))
	return reports, errors.Join(err, stop())
}

// batchSize is the number of requests that a client thread of TurboKV sends together. etcd's client
// has no such call, so it gets a goroutine for every request in flight.
const batchSize = 16

// split spreads requests in flight over threads.
func split(clients int) (threads, inFlight int) {
	if clients%batchSize == 0 {
		return clients / batchSize, batchSize
	}
	return clients, 1
}

// benchCommands runs `turbokv bench` for every number of clients.
func (s setup) benchCommands(ctx context.Context, more ...string) (out []runner.Report, err error) {
	for _, clients := range s.clients {
		threads, inFlight := split(clients)
		reports, err := s.benchCommand(ctx, append([]string{
			"--threads", strconv.Itoa(threads), "--in-flight", strconv.Itoa(inFlight),
		}, more...))
		if err != nil {
			return nil, err
		}
		out = append(out, reports...)
	}
	return out, nil
}

// benchCommand runs `turbokv bench` and reads its reports, without that of the load.
func (s setup) benchCommand(ctx context.Context, more []string) ([]runner.Report, error) {
	var mixes []string
	for _, m := range s.mixes {
		mixes = append(mixes, m.Name)
	}
	args := append([]string{
		"bench", "--json", "--verify=false", "--workload", strings.Join(mixes, ","),
		"--duration", s.duration.String(), "--durability", s.durability,
		"--records", strconv.FormatUint(s.population, 10),
		"--key-size", strconv.Itoa(s.records.KeySize),
		"--value-size", strconv.Itoa(s.records.ValueSize),
		"--replication", strconv.Itoa(etcdbench.Members),
	}, more...)
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Stderr = &log
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", s.binary, strings.Join(args, " "), err, log.String())
	}
	var out struct{ Reports []runner.Report }
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("output of turbokv bench: %w", err)
	}
	var reports []runner.Report
	for _, r := range out.Reports {
		if r.Name != "load" {
			reports = append(reports, r)
		}
	}
	return reports, nil
}

// readyTimeout bounds the start of a cluster of processes.
const readyTimeout = 30 * time.Second

// stopTimeout is how long they may take to stop before they are killed.
const stopTimeout = 10 * time.Second

// startProcesses runs `turbokv up --processes` until it says that it serves.
func (s setup) startProcesses(ctx context.Context, dir string) (stop func() error, err error) {
	cmd := exec.CommandContext(ctx, s.binary, "up", "--processes", "--data-dir", dir,
		"--nodes", strconv.Itoa(etcdbench.Members))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopTimeout
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	go func() { ready <- waitForLine(out, "ready") }()
	stop = func() error { return stopCommand(cmd) }
	select {
	case err = <-ready:
	case <-time.After(readyTimeout):
		err = fmt.Errorf("not ready after %v", readyTimeout)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("turbokv up --processes: %w", err), stop())
		return nil, fmt.Errorf("%w\n%s", err, log.String())
	}
	return stop, nil
}

func stopCommand(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("turbokv up: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("turbokv up: %w", err)
	}
	return nil
}

// waitForLine reads until a line holds the word, and goes on reading so that the writer never
// blocks.
func waitForLine(r io.Reader, word string) error {
	buf := make([]byte, 4096)
	var seen bytes.Buffer
	for {
		n, err := r.Read(buf)
		seen.Write(buf[:n])
		if strings.Contains(seen.String(), word) {
			go func() { _, _ = io.Copy(io.Discard, r) }() // ends when the writer does
			return nil
		}
		if err != nil {
			return fmt.Errorf("ended early: %w: %s", err, seen.String())
		}
	}
}
