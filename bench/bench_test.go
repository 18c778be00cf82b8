package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/workload/runner"
)

func TestPlansAreChecked(t *testing.T) {
	p, err := parsePlan([]string{"-mixes", "a,F", "-clients", "1,64", "-durability", "sync"},
		new(bytes.Buffer))
	if err != nil || len(p.mixes) != 2 || p.mixes[1].Name != "F" || len(p.clients) != 2 ||
		len(p.deployments) != 2 || p.records.KeySize == 0 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, args := range []string{
		"-mixes G", "-clients 0", "-clients one", "-durability paper", "-deployment cloud",
		"-value-size 5000",
	} {
		if _, err := parsePlan(strings.Fields(args), new(bytes.Buffer)); err == nil {
			t.Errorf("%s is accepted", args)
		}
	}
}

func TestClientsAreSplitIntoBatches(t *testing.T) {
	for clients, want := range map[int][2]int{
		1: {1, 1}, 8: {8, 1}, 16: {1, 16}, 64: {4, 16}, 100: {100, 1},
	} {
		if threads, inFlight := split(clients); [2]int{threads, inFlight} != want {
			t.Errorf("%d clients: %d threads with %d in flight, want %v", clients, threads, inFlight, want)
		}
	}
}

func report(name string, clients int, throughput, p50 float64) runner.Report {
	return runner.Report{
		Name: name, Clients: clients, Throughput: throughput, Latency: runner.Latency{P50: p50},
	}
}

func TestPairsMustBeOfTheSameRun(t *testing.T) {
	s := setup{where: oneProcess, durability: "memory"}
	a := []runner.Report{report("YCSB A", 1, 1000, 10)}
	if _, err := s.pair(a, []runner.Report{report("YCSB B", 1, 1, 1)}); err == nil {
		t.Error("A and B are paired")
	}
	if _, err := s.pair(a, []runner.Report{report("YCSB A", 2, 1, 1)}); err == nil {
		t.Error("1 and 2 clients are paired")
	}
	if _, err := s.pair(a, nil); err == nil {
		t.Error("a report is paired with none")
	}
	pairs, err := s.pair(a, []runner.Report{report("YCSB A", 1, 100, 50)})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := writeTable(&out, pairs); err != nil {
		t.Fatal(err)
	}
	row := strings.Join(strings.Fields(strings.Split(out.String(), "\n")[1]), " ")
	if want := "process memory 1 YCSB A 1000 100 10.0 10µs 50µs 5.0 0µs 0µs 0/0"; row != want {
		t.Errorf("row  %s\nwant %s", row, want)
	}
}
