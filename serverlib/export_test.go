package serverlib

import (
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib/chain"
)

// SetSnapshotBurst makes the bursts of snapshots smaller, so that little data needs many.
func (s *Server) SetSnapshotBurst(bytes int) { s.burst = bytes }

// ChainOf shows tests the replica of a sub-range, nil if there is none or its data is lost.
func (s *Server) ChainOf(id kv.SubRangeID) *chain.Replica {
	if r := s.replicas[id]; r != nil {
		return r.chain
	}
	return nil
}

// Remembers tells tests whether a sub-range knows the result of a request.
func (s *Server) Remembers(id kv.SubRangeID, c kv.ClientID, n kv.RequestSeq) bool {
	known := s.replicas[id].sessions[c]
	return known != nil && known.find(n) != nil
}

// Owns tells tests whether a sub-range on this node, which it must have, believes to hold a key.
func (s *Server) Owns(id kv.SubRangeID, key []byte) bool { return s.replicas[id].owns(key) }

// Saved tells the server that its assignments are on stable storage, though it has not asked for a
// sync: traces sync the disk when they assign, and want no word of it.
func (s *Server) Saved(now time.Duration) {
	for _, id := range s.ids() {
		r := s.replicas[id]
		if !r.unsaved || r.chain == nil {
			continue
		}
		r.saved(now)
		if r.wantsSync && r.chain.Durable() == r.chain.Applied() {
			r.wantsSync = false
			r.store.unsynced = slices.DeleteFunc(r.store.unsynced, func(o *replica) bool { return o == r })
		}
	}
}
