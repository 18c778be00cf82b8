package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/bench/switchbench/scenario"
)

func TestRatiosAreOfMedians(t *testing.T) {
	r := newReport(&plan{rounds: 3, switchCPUs: []int{1}})
	p := r.begin(&scenario.Scenario{Name: "plain", Frames: [][]byte{make([]byte, 64)}}, 900)
	for name, figure := range map[string]float64{builtin: 300, simpleSwitch: 20, reflector: 400} {
		l := p.add(name)
		l.lossless, l.flood = []float64{1e9, figure, 1}, []float64{figure / 2, 0, 1e9}
		l.cost = []float64{1e6 / figure}
		l.low = []latency{{P50: 7 * time.Microsecond, P99: time.Millisecond}}
	}
	r.end()
	var out bytes.Buffer
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	want := "plain turbokv 300 15.00 0.75 150 15.00 0.75 3.33µs 15.00 0.75 7µs 1000µs 0µs 0µs"
	if text := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(text, want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
}

func TestPlansAreChecked(t *testing.T) {
	p, err := parsePlan([]string{"-quick", "-scenarios", "GET,routes", "-switch-cpus", "0"}, new(bytes.Buffer))
	if err != nil || len(p.scenarios) != 2 || p.rounds != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, args := range []string{"-scenarios nothing", "-switch-cpus x", "-switch-cpus -1", "-rounds 0"} {
		if _, err := parsePlan(strings.Fields(args), new(bytes.Buffer)); err == nil {
			t.Errorf("%s is accepted", args)
		}
	}
	for _, name := range []string{"tofino", builtin + "/fast", simpleSwitch + "/xdp"} {
		if _, err := p.newContender(name); err == nil {
			t.Errorf("contender %s is accepted", name)
		}
	}
}
