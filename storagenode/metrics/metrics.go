// Package metrics tells Prometheus what storage nodes do: requests, replicas and how far behind they
// are, what they learn from others, their disks.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode"
)

// Collector collects the metrics of the storage nodes of a process, each with a label node.
type Collector struct{ nodes func() []*storagenode.Node }

// New returns the collector of the nodes that run at the time of a scrape.
func New(nodes func() []*storagenode.Node) *Collector { return &Collector{nodes} }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("turbokv_node_"+name, help, append([]string{"node"}, labels...), nil)
}

var (
	requests = desc("requests_total", "Requests, by kind: read (answered as tail), ordered (written as "+
		"head), repeated (a write that was known already), refused (another epoch, or not ready).", "kind")
	received = desc("received_packets_total", "Packets received.")
	ignored  = desc("ignored_packets_total", "Packets dropped, by reason: malformed, strayed (not from a "+
		"neighbour in the chain), stale (of another epoch or incarnation).", "reason")
	batches    = desc("received_batches_total", "Batches in which packets were received.")
	sent       = desc("sent_packets_total", "Packets sent.")
	sendErrors = desc("send_errors_total", "Batches that the network refused in part.")

	replicas = desc("replicas", "Replicas of sub-ranges, by state.", "state")
	lag      = desc("replication_lag_updates", "Updates that a replica has applied and does not know to be "+
		"acknowledged by its tail: the most of any replica.")
	undurable = desc("undurable_updates", "Updates that replicas have applied and not yet made durable, of "+
		"all replicas.")
	sessions = desc("client_sessions", "Client sessions remembered for exactly-once execution, of all "+
		"replicas.")
	joining      = desc("joining_replicas", "Replicas that learn their state from the tail of their chain.")
	joiningShare = desc("joining_ratio", "Part of its sub-range that the replica that is furthest behind "+
		"has learned; 1 when none is learning.")
	joined = desc("joined_bytes_total", "Bytes of snapshots taken in by replicas that joined.")

	syncs  = desc("sync_duration_seconds", "Time of the fsyncs that updates waited for.")
	stored = desc("stored_bytes", "Bytes that the records take in the engines, as far as they know.")

	connected = desc("controller_connected", "1 while there is a session with the controller.")
	begun     = desc("controller_sessions_total", "Sessions with the controller that have begun.")
	started   = desc("start_time_seconds", "Unix time at which the node started.")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requests, received, ignored, batches, sent, sendErrors, replicas, lag, undurable, sessions,
		joining, joiningShare, joined, syncs, stored, connected, begun, started,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	now := time.Now()
	for _, n := range c.nodes() {
		e := emitter{n.ID().String(), out}
		s := n.Stats()
		e.traffic(s)
		e.disk(s)
		e.replicas(n.Reports())
		e.gauge(started, float64(now.Add(-s.Uptime).UnixMilli())/1000)
	}
}

// emitter sends the metrics of one node.
type emitter struct {
	node string
	out  chan<- prometheus.Metric
}

func (e emitter) metric(
	d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string,
) {
	e.out <- prometheus.MustNewConstMetric(d, t, v, append([]string{e.node}, labels...)...)
}

func (e emitter) count(d *prometheus.Desc, n uint64, labels ...string) {
	e.metric(d, prometheus.CounterValue, float64(n), labels...)
}

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	e.metric(d, prometheus.GaugeValue, v, labels...)
}

func (e emitter) traffic(s storagenode.Stats) {
	e.count(requests, s.Read, "read")
	e.count(requests, s.Ordered, "ordered")
	e.count(requests, s.Repeated, "repeated")
	e.count(requests, s.Refused, "refused")
	e.count(received, s.Received)
	e.count(ignored, s.Malformed, "malformed")
	e.count(ignored, s.Strayed, "strayed")
	e.count(ignored, s.Stale, "stale")
	e.count(batches, s.Batches)
	e.count(sent, s.Sent)
	e.count(sendErrors, s.SendErrors)
	e.count(joined, s.Joined)
	e.count(begun, s.Sessions)
	up := 0.0
	if s.Connected {
		up = 1
	}
	e.gauge(connected, up)
}

func (e emitter) disk(s storagenode.Stats) {
	buckets := make(map[float64]uint64)
	for i, bound := range storagenode.SyncBounds() {
		buckets[bound.Seconds()] = s.SyncCounts[i]
	}
	e.out <- prometheus.MustNewConstHistogram(syncs, s.Syncs, s.SyncTime.Seconds(), buckets, e.node)
	e.gauge(stored, float64(s.Bytes))
}

func (e emitter) replicas(all []serverlib.Report) {
	states := make(map[string]int)
	var behind, pending, remembered uint64
	learners, share := 0, 1.0
	for _, r := range all {
		states[r.State.String()]++
		behind = max(behind, uint64(r.Applied-min(r.Stable, r.Applied)))
		pending += uint64(r.Applied - min(r.Durable, r.Applied))
		remembered += uint64(r.Sessions)
		if r.Learner {
			learners++
			share = min(share, r.JoinedShare)
		}
	}
	for state, n := range states {
		e.gauge(replicas, float64(n), state)
	}
	e.gauge(lag, float64(behind))
	e.gauge(undurable, float64(pending))
	e.gauge(sessions, float64(remembered))
	e.gauge(joining, float64(learners))
	e.gauge(joiningShare, share)
}
