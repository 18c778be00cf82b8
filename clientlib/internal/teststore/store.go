// Package teststore is a key-value store behind the packet format, for tests of the client: one
// slow and obvious object that does what switch and nodes do together, as far as a client can see
// it. It splits scans over sub-ranges, executes each write once and remembers its reply, and
// refuses what the test wants refused. It is a pure state machine like the session that it tests.
package teststore

import (
	"fmt"
	"maps"
	"slices"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Record is a stored record.
type Record struct {
	Value   string
	Version kv.Version
}

// Refusal is what Refuse wants done with a request instead of serving it. The zero Refusal serves.
type Refusal struct {
	Status     wire.Status
	FromSwitch bool
	Silent     bool // no reply at all
}

type writer struct {
	lowest kv.RequestSeq
	done   map[kv.RequestSeq]wire.Packet
}

// Store is the store. Use New.
type Store struct {
	// Cuts are the first index keys of all sub-ranges but the first, ascending.
	Cuts []kv.IndexKey
	// Refuse may be set to refuse requests and pieces of scans.
	Refuse func(p wire.Packet) Refusal
	// Executed counts how often each write was executed, by client and sequence.
	Executed map[string]int

	version  kv.Version
	records  map[kv.KeyspaceID]map[string]Record
	sessions map[kv.ClientID]*writer
}

// New returns an empty store of one sub-range that serves the given keyspaces.
func New(keyspaces ...kv.KeyspaceID) *Store {
	s := &Store{
		Executed: map[string]int{},
		records:  map[kv.KeyspaceID]map[string]Record{},
		sessions: map[kv.ClientID]*writer{},
	}
	for _, k := range keyspaces {
		s.records[k] = map[string]Record{}
	}
	return s
}

// Put stores a record behind the protocol's back.
func (s *Store) Put(k kv.KeyspaceID, key, value string) {
	s.version++
	s.records[k][key] = Record{value, s.version}
}

// Remembered returns for how many writes of a session the store keeps the reply.
func (s *Store) Remembered(c kv.ClientID) int {
	if w := s.sessions[c]; w != nil {
		return len(w.done)
	}
	return 0
}

// Forget expires a session: repeated writes of it get SESSION_EXPIRED.
func (s *Store) Forget(c kv.ClientID) { s.sessions[c] = nil }

// Handle serves a request and calls reply for each packet that goes back. The packets are the
// receiver's.
func (s *Store) Handle(b []byte, reply func(wire.Packet)) {
	p, err := wire.Parse(b)
	if err != nil || p.Flags() != 0 {
		return
	}
	records, ok := s.records[p.Keyspace()]
	if !ok {
		reply(FromSwitch(p, wire.StatusNoKeyspace))
		return
	}
	if p.Op() == wire.OpScan {
		s.scan(p, records, reply)
		return
	}
	if s.refuse(p, reply) {
		return
	}
	if p.Op() == wire.OpGet {
		reply(s.get(p, records))
		return
	}
	s.write(p, records, reply)
}

func (s *Store) refuse(p wire.Packet, reply func(wire.Packet)) bool {
	if s.Refuse == nil {
		return false
	}
	r := s.Refuse(p)
	switch {
	case r == Refusal{}:
		return false
	case r.FromSwitch:
		reply(FromSwitch(p, r.Status))
	case !r.Silent:
		reply(Reply(p, r.Status, 0, nil))
	}
	return true
}

// FromSwitch turns a request round as a switch does, without computing the CRC again.
func FromSwitch(p wire.Packet, status wire.Status) wire.Packet {
	r := wire.Packet(slices.Clone(p))
	r.SetFlags(wire.FlagReply | wire.FlagFromSwitch)
	r.SetStatus(status)
	return r
}

// Reply returns a node's reply.
func Reply(p wire.Packet, status wire.Status, version kv.Version, payload []byte) wire.Packet {
	r := wire.Packet(append(p.AppendReply(nil, status), payload...))
	r.SetRecordVersion(version)
	r.Seal()
	return r
}

func (s *Store) get(p wire.Packet, records map[string]Record) wire.Packet {
	key, _, err := p.Keyed()
	if err != nil {
		return Reply(p, wire.StatusBadRequest, 0, nil)
	}
	r, ok := records[string(key)]
	if !ok {
		return Reply(p, wire.StatusNotFound, 0, nil)
	}
	return Reply(p, wire.StatusOK, r.Version, []byte(r.Value))
}

// write executes a write once and answers repetitions with the first reply.
func (s *Store) write(p wire.Packet, records map[string]Record, reply func(wire.Packet)) {
	w, known := s.sessions[p.Client()]
	if known && w == nil {
		reply(Reply(p, wire.StatusSessionExpired, 0, nil))
		return
	}
	if w == nil {
		w = &writer{done: map[kv.RequestSeq]wire.Packet{}}
		s.sessions[p.Client()] = w
	}
	w.lowest = max(w.lowest, p.LowestOutstanding())
	maps.DeleteFunc(w.done, func(seq kv.RequestSeq, _ wire.Packet) bool { return seq < w.lowest })
	if p.Sequence() < w.lowest {
		return // nobody waits for it
	}
	if first, ok := w.done[p.Sequence()]; ok {
		reply(slices.Clone(first))
		return
	}
	s.Executed[fmt.Sprintf("%x/%d", uint64(p.Client()), p.Sequence())]++
	r := s.execute(p, records)
	w.done[p.Sequence()] = r
	reply(slices.Clone(r))
}

func (s *Store) execute(p wire.Packet, records map[string]Record) wire.Packet {
	k, value, err := p.Keyed()
	if err != nil {
		return Reply(p, wire.StatusBadRequest, 0, nil)
	}
	key, old := string(k), records[string(k)]
	conditional := p.Op() == wire.OpCAS || p.Op() == wire.OpDelete && p.RecordVersion() != 0
	switch {
	case p.Op() == wire.OpDelete && old.Version == 0:
		return Reply(p, wire.StatusNotFound, 0, nil)
	case conditional && p.RecordVersion() != old.Version:
		return Reply(p, wire.StatusVersionMismatch, old.Version, nil)
	}
	s.version++
	switch p.Op() {
	case wire.OpDelete:
		delete(records, key)
		return Reply(p, wire.StatusOK, s.version, nil)
	case wire.OpIncrement:
		return s.increment(p, records, key, value)
	case wire.OpPut, wire.OpCAS:
		records[key] = Record{string(value), s.version}
		return Reply(p, wire.StatusOK, s.version, nil)
	}
	return Reply(p, wire.StatusUnsupported, 0, nil)
}

func (s *Store) increment(
	p wire.Packet, records map[string]Record, key string, delta []byte,
) wire.Packet {
	d, ok := wire.Number(delta)
	if !ok {
		return Reply(p, wire.StatusBadRequest, 0, nil)
	}
	n := int64(0)
	if old, found := records[key]; found {
		if n, ok = wire.Number([]byte(old.Value)); !ok {
			return Reply(p, wire.StatusNotANumber, old.Version, nil)
		}
	}
	sum := wire.AppendNumber(nil, n+d)
	records[key] = Record{string(sum), s.version}
	return Reply(p, wire.StatusOK, s.version, sum)
}
