package session

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/clientlib/internal/teststore"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// randomKey returns a key of a few letters, sometimes longer than an index key, sometimes with
// zero bytes at its end: the cases in which an index key says less than the key.
func randomKey(r *rand.Rand) string {
	key := make([]byte, 1+r.IntN(3))
	for i := range key {
		key[i] = byte('a' + r.IntN(4))
	}
	switch r.IntN(6) {
	case 0:
		key = append(key, make([]byte, r.IntN(3))...)
	case 1:
		key = append(key, strings.Repeat("m", 14+r.IntN(4))...)
	}
	return string(key)
}

// TestScansFindEverything compares scans page by page with the records of the store, while pieces
// are lost, come twice and out of order, and the cuts between sub-ranges move.
func TestScansFindEverything(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		store := teststore.New(testKeyspace)
		var keys []string
		for range r.IntN(80) {
			k := randomKey(r)
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
			store.Put(testKeyspace, k, strings.Repeat("v", r.IntN(200)))
		}
		slices.Sort(keys)
		session, err := New(Config{Rand: r})
		if err != nil {
			t.Fatal(err)
		}
		s := scanner{t: t, rand: r, store: store, session: session}
		for range 5 {
			start, end, limit := randomKey(r), randomKey(r), r.IntN(30)
			if start > end {
				start, end = end, start
			}
			if start == end {
				end = ""
			}
			got := s.scan(start, end, limit)
			if want := expected(keys, start, end, limit); !slices.Equal(got, want) {
				t.Fatalf("seed %d: scan [%q, %q) limit %d:\ngot  %q\nwant %q",
					seed, start, end, limit, got, want)
			}
		}
	}
}

func expected(keys []string, start, end string, limit int) (out []string) {
	for _, k := range keys {
		if k >= start && (end == "" || k < end) && (limit == 0 || len(out) < limit) {
			out = append(out, k)
		}
	}
	return out
}

// scanner drives one session against the store.
type scanner struct {
	t       *testing.T
	rand    *rand.Rand
	store   *teststore.Store
	session *Session
	now     time.Duration
	out     Output
}

// scan returns the keys that a scan of several pages finds.
func (s *scanner) scan(start, end string, limit int) (keys []string) {
	for next, pages := start, 0; ; pages++ {
		if pages > 500 {
			s.t.Fatalf("scan [%q, %q) does not end", start, end)
		}
		r := Request{
			Op: wire.OpScan, Keyspace: testKeyspace, Partitioner: kv.RangePartitioned,
			Key: []byte(next), End: []byte(end), Budget: uint8(s.rand.IntN(5)),
			Deadline: s.now + time.Hour,
		}
		if limit > 0 {
			r.Limit = uint16(limit - len(keys))
		}
		s.session.Submit(s.now, &r, &s.out)
		page := s.page()
		page.Each(func(r wire.ScanRecord) { keys = append(keys, string(r.Key)) })
		if page.Done {
			return keys
		}
		if next = string(page.Next); end != "" && next >= end {
			return keys
		}
	}
}

// page lets time and packets pass until the request ends.
func (s *scanner) page() *Page {
	for range 1000 {
		var pieces []wire.Packet
		for _, p := range s.out.Packets {
			s.moveCuts()
			s.store.Handle(p, func(p wire.Packet) { pieces = append(pieces, p) })
		}
		s.out.Reset()
		if page := s.deliver(pieces); page != nil {
			return page
		}
		if at, ok := s.session.Wake(); ok {
			s.now = max(s.now, at)
		}
		s.session.Tick(s.now, &s.out)
		if len(s.out.Completions) > 0 {
			return s.take()
		}
	}
	s.t.Fatal("the page never ends")
	return nil
}

func (s *scanner) moveCuts() {
	s.store.Cuts = nil
	for range s.rand.IntN(6) {
		s.store.Cuts = append(s.store.Cuts, kv.RangePartitioned.IndexKey([]byte(randomKey(s.rand))))
	}
	slices.SortFunc(s.store.Cuts, kv.IndexKey.Compare)
	s.store.Cuts = slices.Compact(s.store.Cuts)
}

// deliver gives the session the pieces in random order, without some and with some twice.
func (s *scanner) deliver(pieces []wire.Packet) *Page {
	s.rand.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
	for _, p := range pieces {
		for range s.rand.IntN(3) {
			s.session.Deliver(s.now, bytes.Clone(p), &s.out)
			if len(s.out.Completions) > 0 {
				return s.take()
			}
		}
	}
	return nil
}

func (s *scanner) take() *Page {
	c := s.out.Completions[0]
	if c.Outcome != Answered || c.Page == nil {
		s.t.Fatalf("scan ends with %v %v", c.Outcome, c.Status)
	}
	s.out.Reset()
	return c.Page
}

func TestBoundsOfIndexKeys(t *testing.T) {
	long := strings.Repeat("k", kv.IndexKeySize)
	for _, c := range []struct {
		end, below string // a key below end whose index key must not be behind the last one
		shares     bool   // end's own index key may be needed
	}{
		{"b", "azzz", false},
		{"b\x00", "b", true},
		{long, long[:15] + "j" + "zzz", false},
		{long + "x", long + "w", true},
	} {
		last := lastIndexKey([]byte(c.end))
		if last.Less(kv.RangePartitioned.IndexKey([]byte(c.below))) {
			t.Errorf("end %q: last index key %v excludes %q", c.end, last, c.below)
		}
		if shares := last == kv.RangePartitioned.IndexKey([]byte(c.end)); shares != c.shares {
			t.Errorf("end %q: last index key %v", c.end, last)
		}
	}
	if lastIndexKey(nil) != kv.MaxIndexKey {
		t.Error("no end")
	}
}

func TestKeyAfter(t *testing.T) {
	high := strings.Repeat("\xff", wire.MaxKeySize)
	for _, c := range []struct {
		key, next string
		ok        bool
	}{
		{"a", "a\x00", true},
		{"b" + high[1:], "c", true},
		{high[:1022] + "ab", high[:1022] + "ac", true},
		{high, "", false},
	} {
		next, ok := keyAfter(nil, []byte(c.key))
		if string(next) != c.next || ok != c.ok {
			t.Errorf("after %q...: %q, %v", fmt.Sprintf("%.8s", c.key), next, ok)
		}
	}
}
