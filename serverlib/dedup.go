package serverlib

import (
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// result is what a write did: all that its reply needs (I5).
type result struct {
	request kv.RequestSeq
	seq     kv.Seq // of the update
	version kv.Version
	number  int64 // the sum, of an INCREMENT
	status  wire.Status
	counted bool // number is meant
	stored  bool // the engine has a result row for it
}

// resultOf reads the result out of an entry.
func resultOf(seq kv.Seq, e wire.ChainEntry) result {
	r := result{request: e.Sequence(), seq: seq, status: e.Status()}
	switch {
	case e.Effect() == wire.EffectNone:
		r.version = e.FoundVersion()
	case e.Effect() == wire.EffectPut:
		r.version = kv.Version(seq)
	}
	if e.Op() == wire.OpIncrement && e.Effect() == wire.EffectPut {
		r.number, r.counted = wire.Number(e.Value())
	}
	return r
}

// session is what is remembered of a client: the results from its lowest outstanding request on.
type session struct {
	lowest  kv.RequestSeq
	results []result // ascending by request; those before start are dropped
	start   int

	storedLowest kv.RequestSeq // what the session row says,
	stored       bool          // if there is one
	lastSeen     time.Duration // at the head: the last write request
}

// live returns the remembered results.
func (s *session) live() []result { return s.results[s.start:] }

// find returns the result of a request, nil if there is none.
func (s *session) find(n kv.RequestSeq) *result {
	live := s.live()
	at := s.search(n)
	if at == len(live) || live[at].request != n {
		return nil
	}
	return &live[at]
}

// search returns the place of n among the live results. Requests mostly come in order, so the
// last places are tried first.
func (s *session) search(n kv.RequestSeq) int {
	live := s.live()
	at := len(live)
	for range 4 {
		if at == 0 || live[at-1].request < n {
			return at
		}
		at--
	}
	return sort.Search(at, func(i int) bool { return live[i].request >= n })
}

// record adds a result, or replaces it, and drops those that the client no longer waits for;
// dropped is called for each of these that has a row in the engine.
func (s *session) record(r result, lowest kv.RequestSeq, dropped func(kv.RequestSeq)) {
	if lowest > s.lowest {
		s.lowest = lowest
		s.drop(dropped)
	}
	if r.request < s.lowest {
		return
	}
	at := s.search(r.request)
	if live := s.live(); at < len(live) && live[at].request == r.request {
		r.stored = r.stored || live[at].stored
		live[at] = r
		return
	}
	s.makeRoom()
	s.results = slices.Insert(s.results, s.start+at, r)
}

func (s *session) drop(dropped func(kv.RequestSeq)) {
	for s.start < len(s.results) && s.results[s.start].request < s.lowest {
		if r := &s.results[s.start]; r.stored {
			dropped(r.request)
		}
		s.start++
	}
	if s.start == len(s.results) {
		s.results, s.start = s.results[:0], 0
	}
}

// makeRoom moves the live results to the front when that is cheaper than to grow.
func (s *session) makeRoom() {
	if len(s.results) == cap(s.results) && s.start >= len(s.results)/2 && s.start > 0 {
		n := copy(s.results, s.live())
		s.results, s.start = s.results[:n], 0
	}
}

// remove forgets the result that the update at seq gave to a request; dropped is called if it has a
// row in the engine.
func (s *session) remove(n kv.RequestSeq, seq kv.Seq, dropped func(kv.RequestSeq)) {
	r := s.find(n)
	if r == nil || r.seq != seq {
		return
	}
	if r.stored {
		dropped(n)
	}
	at := s.start + s.search(n)
	s.results = slices.Delete(s.results, at, at+1)
}

// merge adds what another sub-range remembers of the same client; dropped is as in record. What both
// remember of a request is the same: it comes from the time before a split.
func (s *session) merge(o *session, dropped func(kv.RequestSeq)) {
	if o.lowest > s.lowest {
		s.lowest = o.lowest
		s.drop(dropped)
	}
	for _, r := range o.live() {
		if s.find(r.request) == nil {
			r.stored = false
			s.record(r, 0, dropped)
		}
	}
	s.lastSeen = max(s.lastSeen, o.lastSeen)
}

// countFrom returns the number of results that a client with this lowest outstanding request
// still waits for.
func (s *session) countFrom(lowest kv.RequestSeq) int {
	return len(s.live()) - s.search(lowest)
}

// sessions holds the clients of a sub-range.
type sessions map[kv.ClientID]*session

// open returns the session of a client, a new one if need be.
func (s sessions) open(c kv.ClientID) *session {
	if known := s[c]; known != nil {
		return known
	}
	fresh := &session{}
	s[c] = fresh
	return fresh
}

// clients returns all clients in ascending order.
func (s sessions) clients() []kv.ClientID { return slices.Sorted(maps.Keys(s)) }

// clone returns a copy for another sub-range, of which the engine has no rows yet.
func (s sessions) clone() sessions {
	c := make(sessions, len(s))
	for client, known := range s {
		fresh := c.open(client)
		fresh.merge(known, nil)
	}
	return c
}

// idle appends clients not seen since a moment, at most limit of them, in ascending order.
func (s sessions) idle(dst []kv.ClientID, since time.Duration, limit int) []kv.ClientID {
	for c, known := range s {
		if known.lastSeen < since {
			dst = append(dst, c)
		}
	}
	slices.Sort(dst)
	return dst[:min(len(dst), limit)]
}
