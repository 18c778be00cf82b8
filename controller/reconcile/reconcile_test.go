package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

// The tables of these tests: route (LPM over 8 bits) refers to target (exact).
var testOrder = Order{"target", "route"}

const fieldWidth = 8

func target(id uint64, value uint64) tables.Entry {
	return tables.Entry{
		Table: "target", Action: "serve",
		Match:  []tables.Match{{Field: "id", Kind: tables.Exact, Value: tables.Uint(id)}},
		Params: []tables.Param{{Name: "v", Value: tables.Uint(value)}},
	}
}

func route(prefix uint64, length int, to uint64) tables.Entry {
	e := tables.Entry{
		Table: "route", Action: "to",
		Params: []tables.Param{{Name: "id", Value: tables.Uint(to)}},
	}
	if length > 0 {
		value := prefix >> (fieldWidth - length) << (fieldWidth - length)
		e.Match = []tables.Match{{Field: "k", Kind: tables.LPM, Value: tables.Uint(value),
			Prefix: length}}
	}
	return e
}

// model is the slow twin of a switch: rows in a map, lookups by trying all of them.
type model map[string]tables.Entry

func modelOf(s tables.State) model {
	m := model{}
	for _, e := range s.Entries {
		m[e.Key()] = e
	}
	return m
}

func (m model) apply(u tables.Update) error {
	key := u.Entry.Key()
	_, exists := m[key]
	if exists != (u.Op != tables.Insert) {
		return fmt.Errorf("%v: exists: %v", u, exists)
	}
	if u.Op == tables.Delete {
		delete(m, key)
	} else {
		m[key] = *u.Entry
	}
	return nil
}

// lookup returns what a key is routed to, "" for nothing.
func (m model) lookup(key uint64) tables.Value {
	best, to := -1, tables.Value("")
	for _, e := range m {
		if e.Table != "route" || e.PrefixLen() <= best {
			continue
		}
		f, _ := e.Field("k")
		n, _ := f.Value.Uint64() // an absent field matches all keys
		if shift := fieldWidth - f.Prefix; f.Prefix == 0 || key>>shift == n>>shift {
			best, to = f.Prefix, e.Param("id")
		}
	}
	return to
}

// dangling returns the first route to a target that is missing.
func (m model) dangling() string {
	for _, e := range m {
		if e.Table == "route" {
			id, _ := e.Param("id").Uint64()
			if _, ok := m[target(id, 0).Key()]; !ok {
				return e.String()
			}
		}
	}
	return ""
}

func randomState(r *rand.Rand) (s tables.State) {
	seen := map[string]bool{}
	add := func(e tables.Entry) {
		if !seen[e.Key()] {
			seen[e.Key()] = true
			s.Entries = append(s.Entries, e)
		}
	}
	ids := 1 + r.Uint64N(6)
	for id := range ids {
		add(target(id+1, r.Uint64N(3)))
	}
	for range r.IntN(12) {
		add(route(r.Uint64N(256), r.IntN(fieldWidth+1), 1+r.Uint64N(ids)))
	}
	r.Shuffle(len(s.Entries), func(i, j int) {
		s.Entries[i], s.Entries[j] = s.Entries[j],
			s.Entries[i]
	})
	return s
}

// TestEveryIntermediateStateIsSafe executes random plans in random order within each batch, as
// P4Runtime may, and looks at the switch after each single update.
func TestEveryIntermediateStateIsSafe(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		installed, desired := randomState(r), randomState(r)
		now, before, after := modelOf(installed), modelOf(installed), modelOf(desired)
		touched := map[string]int{}
		for _, batch := range Plan(desired, installed, testOrder, 1+r.IntN(6)) {
			r.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
			for _, u := range batch {
				if err := now.apply(u); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				touched[u.Entry.Key()]++
				if d := now.dangling(); d != "" {
					t.Fatalf("seed %d: after %v: %v leads nowhere", seed, u, d)
				}
				for key := range uint64(256) {
					if to := now.lookup(key); to != before.lookup(key) && to != after.lookup(key) {
						t.Fatalf("seed %d: after %v: key %d goes to %v; it was %v and becomes %v",
							seed, u,
							key, to, before.lookup(key), after.lookup(key))
					}
				}
			}
		}
		if len(now) != len(after) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(now), len(after))
		}
		for key, n := range touched {
			if n > 1 {
				t.Fatalf("seed %d: %s changed %d times", seed, key, n)
			}
		}
		for key, e := range after {
			if !now[key].Equal(e) {
				t.Fatalf("seed %d: %v, want %v", seed, now[key], e)
			}
		}
	}
}

func TestEqualStatesNeedNothing(t *testing.T) {
	for seed := range uint64(200) {
		s := randomState(rand.New(rand.NewPCG(seed, 4)))
		s.CloneSessions = []tables.CloneSession{{ID: 1, Replicas: []tables.Replica{{Port: 1,
			Instance: 1}}}}
		s.Digests = []tables.Digest{{Name: "d", MaxListSize: 1}}
		shuffled := s
		shuffled.Entries = slices.Clone(s.Entries)
		slices.Reverse(shuffled.Entries)
		if plan := Plan(s, shuffled, testOrder, 0); len(plan) != 0 {
			t.Fatalf("seed %d: %v", seed, plan)
		}
	}
}

func TestChangeOfChainIsOneModify(t *testing.T) {
	installed := tables.State{Entries: []tables.Entry{target(1, 1), target(2, 1), route(0, 1, 1)}}
	desired := tables.State{Entries: []tables.Entry{target(1, 2), target(2, 1), route(0, 1, 1)}}
	plan := Plan(desired, installed, testOrder, 0)
	if Count(plan) != 1 || plan[0][0].Op != tables.Modify || !plan[0][0].Entry.Equal(target(1, 2)) {
		t.Fatalf("%v", plan)
	}
}

func TestOthersAreNeverTakenAway(t *testing.T) {
	mine := tables.State{
		CloneSessions: []tables.CloneSession{{ID: 1, Replicas: []tables.Replica{{Port: 1,
			Instance: 1}}}},
		Digests: []tables.Digest{{Name: "d", MaxListSize: 1}},
	}
	theirs := tables.State{
		CloneSessions: []tables.CloneSession{{ID: 7}, {ID: 1,
			Replicas: []tables.Replica{{Port: 2}}}},
		Digests: []tables.Digest{{Name: "d", MaxListSize: 9}},
	}
	plan := Plan(mine, theirs, nil, 0)
	if Count(plan) != 2 || plan[0][0].Op != tables.Modify || plan[0][1].Op != tables.Modify {
		t.Fatalf("%v", plan)
	}
	if plan := Plan(mine, tables.State{}, nil, 0); Count(plan) != 2 ||
		plan[0][0].Op != tables.Insert {
		t.Fatalf("%v", plan)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	var s tables.State
	for id := range uint64(1000) {
		s.Entries = append(s.Entries, target(id+1, 1), route(id, fieldWidth, id+1))
	}
	s.Entries = slices.CompactFunc(s.Entries, tables.Entry.Equal)
	for i, b := range Plan(s, tables.State{}, testOrder, 100) {
		if len(b) == 0 || len(b) > 100 {
			t.Fatalf("batch %d has %d updates", i, len(b))
		}
	}
}
