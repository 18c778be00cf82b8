package scrape

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// process serves a counter and a histogram with a label of its own, and the metrics of a process.
func process(t *testing.T, node string, n float64) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	labels := prometheus.Labels{"node": node}
	counter := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "reads_total", Help: "Reads.", ConstLabels: labels,
	})
	counter.Add(n)
	times := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "took_seconds", Help: "Time.", ConstLabels: labels, Buckets: []float64{1},
	})
	times.Observe(n)
	registry.MustRegister(counter, times, collectors.NewGoCollector())
	s := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestMetricsOfSeveralProcessesAreOnePage(t *testing.T) {
	targets := []Target{
		{"node1", process(t, "a", 1)}, {"node2", process(t, "b", 2)}, {"node3", "127.0.0.1:1"},
	}
	want := `
# HELP reads_total Reads.
# TYPE reads_total counter
reads_total{node="a"} 1
reads_total{node="b"} 2
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{node="a",le="1"} 1
took_seconds_bucket{node="a",le="+Inf"} 1
took_seconds_sum{node="a"} 1
took_seconds_count{node="a"} 1
took_seconds_bucket{node="b",le="1"} 0
took_seconds_bucket{node="b",le="+Inf"} 1
took_seconds_sum{node="b"} 2
took_seconds_count{node="b"} 1
# HELP turbokv_part_reachable 1 if the process of turbokv up answered the scrape.
# TYPE turbokv_part_reachable gauge
turbokv_part_reachable{part="node1"} 1
turbokv_part_reachable{part="node2"} 1
turbokv_part_reachable{part="node3"} 0
`
	g := Gatherer{Targets: func() []Target { return targets }}
	if err := testutil.GatherAndCompare(g, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
