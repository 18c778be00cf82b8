package comparison

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/turbokv/turbokv/workload/runner"
)

// WriteTable prints the report for people: for each depth a table, in it for each point a line for
// each way. A number stands as median of the rounds, with the least and the greatest behind it.
func (r *Report) WriteTable(w io.Writer) error {
	for i, depth := range r.Depths {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%d in flight\n", depth)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "load\tway\tops/s\tto server\tmean\tto server\tp99\tto server\tCPU µs/op: "+
			"switch\tnodes\tmaster\tclients\t")
		for _, p := range r.Points {
			for _, m := range r.Modes {
				r.line(t, r.Result(p, depth, m))
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) line(w io.Writer, x Result) {
	name := ""
	if x.Mode == r.Modes[0] {
		name = x.Point.String()
	}
	count := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", name, x.Mode,
		spread(x.Of(Throughput), count), change(r.Ratio(x.Cell, Throughput)),
		spread(x.Of(Mean), runner.Micros), change(r.Ratio(x.Cell, Mean)),
		spread(x.Of(P99), runner.Micros), change(r.Ratio(x.Cell, P99)))
	for _, p := range Parts {
		fmt.Fprintf(w, "\t%.1f", x.Of(CPU(p)).Median)
	}
	fmt.Fprintln(w, "\t")
}

func spread(s Spread, format func(float64) string) string {
	return fmt.Sprintf("%s (%s..%s)", format(s.Median), format(s.Min), format(s.Max))
}

// change writes a ratio as the slides do: +33 % for 1.33.
func change(s Spread) string {
	if s.Median == 0 {
		return "-"
	}
	return fmt.Sprintf("%+.0f %%", 100*(s.Median-1))
}
