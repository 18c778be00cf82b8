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
	SyncCounts []uint64      // of them, those that took no longer than each of SyncBounds
	Bytes      uint64        // that the records take, as far as the engines know
	Connected  bool          // to the controller
	Sessions   uint64        // with the controller, begun
	Uptime     time.Duration
}

// syncBounds is how many SyncBounds there are.
const syncBounds = 16

// SyncBounds are the upper bounds of Stats.SyncCounts: from a drive with a battery to one that is
// about to fail.
func SyncBounds() []time.Duration {
	out := make([]time.Duration, syncBounds)
	for i := range out {
		out[i] = 125 * time.Microsecond << i // up to about 4 s
	}
	return out
}

// stats are the node's own counters.
type stats struct {
	batches, sent, sendErrors, syncs, sessions atomic.Uint64
	syncTime                                   atomic.Int64
	syncCounts                                 [syncBounds]atomic.Uint64 // each also in all above
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
		SyncCounts: n.stats.counts(),
		Bytes:      n.size(),
		Connected:  n.stats.connected.Load(),
		Sessions:   n.stats.sessions.Load(),
		Uptime:     n.now(),
	}
}

// synced counts one fsync.
func (s *stats) synced(took time.Duration) {
	s.syncs.Add(1)
	s.syncTime.Add(int64(took))
	for i, bound := range SyncBounds() {
		if took <= bound {
			s.syncCounts[i].Add(1)
		}
	}
}

func (s *stats) counts() []uint64 {
	out := make([]uint64, len(s.syncCounts))
	for i := range s.syncCounts {
		out[i] = s.syncCounts[i].Load()
	}
	return out
}
