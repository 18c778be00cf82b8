package runner

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/turbokv/turbokv/workload"
)

// Latency holds mean and percentiles of the operations that were answered, in microseconds.
type Latency struct {
	Mean float64 `json:"mean_us"`
	P50  float64 `json:"p50_us"`
	P95  float64 `json:"p95_us"`
	P99  float64 `json:"p99_us"`
	Max  float64 `json:"max_us"`
}

// KindReport is what was measured of one kind of operation.
type KindReport struct {
	Kind     string  `json:"kind"`
	Count    uint64  `json:"count"` // answered, misses included
	Errors   uint64  `json:"errors"`
	Unknown  uint64  `json:"outcome_unknown"`            // part of Errors
	Misses   uint64  `json:"misses"`                     // part of Count
	Returned uint64  `json:"records_returned,omitempty"` // by scans
	Latency  Latency `json:"latency"`
}

// Report is the result of one run.
type Report struct {
	Name       string            `json:"name"`
	Clients    int               `json:"clients"` // requests in flight
	Seconds    float64           `json:"seconds"`
	Count      uint64            `json:"count"` // operations answered
	Throughput float64           `json:"ops_per_second"`
	Latency    Latency           `json:"latency"`
	Errors     uint64            `json:"errors"`
	Retries    uint64            `json:"retries"`
	Kinds      []KindReport      `json:"kinds"`
	ErrorTexts map[string]uint64 `json:"error_texts,omitempty"` // the first few distinct ones
}

func newReport(c Config, all *recorder, elapsed time.Duration, retries uint64) Report {
	r := Report{
		Name: c.Name, Clients: c.Clients * max(c.InFlight, 1),
		Seconds: elapsed.Seconds(), Retries: retries, ErrorTexts: all.texts,
	}
	total := newHistogram()
	for k := range all.kinds {
		t := &all.kinds[k]
		if t.latency == nil && t.errors == 0 {
			continue
		}
		kind := KindReport{
			Kind: workload.OpKind(k).String(), Errors: t.errors, Unknown: t.unknown,
			Misses: t.misses, Returned: t.returned,
		}
		if t.latency != nil {
			kind.Count, kind.Latency = uint64(t.latency.TotalCount()), latencyOf(t.latency)
			total.Merge(t.latency)
		}
		r.Kinds = append(r.Kinds, kind)
		r.Count += kind.Count
		r.Errors += kind.Errors
	}
	r.Latency = latencyOf(total)
	if elapsed > 0 {
		r.Throughput = float64(r.Count) / elapsed.Seconds()
	}
	return r
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	us := func(ns int64) float64 { return float64(ns) / 1e3 }
	return Latency{
		Mean: h.Mean() / 1e3, P50: us(h.ValueAtQuantile(50)), P95: us(h.ValueAtQuantile(95)),
		P99: us(h.ValueAtQuantile(99)), Max: us(h.Max()),
	}
}

// WriteTable prints reports as one table, a row each.
func WriteTable(w io.Writer, reports ...Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "run\tclients\tops\tops/s\tp50\tp95\tp99\tmax\terrors\tretries\t")
	for _, r := range reports {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.0f\t%s\t%s\t%s\t%s\t%d\t%d\t\n", r.Name, r.Clients, r.Count,
			r.Throughput, Micros(r.Latency.P50), Micros(r.Latency.P95), Micros(r.Latency.P99),
			Micros(r.Latency.Max), r.Errors, r.Retries)
	}
	return t.Flush()
}

// WriteKinds prints one report with a row for each kind of operation.
func WriteKinds(w io.Writer, r Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "operation\tcount\tp50\tp95\tp99\tmax\terrors\tunknown\tmisses\t")
	for _, k := range r.Kinds {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t\n", k.Kind, k.Count,
			Micros(k.Latency.P50), Micros(k.Latency.P95), Micros(k.Latency.P99),
			Micros(k.Latency.Max), k.Errors, k.Unknown, k.Misses)
	}
	return t.Flush()
}

// WriteJSON prints reports as an indented JSON array.
func WriteJSON(w io.Writer, reports ...Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(reports)
}

// Micros prints a latency in microseconds with three significant digits and a unit.
func Micros(us float64) string {
	switch {
	case us >= 1e6:
		return fmt.Sprintf("%.3gs", us/1e6)
	case us >= 1e3:
		return fmt.Sprintf("%.3gms", us/1e3)
	}
	return fmt.Sprintf("%.3gµs", us)
}
