// Package metrics tells Prometheus what a controller knows of its cluster: how big its directory is,
// what has happened, what it is changing, who carries how much.
//
// The numbers are those of the last look of a watch.Watcher, at most a second old, so a scrape costs
// the controller nothing.
package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/watch"
	"github.com/turbokv/turbokv/kv"
)

// Collector collects the metrics of one cluster.
type Collector struct{ watcher *watch.Watcher }

// New returns the collector of what a watcher sees.
func New(w *watch.Watcher) *Collector { return &Collector{w} }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("turbokv_"+name, help, labels, nil)
}

var (
	reachable = desc("controller_reachable", "1 if a controller answered the last time it was asked.")
	info      = desc("controller_info", "1, with the cluster and the controller that leads it.",
		"cluster", "controller")
	term     = desc("controller_term", "Counts leaders, and is the P4Runtime election id.")
	problems = desc("problems", "Things that need an operator, as in turbokv status.")

	keyspaces = desc("directory_keyspaces", "Keyspaces, by phase.", "phase")
	subRanges = desc("directory_sub_ranges", "Sub-ranges, by keyspace and state.", "keyspace", "state")
	nodes     = desc("directory_nodes", "Nodes, by state.", "state")
	prefixes  = desc("directory_partition_entries",
		"Entries of the partition table that the directory asks for.")

	events    = desc("events_total", "Events, by kind and severity.", "kind", "severity")
	evictions = desc("evictions_total", "Nodes taken out of chains because they failed.")
	plans     = desc("plans", "Plans in progress, by kind.", "kind")
	planned   = desc("plans_total", "Plans, by how far they came: begun, done, aborted.", "end")

	joined = desc("joined_bytes_total", "Bytes of snapshots that nodes took in to join sub-ranges: in "+
		"repairs, moves and drains, as far as they have reported to the controller that leads.")

	load     = desc("balancer_node_load", "Load of a node as the balancer counts it, 1 being the average.", "node")
	cpu      = desc("balancer_node_cpu_cores", "Cores that a node uses.", "node")
	bytes    = desc("balancer_node_stored_bytes", "Bytes that a node stores.", "node")
	carried  = desc("balancer_node_replicas", "Replicas of a node, by role.", "node", "role")
	nodeRate = desc("balancer_node_requests_per_second",
		"Requests that a node answers as tail (read) or orders as head (write).", "node", "kind")

	requests = desc("sub_range_requests_total", "Requests since the sub-range was created, as far as is "+
		"known, by kind.", "keyspace", "sub_range", "kind")
	rate = desc("sub_range_requests_per_second", "Requests per second, smoothed, by kind.",
		"keyspace", "sub_range", "kind")
	members = desc("sub_range_replicas", "Members of the chain.", "keyspace", "sub_range")
	epoch   = desc("sub_range_epoch", "Changes of the chain or the interval so far.",
		"keyspace", "sub_range")

	synced  = desc("switch_synced", "1 if the switch holds all that the directory asks for.", "switch")
	entries = desc("switch_entries", "Entries in the tables of the switch.", "switch")
	indexed = desc("switch_index_entries", "Entries of the index in the switch, by its level and by table: "+
		"those of partition are prefixes, one row of a TCAM each.", "switch", "level", "table")
	linkUp  = desc("link_up", "1 if a link between two switches carries frames both ways.", "a", "b")
	hosts   = desc("switch_hosts", "Hosts that the switch has learned.", "switch")
	updates = desc("switch_updates_total",
		"Updates written to the switch since the controller began.", "switch")
	pushes = desc("switch_pipeline_pushes_total", "Programs loaded into the switch since the controller "+
		"began.", "switch")
	drops = desc("switch_dropped_packets_total", "Packets that the program dropped, by reason.",
		"switch", "reason")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		reachable, info, term, problems, keyspaces, subRanges, nodes, prefixes, events, evictions, plans,
		planned, joined, load, cpu, bytes, carried, nodeRate, requests, rate, members, epoch, synced, entries,
		indexed, linkUp, hosts, updates, pushes, drops,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	e := emitter(out)
	look, _ := c.watcher.Last()
	e.gauge(reachable, truth(look.Err == nil))
	e.happened(c.watcher.Tallies())
	if look.Err != nil {
		return // what was true once is no measurement of now
	}
	s := look.Status
	e.gauge(info, 1, s.ClusterID, s.Leader)
	e.gauge(term, float64(s.Term))
	e.gauge(problems, float64(len(s.Problems)))
	e.count(joined, s.JoinedBytes)
	e.directory(s)
	for _, n := range s.Nodes {
		e.node(n)
	}
	for _, sw := range s.Switches {
		e.switches(sw)
	}
	for _, l := range s.Links {
		e.gauge(linkUp, truth(l.Up), l.A, l.B)
	}
}

// emitter sends metrics.
type emitter chan<- prometheus.Metric

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	e <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (e emitter) count(d *prometheus.Desc, n uint64, labels ...string) {
	e <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// happened counts events. Counters that alarms are made of are there from the start, as zeros.
func (e emitter) happened(tallies map[watch.Tally]uint64) {
	byKind := make(map[controller.EventKind]uint64)
	for t, n := range tallies {
		byKind[controller.EventKind(t.Kind)] += n
		e.count(events, n, t.Kind, t.Severity)
	}
	e.count(evictions, byKind[core.MemberEvicted])
	e.count(planned, byKind[core.PlanBegun], "begun")
	e.count(planned, byKind[core.PlanDone], "done")
	e.count(planned, byKind[core.PlanAborted], "aborted")
}

// directory tells of keyspaces, sub-ranges and plans.
func (e emitter) directory(s admin.Status) {
	names := make(map[kv.KeyspaceID]string)
	phases, byState := make(map[string]int), make(map[string]int)
	for _, k := range s.Keyspaces {
		names[k.ID] = k.Name
		phases[k.Phase]++
	}
	for phase, n := range phases {
		e.gauge(keyspaces, float64(n), phase)
	}
	for _, n := range s.Nodes {
		byState[n.State]++
	}
	for state, n := range byState {
		e.gauge(nodes, float64(n), state)
	}
	byKind := map[string]int{
		admin.PlanRepair: 0, admin.PlanMove: 0, admin.PlanReorder: 0, admin.PlanSplit: 0,
		admin.PlanMerge: 0,
	}
	for _, p := range s.Plans {
		byKind[p.Kind]++
	}
	for kind, n := range byKind {
		e.gauge(plans, float64(n), kind)
	}
	e.subRanges(s.SubRanges, names)
}

func (e emitter) subRanges(all []admin.SubRange, names map[kv.KeyspaceID]string) {
	type in struct{ keyspace, state string }
	byState := make(map[in]int)
	rows := 0
	for _, r := range all {
		keyspace, id := names[r.Keyspace], strconv.Itoa(int(r.ID))
		byState[in{keyspace, r.State}]++
		rows += r.Prefixes
		e.count(requests, r.Reads, keyspace, id, "read")
		e.count(requests, r.Writes, keyspace, id, "write")
		e.gauge(rate, r.ReadRate, keyspace, id, "read")
		e.gauge(rate, r.WriteRate, keyspace, id, "write")
		e.gauge(members, float64(len(r.Chain)), keyspace, id)
		e.gauge(epoch, float64(r.Epoch), keyspace, id)
	}
	e.gauge(prefixes, float64(rows))
	for at, n := range byState {
		e.gauge(subRanges, float64(n), at.keyspace, at.state)
	}
}

func (e emitter) node(n admin.Node) {
	id := n.ID.String()
	e.gauge(load, n.Load, id)
	e.gauge(cpu, n.CPU, id)
	e.gauge(bytes, float64(n.Bytes), id)
	e.gauge(carried, float64(n.Heads), id, "head")
	e.gauge(carried, float64(n.Tails), id, "tail")
	e.gauge(carried, float64(n.Replicas-n.Heads-n.Tails), id, "other")
	e.gauge(carried, float64(n.Joining), id, "learner")
	e.gauge(nodeRate, n.ReadRate, id, "read")
	e.gauge(nodeRate, n.WriteRate, id, "write")
}

func (e emitter) switches(s admin.Switch) {
	e.gauge(synced, truth(s.Primary && s.Synced), s.Name)
	e.gauge(entries, float64(s.Entries), s.Name)
	e.gauge(indexed, float64(s.PartitionEntries), s.Name, strconv.Itoa(s.Level), "partition")
	e.gauge(indexed, float64(s.SubRangeEntries), s.Name, strconv.Itoa(s.Level), "sub_range")
	e.gauge(hosts, float64(s.Hosts), s.Name)
	e.count(updates, s.Updates, s.Name)
	e.count(pushes, s.PipelinePushes, s.Name)
	for reason, n := range s.Drops {
		e.count(drops, n, s.Name, reason)
	}
}
