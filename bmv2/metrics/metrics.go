// Package metrics tells Prometheus what a switch does: packets and their fate, ports, tables, and its
// P4Runtime server. docs/SWITCH.md lists the names. It knows nothing of the program that the switch runs; what that counts itself, a
// controller reads over P4Runtime.
package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
)

// Collector collects the metrics of one switch. Register it with a prometheus.Registerer, wrapped
// with a label if there are several switches.
type Collector struct{ sw *daemon.Daemon }

// New returns the collector of a switch.
func New(sw *daemon.Daemon) *Collector { return &Collector{sw} }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("p4switch_"+name, help, labels, nil)
}

var (
	received = desc("received_packets_total", "Packets that were given to the pipeline.")
	sent     = desc("sent_packets_total", "Packets that left the pipeline, copies included.")
	dropped  = desc("dropped_packets_total", "Packets that were dropped, by reason: program (it said so, "+
		"or named an unknown multicast group), loops (too many passes), failed (an assert, an assume or "+
		"an endless loop), undeliverable (no such port, or too long).", "reason")
	passes = desc("extra_passes_total", "Passes of packets through the pipeline besides the first, by "+
		"kind: resubmitted, recirculated, cloned, replicated.", "kind")
	parserErrors = desc("parser_errors_total", "Packets that went on with parser_error set.")
	program      = desc("program_info", "1, with the name of the program in service.", "program")
	entries      = desc("table_entries", "Entries of a table, const entries included.", "table")
	size         = desc("table_max_entries", "Entries that the program has room for in a table.", "table")

	portUp       = desc("port_up", "1 if the port works, 0 if its cable or its interface is gone.", "port")
	portReceived = desc("port_received_packets_total", "Frames taken from a port.", "port")
	portRxBytes  = desc("port_received_bytes_total", "Bytes taken from a port.", "port")
	portRxDrops  = desc("port_receive_drops_total",
		"Frames lost before the pipeline: overruns of the port, or no pipeline.", "port")
	portSent    = desc("port_sent_packets_total", "Frames that a port accepted.", "port")
	portTxBytes = desc("port_sent_bytes_total", "Bytes sent to a port, those dropped included.", "port")
	portTxDrops = desc("port_send_drops_total", "Frames that a port refused.", "port")

	linkLost = desc("link_lost_packets_total", "Frames that a link with the property loss has lost, by "+
		"direction: sent, received.", "port", "direction")
	linkDropped = desc("link_queue_dropped_packets_total", "Frames that found the queue of a link full, by "+
		"direction: sent, received. They count as drops of the port too.", "port", "direction")

	calls = desc("p4runtime_calls_total", "Calls of P4Runtime methods that have ended, by method and "+
		"code of the answer. A StreamChannel ends when its controller leaves.", "method", "code")
	writes = desc("p4runtime_updates_total", "Updates written over P4Runtime, by outcome: ok, refused.",
		"outcome")
	messages = desc("p4runtime_messages_total", "Messages of the stream with the primary controller, by "+
		"kind: packet_in, packet_out, digest_list.", "kind")
	lost = desc("p4runtime_lost_messages_total", "Packet-ins and digests without a primary controller or "+
		"without room, by kind: packet_in, digest.", "kind")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		received, sent, dropped, passes, parserErrors, program, entries, size, calls, portUp, portReceived, portRxBytes, portRxDrops,
		portSent, portTxBytes, portTxDrops, linkLost, linkDropped, writes, messages, lost,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	s := c.sw.Stats()
	count(received, s.Received)
	count(sent, s.Sent)
	count(dropped, s.Dropped, "program")
	count(dropped, s.TooManyLoops, "loops")
	count(dropped, s.Failed, "failed")
	count(dropped, c.sw.Undeliverable(), "undeliverable")
	count(passes, s.Resubmitted, "resubmitted")
	count(passes, s.Recirculated, "recirculated")
	count(passes, s.Cloned, "cloned")
	count(passes, s.Replicated, "replicated")
	count(parserErrors, s.ParserErrors)
	c.collectTables(out)
	for _, x := range c.sw.Calls() {
		count(calls, x.Count, x.Method, x.Code.String())
	}
	for _, p := range c.sw.Ports() {
		label := strconv.Itoa(int(p.Number))
		up := 0.0
		if p.State == port.Up {
			up = 1
		}
		out <- prometheus.MustNewConstMetric(portUp, prometheus.GaugeValue, up, label)
		count(portReceived, p.RxFrames, label)
		count(portRxBytes, p.RxBytes, label)
		count(portRxDrops, p.RxDrops, label)
		count(portSent, p.TxFrames, label)
		count(portTxBytes, p.TxBytes, label)
		count(portTxDrops, p.TxDrops, label)
		if p.Shaped {
			count(linkLost, p.Link.TxLost, label, "sent")
			count(linkLost, p.Link.RxLost, label, "received")
			count(linkDropped, p.Link.TxDropped, label, "sent")
			count(linkDropped, p.Link.RxDropped, label, "received")
		}
	}
	r := c.sw.Server().Stats()
	count(writes, r.Writes, "ok")
	count(writes, r.WriteErrors, "refused")
	count(messages, r.PacketIns, "packet_in")
	count(messages, r.PacketOuts, "packet_out")
	count(messages, r.DigestLists, "digest_list")
	count(lost, r.PacketInDrops, "packet_in")
	count(lost, r.DigestDrops, "digest")
}

// collectTables tells what the program in service has.
func (c *Collector) collectTables(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int, label string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), label)
	}
	for table, n := range c.sw.TableSizes() {
		gauge(entries, n, table)
	}
	p := c.sw.Program()
	if p == nil {
		return
	}
	gauge(program, 1, p.Name)
	for _, t := range p.Tables() {
		gauge(size, t.MaxSize, t.Name)
	}
}
