// Package metrics tells Prometheus what the clients of an application do: requests, retries, outcomes
// and latencies.
//
//	m := metrics.New()
//	client, err := clientlib.Dial(ctx, clientlib.Config{..., Observe: m.Observe})
//	if err != nil {
//		return err
//	}
//	m.Watch(client)
//	prometheus.MustRegister(m)
//
// One Collector serves any number of clients; their counts are added up.
package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/wire"
)

// Collector collects the metrics of clients. It is safe for concurrent use.
type Collector struct {
	latency *prometheus.HistogramVec
	cells   map[cell]prometheus.Observer // of latency; never written after New

	mu      sync.Mutex
	clients []*clientlib.Client
}

type cell struct {
	op      wire.Op
	outcome session.Outcome
}

// Buckets of the latency: 50 us, twice as much with each, to 6.5 s. Requests have 5 s by default.
const (
	firstBucket = 50e-6 // seconds
	buckets     = 18
)

// New returns a collector without clients.
func New() *Collector {
	c := &Collector{
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "turbokv_client_request_duration_seconds",
			Help: "Time from the call to its end, by operation and outcome: answered (the store said " +
				"something, if only that there is no such record), unavailable (nothing was changed), " +
				"unknown (a write may be in effect).",
			Buckets: prometheus.ExponentialBuckets(firstBucket, 2, buckets),
		}, []string{"op", "outcome"}),
		cells: make(map[cell]prometheus.Observer),
	}
	for _, op := range []wire.Op{
		wire.OpGet, wire.OpPut, wire.OpDelete, wire.OpCAS, wire.OpIncrement, wire.OpScan,
	} {
		for _, o := range []session.Outcome{session.Answered, session.Unavailable, session.Unknown} {
			c.cells[cell{op, o}] = c.latency.WithLabelValues(op.String(), o.String())
		}
	}
	return c
}

// Observe takes in the end of one request: give it to clientlib.Config.
func (c *Collector) Observe(o clientlib.Observation) {
	if at := c.cells[cell{o.Op, o.Outcome}]; at != nil {
		at.Observe(o.Latency.Seconds())
	}
}

// Watch adds the counters of a client, and of all that share its session. Watching a session twice
// counts it twice.
func (c *Collector) Watch(client *clientlib.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients = append(c.clients, client)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("turbokv_client_"+name, help, labels, nil)
}

var (
	requests = desc("requests_total", "Requests submitted.")
	ended    = desc("ended_requests_total", "Requests that have ended, by outcome: answered, "+
		"unavailable, unknown.", "outcome")
	sent     = desc("sent_packets_total", "Packets sent, repeated ones included.")
	repeated = desc("retransmitted_packets_total",
		"Packets sent again because no reply came in time.")
	spurious = desc("spurious_packets_total",
		"Packets sent again that a second reply proved needless.")
	refused = desc("refusals_total", "Answers after which a request was sent again: another epoch, or "+
		"not ready.")
	ignored = desc("ignored_packets_total", "Packets received in vain, by reason: corrupt (no valid "+
		"reply), late (the request had ended).", "reason")
	queued = desc("queued_requests", "Requests that wait for room in the window.")
	flying = desc("requests_in_flight", "Requests whose reply is awaited.")
	window = desc("window_requests", "Congestion windows of all sessions.")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	c.latency.Describe(out)
	for _, d := range []*prometheus.Desc{
		requests, ended, sent, repeated, spurious, refused, ignored, queued, flying, window,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	c.latency.Collect(out)
	s := c.sum()
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, n int) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	count(requests, s.Requests)
	count(ended, s.Answered, session.Answered.String())
	count(ended, s.Unavailable, session.Unavailable.String())
	count(ended, s.Unknown, session.Unknown.String())
	count(sent, s.Sent)
	count(repeated, s.Retransmitted)
	count(spurious, s.Spurious)
	count(refused, s.Refused)
	count(ignored, s.Corrupt, "corrupt")
	count(ignored, s.Late, "late")
	gauge(queued, s.Queued)
	gauge(flying, s.InFlight)
	gauge(window, s.Window)
}

// sum adds up the sessions.
func (c *Collector) sum() (all clientlib.Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, client := range c.clients {
		s := client.Stats()
		all.Requests += s.Requests
		all.Answered += s.Answered
		all.Unavailable += s.Unavailable
		all.Unknown += s.Unknown
		all.Sent += s.Sent
		all.Retransmitted += s.Retransmitted
		all.Spurious += s.Spurious
		all.Refused += s.Refused
		all.Corrupt += s.Corrupt
		all.Late += s.Late
		all.Queued += s.Queued
		all.InFlight += s.InFlight
		all.Window += s.Window
	}
	return all
}
