package storagenode

import (
	"sync/atomic"
	"time"

	"github.com/turbokv/turbokv/serverlib"
)

// Stats counts what a node has done since its start.
type Stats struct {
	serverlib.Counters
	Batches    uint64        // of datagrams received; Received/Batches is the batching that happens
	Sent       uint64        // datagrams
	SendErrors uint64        // batches that the network refused in part
	Syncs      uint64        // fsyncs that updates waited for
	SyncTime   time.Duration // they took together
	Connected  bool          // to the controller
	Sessions   uint64        // with the controller, begun
	Uptime     time.Duration
}

// stats are the node's own counters.
type stats struct {
	batches, sent, sendErrors, syncs, sessions atomic.Uint64
	syncTime                                   atomic.Int64
	connected                                  atomic.Bool
}

// Stats returns the counts so far.
func (n *Node) Stats() Stats {
	n.mu.Lock()
	counters := n.server.Counters()
	n.mu.Unlock()
	return Stats{
		Counters:   counters,
		Batches:    n.stats.batches.Load(),
		Sent:       n.stats.sent.Load(),
		SendErrors: n.stats.sendErrors.Load(),
		Syncs:      n.stats.syncs.Load(),
		SyncTime:   time.Duration(n.stats.syncTime.Load()),
		Connected:  n.stats.connected.Load(),
		Sessions:   n.stats.sessions.Load(),
		Uptime:     n.now(),
	}
}
