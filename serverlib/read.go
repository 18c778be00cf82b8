package serverlib

import (
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// get answers a GET at the tail from the committed state.
func (r *replica) get(p wire.Packet, key []byte) {
	row, ok, known := r.committed(key)
	switch {
	case r.store.failed != nil:
		r.server.refuse(p, wire.StatusInternal)
		return
	case !known:
		r.server.refuse(p, wire.StatusTryAgain)
		return
	}
	r.server.counters.Read++
	status := wire.StatusNotFound
	var version kv.Version
	var value []byte
	if ok {
		if version, value, ok = cutRecord(row); ok {
			status = wire.StatusOK
		}
	}
	reply := wire.Packet(append(p.AppendReply(r.server.buffer(), status), value...))
	reply.SetRecordVersion(version)
	r.server.sendSealed(p.ClientAddr(), reply)
}

// committed returns a stored record as the last committed update left it; known is false if only
// the predecessor can tell which that is. The row is valid until the next call.
func (r *replica) committed(key []byte) (row []byte, ok, known bool) {
	if s := r.view.find(key); s != nil {
		return s.before, s.had, s.known
	}
	read := r.store.get
	if r.durable { // what is collected is not committed, so it must not be waited for
		read = r.store.getApplied
	}
	row, ok = read(r.recordKey(key), r.server.value[:0])
	r.server.value = row
	if !ok {
		row = nil
	}
	return row, ok, true
}
