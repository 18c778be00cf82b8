package serverlib

import "github.com/turbokv/turbokv/kv"

// batchLimit is the size in bytes at which a batch is applied before the end of the inputs: enough
// to spread the cost of a transaction, small enough to stay in the cache.
const batchLimit = 128 << 10

// store collects the writes of a batch of inputs for one engine, and runs its group commit.
type store struct {
	engine     Engine
	durability kv.Durability
	batch      Batch
	failed     error // the engine is given up,
	told       bool  // and the output of that step was withheld
	onFailure  func(kv.Durability, error)

	unsynced []*replica // have applied more than they know to be durable
	inSync   []*replica // wait for the sync that is running
	syncing  bool
	token    uint64
}

// give up the engine: what a failed write or sync left behind is unknown.
func (st *store) fail(err error) {
	if st.failed == nil {
		st.failed = err
		if st.onFailure != nil {
			st.onFailure(st.durability, err)
		}
	}
}

// flush applies what has been collected and reports whether the engine is sound.
func (st *store) flush() bool {
	if st.failed == nil && st.batch.Len() > 0 {
		if err := st.engine.Apply(&st.batch); err != nil {
			st.fail(err)
		}
	}
	st.batch.Reset()
	return st.failed == nil
}

// flushLarge applies what has been collected if it is large.
func (st *store) flushLarge() {
	if st.batch.Size() > batchLimit {
		st.flush()
	}
}

// get reads the newest state.
func (st *store) get(key, dst []byte) (value []byte, ok bool) {
	st.flush()
	return st.getApplied(key, dst)
}

// getApplied reads the state without what has been collected since the last flush.
func (st *store) getApplied(key, dst []byte) (value []byte, ok bool) {
	if st.failed != nil {
		return dst, false
	}
	value, ok, err := st.engine.Get(key, dst)
	if err != nil {
		st.fail(err)
		return dst, false
	}
	return value, ok
}

// scan reads the newest state in order.
func (st *store) scan(start, end []byte, yield func(key, value []byte) bool) {
	if !st.flush() {
		return
	}
	if err := st.engine.Scan(start, end, yield); err != nil {
		st.fail(err)
	}
}

// wantSync remembers that a replica has applied something that is not durable yet.
func (st *store) wantSync(r *replica) {
	if !r.wantsSync {
		r.wantsSync = true
		st.unsynced = append(st.unsynced, r)
	}
}

// beginSync starts a sync for all that was applied, unless one is running or nothing waits.
func (st *store) beginSync() (token uint64, needed bool) {
	if st.syncing || len(st.unsynced) == 0 || !st.flush() {
		return 0, false
	}
	st.inSync, st.unsynced = st.unsynced, st.inSync[:0]
	for _, r := range st.inSync {
		r.wantsSync, r.saving, r.proving = false, r.unsaved, r.unproven
		if r.chain != nil { // else it was revoked
			r.syncTo = r.chain.Applied()
			if r.join != nil {
				r.join.syncing = r.join.cursor.End()
			}
		}
	}
	st.syncing = true
	st.token++
	return st.token, true
}

// endSync returns the replicas that are durable up to their syncTo. A token of no running sync has
// no effect.
func (st *store) endSync(token uint64, err error) []*replica {
	if !st.syncing || token != st.token {
		return nil
	}
	st.syncing = false
	if err != nil {
		st.fail(err)
		return nil
	}
	return st.inSync
}
