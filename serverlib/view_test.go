package serverlib

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// TestViewMatchesTwin writes and commits at random, and compares what the view lets readers see
// with a copy of the store that only commits change.
func TestViewMatchesTwin(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		var v view
		newest, committed := map[string]string{}, map[string]string{}
		var pending []wire.ChainEntry
		at := kv.Seq(r.IntN(5))
		for range 300 {
			if r.IntN(2) == 0 || len(pending) == 0 {
				at++
				e := randomEntry(r)
				applyToTwin(&v, newest, at, e)
				pending = append(pending, e)
			} else {
				seq := at - kv.Seq(len(pending)) + 1
				v.commit(seq, pending[0])
				commitTo(committed, seq, pending[0])
				pending = pending[1:]
			}
			compareView(t, seed, &v, newest, committed)
		}
	}
}

func randomEntry(r *rand.Rand) wire.ChainEntry {
	f := wire.ChainEntryFields{Op: wire.OpPut, Client: 1, Effect: wire.Effect(r.IntN(3))}
	if f.Effect != wire.EffectNone {
		f.Key = fmt.Appendf(nil, "k%d", r.IntN(6))
	}
	return wire.AppendChainEntry(nil, f)
}

func applyToTwin(v *view, newest map[string]string, seq kv.Seq, e wire.ChainEntry) {
	if s := v.add(seq, e.Key()); s != nil {
		before, had := newest[string(e.Key())]
		s.known, s.had, s.before = true, had, append(s.before, before...)
	}
	commitTo(newest, seq, e)
}

// commitTo executes an entry on a plain map, values as they are stored.
func commitTo(m map[string]string, seq kv.Seq, e wire.ChainEntry) {
	switch e.Effect() {
	case wire.EffectPut:
		m[string(e.Key())] = string(appendRecord(nil, kv.Version(seq), e.Value()))
	case wire.EffectDelete:
		delete(m, string(e.Key()))
	}
}

func compareView(t *testing.T, seed uint64, v *view, newest, committed map[string]string) {
	t.Helper()
	for n := range 6 {
		key := fmt.Sprintf("k%d", n)
		got, had := newest[key]
		if s := v.find([]byte(key)); s != nil {
			got, had = string(s.before), s.had
			if !s.known {
				t.Fatalf("seed %d: %s is unknown", seed, key)
			}
		}
		want, wantHad := committed[key]
		if had != wantHad || had && got != want {
			t.Fatalf("seed %d: %s reads %q %v, want %q %v", seed, key, got, had, want, wantHad)
		}
	}
	seen := maps.Clone(newest)
	shadows, _ := v.between([]byte("k1"), []byte("k5"))
	for _, s := range shadows {
		delete(seen, string(s.key))
		if s.had {
			seen[string(s.key)] = string(s.before)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(committed)) {
		if key >= "k1" && key < "k5" && seen[key] != committed[key] {
			t.Fatalf("seed %d: scan reads %s as %q, want %q", seed, key, seen[key], committed[key])
		}
	}
}

// TestViewShowsNothingOlderThanWhatMayBeAcknowledged: of three updates of a record, the first two
// come from before a restart. The state after the first must not be shown, because a client may
// have been told of the second.
func TestViewShowsNothingOlderThanWhatMayBeAcknowledged(t *testing.T) {
	var v view
	put := func(value string) wire.ChainEntry {
		return wire.AppendChainEntry(nil, wire.ChainEntryFields{
			Op: wire.OpPut, Client: 1, Effect: wire.EffectPut, Key: []byte("k"), Value: []byte(value),
		})
	}
	v.addDoubtful(5, []byte("k"))
	v.addDoubtful(6, []byte("k"))
	v.add(7, []byte("k"))
	for seq := kv.Seq(5); seq <= 6; seq++ {
		if s := v.find([]byte("k")); s == nil || s.known {
			t.Fatalf("the state before %d is shown: %+v", seq, s)
		}
		if _, known := v.between(nil, nil); known {
			t.Fatalf("a scan shows the state before %d", seq)
		}
		v.commit(seq, put(fmt.Sprint(seq)))
	}
	if s := v.find([]byte("k")); s == nil || !s.known || string(s.before[versionSize:]) != "6" {
		t.Fatalf("before 7 the record is as 6 left it, got %+v", s)
	}
	v.commit(7, put("7"))
	if s := v.find([]byte("k")); s != nil {
		t.Fatalf("%+v shadows a record that is committed", s)
	}
}
