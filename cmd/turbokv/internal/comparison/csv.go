package comparison

import (
	"encoding/csv"
	"fmt"
	"io"
)

// WriteCSV writes a row for each cell: medians over the rounds, and the least and the greatest.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{"mode", "theta", "write_percent", "scan", "in_flight", "rounds"}
	for _, name := range []string{"ops_per_second", "mean_us", "p99_us", "ops_over_server",
		"mean_over_server", "p99_over_server"} {
		header = append(header, name+"_min", name, name+"_max")
	}
	for _, p := range Parts {
		header = append(header, fmt.Sprintf("cpu_%s_us_per_op", p))
	}
	if err := out.Write(append(header, "errors", "retries")); err != nil {
		return err
	}
	for _, x := range r.Results {
		if err := out.Write(r.row(x)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (r *Report) row(x Result) []string {
	row := []string{string(x.Mode), fmt.Sprint(x.Point.Theta), fmt.Sprint(x.Point.Writes),
		fmt.Sprint(x.Point.Scan), fmt.Sprint(x.Depth), fmt.Sprint(len(x.Samples))}
	add := func(s Spread, format string) {
		for _, v := range []float64{s.Min, s.Median, s.Max} {
			row = append(row, fmt.Sprintf(format, v))
		}
	}
	add(x.Of(Throughput), "%.0f")
	add(x.Of(Mean), "%.1f")
	add(x.Of(P99), "%.1f")
	for _, number := range []func(Sample) float64{Throughput, Mean, P99} {
		add(r.Ratio(x.Cell, number), "%.3f")
	}
	for _, p := range Parts {
		row = append(row, fmt.Sprintf("%.1f", x.Of(CPU(p)).Median))
	}
	var errors, retries uint64
	for _, s := range x.Samples {
		errors, retries = errors+s.Errors, retries+s.Retries
	}
	return append(row, fmt.Sprint(errors), fmt.Sprint(retries))
}
