package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/turbokv/turbokv/workload/runner"
)

// pair is one measurement of both stores under the same conditions.
type pair struct {
	Deployment deployment    `json:"deployment"`
	Durability string        `json:"durability"`
	TurboKV    runner.Report `json:"turbokv"`
	Etcd       runner.Report `json:"etcd"`
}

// pair joins the reports of the same mix and number of clients.
func (s setup) pair(turbo, etcd []runner.Report) ([]pair, error) {
	if len(turbo) != len(etcd) {
		return nil, fmt.Errorf("TurboKV gave %d reports and etcd %d", len(turbo), len(etcd))
	}
	var out []pair
	for i := range turbo {
		if turbo[i].Name != etcd[i].Name || turbo[i].Clients != etcd[i].Clients {
			return nil, fmt.Errorf("report %d is of %s with %d clients for TurboKV, of %s with %d for etcd",
				i, turbo[i].Name, turbo[i].Clients, etcd[i].Name, etcd[i].Clients)
		}
		out = append(out, pair{s.where, s.durability, turbo[i], etcd[i]})
	}
	return out, nil
}

// ratio is how many times a is b; 0 if b is unknown.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// writeTable prints one row a pair. The ratio of throughputs is TurboKV/etcd, more is better; that
// of median latencies is etcd/TurboKV, more is better as well.
func writeTable(w io.Writer, pairs []pair) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "deployment\tdurability\tclients\trun\tTurboKV ops/s\tetcd ops/s\tratio\t"+
		"TurboKV p50\tetcd p50\tp50 ratio\tTurboKV p99\tetcd p99\terrors\t")
	for _, p := range pairs {
		a, b := p.TurboKV, p.Etcd
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%.0f\t%.0f\t%.1f\t%s\t%s\t%.1f\t%s\t%s\t%d/%d\t\n",
			p.Deployment, p.Durability, a.Clients, a.Name, a.Throughput, b.Throughput,
			ratio(a.Throughput, b.Throughput), runner.Micros(a.Latency.P50),
			runner.Micros(b.Latency.P50), ratio(b.Latency.P50, a.Latency.P50),
			runner.Micros(a.Latency.P99), runner.Micros(b.Latency.P99), a.Errors, b.Errors)
	}
	return t.Flush()
}
