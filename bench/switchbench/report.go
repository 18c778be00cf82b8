package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/turbokv/turbokv/bench/switchbench/generator"
	"github.com/turbokv/turbokv/bench/switchbench/scenario"
)

// report is all that was measured.
type report struct {
	plan    *plan
	parts   []*part
	skipped []string
	began   time.Time
	took    time.Duration
	load    [2]string // before and after
}

// part is one scenario.
type part struct {
	scenario *scenario.Scenario
	alone    float64 // frames a second of the generator when nobody takes them
	lines    []*line
}

// line is one contender in a scenario; the slices have a figure for each round.
type line struct {
	name      string
	lossless  []float64 // frames a second
	flood     []float64 // frames a second that came back
	cost      []float64 // nanoseconds of a processor for each of these
	offered   float64   // the most that the generator sent in a flood
	low, half []latency
}

// latency is what the generator tells of round trips.
type latency = generator.Latency

func newReport(p *plan) *report {
	return &report{plan: p, began: time.Now(), load: [2]string{loadAverage()}}
}

func (r *report) begin(s *scenario.Scenario, alone float64) *part {
	r.parts = append(r.parts, &part{scenario: s, alone: alone})
	return r.parts[len(r.parts)-1]
}

func (p *part) add(name string) *line {
	p.lines = append(p.lines, &line{name: name})
	return p.lines[len(p.lines)-1]
}

func (r *report) end() { r.took, r.load[1] = time.Since(r.began), loadAverage() }

// median returns the middle of some figures, 0 of none.
func median[T cmp.Ordered](figures []T) (m T) {
	if len(figures) == 0 {
		return m
	}
	sorted := slices.Sorted(slices.Values(figures))
	return sorted[len(sorted)/2]
}

// of returns one figure of each round.
func of(rounds []latency, figure func(latency) time.Duration) (out []time.Duration) {
	for _, l := range rounds {
		out = append(out, figure(l))
	}
	return out
}

func (p *part) line(name string) *line {
	for _, l := range p.lines {
		if l.name == name {
			return l
		}
	}
	return nil
}

// ratio prints how many times a figure is that of another contender.
func (p *part) ratio(l *line, other string, figure func(*line) []float64) string {
	o := p.line(other)
	if o == nil || o == l || median(figure(o)) == 0 {
		return "-"
	}
	return strconv.FormatFloat(median(figure(l))/median(figure(o)), 'f', 2, 64)
}

func lossless(l *line) []float64 { return l.lossless }
func flood(l *line) []float64    { return l.flood }

// speed is the inverse of the cost.
func speed(l *line) (out []float64) {
	for _, c := range l.cost {
		out = append(out, 1/c)
	}
	return out
}

// write prints a table of every scenario, and what one must know to read it.
func (r *report) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "scenario\tcontender\tpackets/s\tx simple\tx reflector\tflood\tx simple\tx reflector\t"+
		"cpu/packet\tx simple\tx reflector\tlow p50\tp99\thalf p50\tp99\t")
	for _, p := range r.parts {
		for _, l := range p.lines {
			p.row(t, l)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, r.notes())
	return err
}

func (p *part) row(w io.Writer, l *line) {
	p50 := func(l latency) time.Duration { return l.P50 }
	p99 := func(l latency) time.Duration { return l.P99 }
	fmt.Fprintf(w, "%s\t%s\t%.0f\t%s\t%s\t%.0f\t%s\t%s\t%.2fµs\t%s\t%s\t%s\t%s\t%s\t%s\t\n", p.scenario.Name, l.name,
		median(l.lossless), p.ratio(l, simpleSwitch, lossless), p.ratio(l, reflector, lossless),
		median(l.flood), p.ratio(l, simpleSwitch, flood), p.ratio(l, reflector, flood),
		median(l.cost)/1e3, p.ratio(l, simpleSwitch, speed), p.ratio(l, reflector, speed),
		micros(median(of(l.low, p50))), micros(median(of(l.low, p99))),
		micros(median(of(l.half, p50))), micros(median(of(l.half, p99))))
}

func micros(d time.Duration) string { return fmt.Sprintf("%.0fµs", float64(d)/1e3) }

// notes say how the figures came about and what limits them.
func (r *report) notes() string {
	p := r.plan
	var b strings.Builder
	fmt.Fprintf(&b, `
packets/s: the highest rate with at most %.1f %% lost, medians of %d rounds; flood: what comes back when more is
sent than anybody can take; cpu/packet: processor time of the contender for each of those, which other work
on the machine disturbs least. x: how many times better than %s and the %s. low: a round
trip at %d packets/s; half: at half of the contender's own highest rate.
%s, %d processors; the generator on %d, each contender with all its threads on %v, others idle.
Load average before %s, after %s; %v in all.
`, 100*bearable, p.rounds, simpleSwitch, reflector, lowRate, kernel(), runtime.NumCPU(), p.generatorCPU,
		p.switchCPUs, r.load[0], r.load[1], r.took.Round(time.Second))
	for _, s := range r.skipped {
		fmt.Fprintln(&b, s)
	}
	for _, part := range r.parts {
		r.bottleneck(&b, part)
	}
	return b.String()
}

// bottleneck tells what the generator can do, and whose figure it may have limited.
func (r *report) bottleneck(w io.Writer, p *part) {
	fmt.Fprintf(w, "%s: the generator alone sends %.0f packets/s", p.scenario.Name, p.alone)
	for _, l := range p.lines {
		if median(l.lossless) > 0.9*l.offered {
			fmt.Fprintf(w, "; %s took all that it could send (%.0f)", l.name, l.offered)
		}
	}
	fmt.Fprintln(w)
}

// writeCSV writes every single measurement.
func (r *report) writeCSV(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	rows := [][]string{{"scenario", "frame_bytes", "contender", "measure", "round", "value", "unit"}}
	for _, p := range r.parts {
		for _, l := range p.lines {
			rows = append(rows, p.rows(l)...)
		}
	}
	w := csv.NewWriter(f)
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return f.Close()
}

func (p *part) rows(l *line) (rows [][]string) {
	add := func(measure string, round int, value float64, unit string) {
		rows = append(rows, []string{p.scenario.Name, strconv.Itoa(p.scenario.Size()), l.name, measure,
			strconv.Itoa(round), strconv.FormatFloat(value, 'f', 1, 64), unit})
	}
	for i := range l.lossless {
		add("lossless", i, l.lossless[i], "packets/s")
	}
	for i := range l.flood {
		add("flood", i, l.flood[i], "packets/s")
	}
	for i := range l.cost {
		add("cpu", i, l.cost[i], "ns/packet")
	}
	for i := range l.half {
		add("low p50", i, float64(l.low[i].P50)/1e3, "us")
		add("low p99", i, float64(l.low[i].P99)/1e3, "us")
		add("half p50", i, float64(l.half[i].P50)/1e3, "us")
		add("half p99", i, float64(l.half[i].P99)/1e3, "us")
	}
	return rows
}

// loadAverage and kernel are what Linux tells of itself.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(text))
}
