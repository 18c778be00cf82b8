// Package enginetest holds what every storage engine must do, as a test suite that the engines run
// against themselves, and Mem, an engine over a simulated disk that loses what was not synced.
//
// An engine's test calls Run with a function that opens a fresh store:
//
//	func TestConformance(t *testing.T) {
//		enginetest.Run(t, func(t *testing.T) enginetest.Store { ... })
//	}
package enginetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/serverlib"
)

// Store is one fresh, empty store under test.
type Store struct {
	Engine serverlib.Engine
	// Reopen closes the engine in an orderly way and opens it again. Nil for an engine that is
	// not Persistent.
	Reopen func(t *testing.T) serverlib.Engine
	// Crash loses power: it abandons the engine and opens it again from what had reached stable
	// storage, and perhaps more. Nil if the test cannot do that.
	Crash func(t *testing.T) serverlib.Engine
}

// Run runs the suite; open is called once per test and registers its own clean-up.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Store)
	}{
		{"GetAppendsToDst", getAppends},
		{"BatchAppliesInOrder", batchOrder},
		{"BatchMayBeEmpty", emptyBatch},
		{"CallerKeepsItsSlices", callerKeepsSlices},
		{"ScanIsOrderedAndBounded", scanBounds},
		{"ScanStops", scanStops},
		{"DeleteRangeIsHalfOpen", deleteRange},
		{"RandomOperationsMatchTwin", matchesTwin},
		{"ReopenKeepsEverything", reopenKeeps},
		{"CrashKeepsWhatWasSynced", crashKeepsSynced},
		{"CrashKeepsAPrefixOfBatches", crashKeepsPrefix},
		{"CrashIsAtomicPerBatch", crashIsAtomic},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// apply fills a batch and applies it.
func apply(t *testing.T, e serverlib.Engine, fill func(b *serverlib.Batch)) {
	t.Helper()
	var b serverlib.Batch
	fill(&b)
	if err := e.Apply(&b); err != nil {
		t.Fatalf("apply: %v", err)
	}
}

func put(t *testing.T, e serverlib.Engine, key, value string) {
	t.Helper()
	apply(t, e, func(b *serverlib.Batch) { b.Put([]byte(key), []byte(value)) })
}

func sync(t *testing.T, e serverlib.Engine) {
	t.Helper()
	if err := e.Sync(); err != nil {
		t.Fatalf("sync: %v", err)
	}
}

// dump lists the pairs of start <= key < end as "key=value ".
func dump(t *testing.T, e serverlib.Engine, start, end string) string {
	t.Helper()
	var out bytes.Buffer
	err := e.Scan([]byte(start), []byte(end), func(k, v []byte) bool {
		fmt.Fprintf(&out, "%s=%s ", k, v)
		return true
	})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	return out.String()
}

func expect(t *testing.T, e serverlib.Engine, want string) {
	t.Helper()
	if got := dump(t, e, "", ""); got != want {
		t.Fatalf("store holds %q, want %q", got, want)
	}
}

func getAppends(t *testing.T, s Store) {
	put(t, s.Engine, "k", "value")
	put(t, s.Engine, "empty", "")
	for _, c := range []struct {
		key, want string
		ok        bool
	}{
		{"k", "dstvalue", true}, {"empty", "dst", true}, {"absent", "dst", false}, {"kk", "dst", false},
	} {
		got, ok, err := s.Engine.Get([]byte(c.key), []byte("dst"))
		if string(got) != c.want || ok != c.ok || err != nil {
			t.Errorf("get %s: %q %v %v, want %q %v", c.key, got, ok, err, c.want, c.ok)
		}
	}
}

func batchOrder(t *testing.T, s Store) {
	apply(t, s.Engine, func(b *serverlib.Batch) {
		b.Put([]byte("a"), []byte("1"))
		b.Put([]byte("a"), []byte("2"))
		b.Put([]byte("b"), []byte("1"))
		b.Delete([]byte("b"))
		b.Put([]byte("c"), []byte("1"))
		b.DeleteRange([]byte("c"), []byte("d"))
		b.Put([]byte("c"), []byte("2"))
		b.Delete([]byte("absent"))
	})
	expect(t, s.Engine, "a=2 c=2 ")
}

func emptyBatch(t *testing.T, s Store) {
	apply(t, s.Engine, func(*serverlib.Batch) {})
	expect(t, s.Engine, "")
}

func callerKeepsSlices(t *testing.T, s Store) {
	var b serverlib.Batch
	key, value := []byte("key1"), []byte("value1")
	for range 2 {
		b.Reset()
		b.Put(key, value)
		if err := s.Engine.Apply(&b); err != nil {
			t.Fatal(err)
		}
		copy(key, "key2")
		copy(value, "value2")
	}
	clear(key)
	clear(value)
	expect(t, s.Engine, "key1=value1 key2=value2 ")
}

func scanBounds(t *testing.T, s Store) {
	for _, k := range []string{"b", "a", "a\x00", "ab", "c", "\xff", "\xff\xff"} {
		put(t, s.Engine, k, "")
	}
	for _, c := range []struct{ start, end, want string }{
		{"", "", "a= a\x00= ab= b= c= \xff= \xff\xff= "},
		{"a", "b", "a= a\x00= ab= "},
		{"a\x00", "ab", "a\x00= "},
		{"aa", "aaz", ""},
		{"b", "b", ""},
		{"c", "a", ""},
		{"bb", "", "c= \xff= \xff\xff= "},
		{"\xff\xff\xff", "", ""},
	} {
		if got := dump(t, s.Engine, c.start, c.end); got != c.want {
			t.Errorf("scan %q to %q: %q, want %q", c.start, c.end, got, c.want)
		}
	}
}

func scanStops(t *testing.T, s Store) {
	for _, k := range []string{"a", "b", "c"} {
		put(t, s.Engine, k, "")
	}
	seen := 0
	err := s.Engine.Scan(nil, nil, func(_, _ []byte) bool { seen++; return seen < 2 })
	if seen != 2 || err != nil {
		t.Fatalf("yield was called %d times after it asked to stop at 2: %v", seen, err)
	}
}

func deleteRange(t *testing.T, s Store) {
	for _, k := range []string{"a", "b", "ba", "c", "d"} {
		put(t, s.Engine, k, "1")
	}
	apply(t, s.Engine, func(b *serverlib.Batch) { b.DeleteRange([]byte("b"), []byte("c")) })
	expect(t, s.Engine, "a=1 c=1 d=1 ")
	apply(t, s.Engine, func(b *serverlib.Batch) { b.DeleteRange([]byte("d"), []byte("a")) })
	expect(t, s.Engine, "a=1 c=1 d=1 ")
	put(t, s.Engine, "b", "2")
	expect(t, s.Engine, "a=1 b=2 c=1 d=1 ")
}

// randomBatch draws operations over few keys, so that they meet.
func randomBatch(r *rand.Rand, b *serverlib.Batch) {
	key := func() []byte { return fmt.Appendf(nil, "k%02d", r.IntN(60)) }
	for range r.IntN(12) {
		switch n := r.IntN(20); {
		case n < 13:
			b.Put(key(), bytes.Repeat([]byte{byte('a' + r.IntN(26))}, r.IntN(40)))
		case n < 18:
			b.Delete(key())
		default:
			start := r.IntN(60)
			b.DeleteRange(fmt.Appendf(nil, "k%02d", start), fmt.Appendf(nil, "k%02d", start+r.IntN(6)))
		}
	}
}

func matchesTwin(t *testing.T, s Store) {
	r := rand.New(rand.NewPCG(1, 1))
	twin := NewMem()
	var b serverlib.Batch
	for i := range 600 {
		b.Reset()
		randomBatch(r, &b)
		for _, e := range []serverlib.Engine{s.Engine, twin} {
			if err := e.Apply(&b); err != nil {
				t.Fatal(err)
			}
		}
		if i%20 == 0 {
			start := fmt.Sprintf("k%02d", r.IntN(60))
			if got, want := dump(t, s.Engine, start, ""), dump(t, twin, start, ""); got != want {
				t.Fatalf("after batch %d, from %s: %q, want %q", i, start, got, want)
			}
		}
		key := fmt.Appendf(nil, "k%02d", r.IntN(60))
		got, ok, err := s.Engine.Get(key, nil)
		want, wantOK, _ := twin.Get(key, nil)
		if !bytes.Equal(got, want) || ok != wantOK || err != nil {
			t.Fatalf("after batch %d: get %s: %q %v %v, want %q %v", i, key, got, ok, err, want, wantOK)
		}
	}
}

func reopenKeeps(t *testing.T, s Store) {
	if s.Reopen == nil {
		t.Skip("not persistent")
	}
	put(t, s.Engine, "a", "1")
	sync(t, s.Engine)
	put(t, s.Engine, "b", "2")
	s.Engine = s.Reopen(t)
	expect(t, s.Engine, "a=1 b=2 ")
}

func crashKeepsSynced(t *testing.T, s Store) {
	if s.Crash == nil {
		t.Skip("cannot crash")
	}
	for i := range 50 {
		put(t, s.Engine, fmt.Sprintf("k%02d", i), "1")
	}
	apply(t, s.Engine, func(b *serverlib.Batch) { b.DeleteRange([]byte("k10"), []byte("k20")) })
	sync(t, s.Engine)
	want := dump(t, s.Engine, "", "")
	put(t, s.Engine, "z", "1")
	s.Engine = s.Crash(t)
	if got := dump(t, s.Engine, "", "z"); got != want {
		t.Fatalf("after the crash %q, want %q", got, want)
	}
}

// crashKeepsPrefix applies batches that each write a counter to many keys; what comes back must be
// the state after some batch.
func crashKeepsPrefix(t *testing.T, s Store) {
	if s.Crash == nil {
		t.Skip("cannot crash")
	}
	state := NewMem()
	valid := map[string]int{}
	r := rand.New(rand.NewPCG(2, 2))
	const synced, batches = 25, 60
	var b serverlib.Batch
	for i := range batches {
		b.Reset()
		randomBatch(r, &b)
		b.Put([]byte("n"), fmt.Appendf(nil, "%d", i))
		for _, e := range []serverlib.Engine{s.Engine, state} {
			if err := e.Apply(&b); err != nil {
				t.Fatal(err)
			}
		}
		if i == synced {
			sync(t, s.Engine)
		}
		valid[dump(t, state, "", "")] = i
	}
	s.Engine = s.Crash(t)
	got := dump(t, s.Engine, "", "")
	if n, ok := valid[got]; !ok || n < synced {
		t.Fatalf("after the crash the store is as after batch %d (known: %v), want %d or later: %q",
			n, ok, synced, got)
	}
}

func crashIsAtomic(t *testing.T, s Store) {
	if s.Crash == nil {
		t.Skip("cannot crash")
	}
	big := bytes.Repeat([]byte("x"), 1000)
	for round := range 8 {
		apply(t, s.Engine, func(b *serverlib.Batch) {
			for k := range 30 {
				b.Put(fmt.Appendf(nil, "k%02d", k), append(fmt.Appendf(nil, "%d", round), big...))
			}
		})
	}
	s.Engine = s.Crash(t)
	seen := map[byte]int{}
	err := s.Engine.Scan(nil, nil, func(_, v []byte) bool { seen[v[0]]++; return true })
	if err != nil || len(seen) > 1 {
		t.Fatalf("records of several batches after the crash: %v %v", seen, err)
	}
	for round, n := range seen {
		if n != 30 {
			t.Fatalf("%d of the 30 records of batch %c", n, round)
		}
	}
}
