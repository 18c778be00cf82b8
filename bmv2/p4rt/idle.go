package p4rt

import (
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// maxIdle bounds the entries of one notification, so that clients can receive it.
const maxIdle = 1000

// Idle tells the primaries that entries of the switch in service have not been hit for their idle
// timeout. It is made for what [v1model.Switch.Expired] returns, and never waits: nothing is sent to
// a controller that does not read, because an entry that stays idle is reported again.
func (s *Server) Idle(entries []*v1model.Entry) {
	p := s.live.Load()
	if p == nil {
		return
	}
	for len(entries) > 0 && s.someRoom() {
		t := p.tableOf[entries[0].Table]
		n := 1
		for n < len(entries) && n < maxIdle && entries[n].Table == entries[0].Table {
			n++
		}
		if t != nil {
			n = s.tellIdle(t, entries[:n])
		}
		entries = entries[n:]
	}
}

// tellIdle tells of the first entries, as many as their metadata allow, and returns how many.
func (s *Server) tellIdle(t *table, entries []*v1model.Entry) int {
	m := &p4v1.IdleTimeoutNotification{Timestamp: time.Now().UnixNano()}
	for size := 0; len(m.TableEntry) < len(entries) && size < maxChunkSize; {
		e := entries[len(m.TableEntry)]
		out := t.entryKey(e)
		if meta, ok := e.Meta.(*entryMeta); ok {
			meta.restore(out)
			size += len(out.GetMetadata())
		}
		m.TableEntry = append(m.TableEntry, out)
	}
	if s.tell(&p4v1.StreamMessageResponse{
		Update: &p4v1.StreamMessageResponse_IdleTimeoutNotification{IdleTimeoutNotification: m},
	}, func(sc *scope) bool { return sc.allows(t.id) }) {
		s.stats.idleEntries.Add(uint64(len(m.TableEntry)))
	}
	return len(m.TableEntry)
}
