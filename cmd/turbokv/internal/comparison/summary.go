package comparison

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// group are points of one kind, whose ratios are summarised together.
type group struct {
	name   string
	points []Point
}

// groups sorts the points by what the slides claim something about, in the order of the points.
func (r *Report) groups() (out []group) {
	for _, p := range r.Points {
		name := p.group()
		i := slices.IndexFunc(out, func(g group) bool { return g.name == name })
		if i < 0 {
			i = len(out)
			out = append(out, group{name: name})
		}
		out[i].points = append(out[i].points, p)
	}
	slices.SortFunc(out, func(a, b group) int { return slices.Compare(a.order(), b.order()) })
	return out
}

// order puts like kinds of operations together.
func (g group) order() []int {
	p := g.points[0]
	kind := slices.Index(kinds, p.kind())
	if p.Theta == 0 {
		return []int{kind, 0}
	}
	return []int{kind, 1}
}

var kinds = []string{"reads", "mixed", "writes", "scans"}

func (p Point) kind() string {
	switch {
	case p.Scan:
		return "scans"
	case p.Writes == 0:
		return "reads"
	case p.Writes == 100:
		return "writes"
	}
	return "mixed"
}

func (p Point) group() string {
	if p.Theta == 0 {
		return "uniform, " + p.kind()
	}
	return "zipf, " + p.kind()
}

// over is how a number of a way relates to that of server-driven coordination, over all turns at the
// points of a group with that many requests in flight.
func (r *Report) over(g group, depth int, m Mode, number func(Sample) float64) Spread {
	var all []float64
	for _, p := range g.points {
		all = append(all, r.ratios(Cell{p, depth, m}, number)...)
	}
	return spreadOf(all)
}

// WriteSummary prints how the ways relate to server-driven coordination by groups of points: the median
// of all turns, each over the turn of server-driven in the same round, and the middle half of them.
func (r *Report) WriteSummary(w io.Writer) error {
	deep, light := slices.Max(r.Depths), slices.Min(r.Depths)
	fmt.Fprintf(w, "over server-driven: throughput with %d in flight, latency with %d\n", deep, light)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "loads\tway\tthroughput\tmean latency\tp99 latency\t")
	for _, g := range r.groups() {
		name := g.name
		for _, m := range r.Modes {
			if m == Server {
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t\n", name, m, changes(r.over(g, deep, m, Throughput)),
				changes(r.over(g, light, m, Mean)), changes(r.over(g, light, m, P99)))
			name = ""
		}
	}
	return t.Flush()
}

// changes writes ratios as the slides do, with the middle half of them.
func changes(s Spread) string {
	if s.Median == 0 {
		return "-"
	}
	percent := func(v float64) string { return fmt.Sprintf("%+.0f", 100*(v-1)) }
	return fmt.Sprintf("%s %% (%s..%s)", percent(s.Median), percent(s.Low), percent(s.High))
}
