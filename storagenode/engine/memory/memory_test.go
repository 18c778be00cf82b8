package memory

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/serverlib"
)

func apply(t testing.TB, e *Engine, fill func(b *serverlib.Batch)) {
	t.Helper()
	var b serverlib.Batch
	fill(&b)
	if err := e.Apply(&b); err != nil {
		t.Fatal(err)
	}
}

func TestSizeClassesAreUniqueAndWasteLittle(t *testing.T) {
	seen := map[int]int{}
	for n := 1; n <= largeUnits*unitSize; n++ {
		u := units(n)
		if u*unitSize < n {
			t.Fatalf("%d bytes got %d units of %d", n, u, unitSize)
		}
		if waste := u*unitSize - n; waste >= unitSize && waste*8 > n+8*unitSize {
			t.Fatalf("%d bytes got %d units: %d bytes wasted", n, u, waste)
		}
		c := class(u)
		if other, ok := seen[c]; ok && other != u {
			t.Fatalf("class %d holds blocks of %d and of %d units", c, other, u)
		}
		seen[c] = u
		if c >= classes {
			t.Fatalf("class %d of %d units: there are %d", c, u, classes)
		}
	}
}

// TestTableAgainstMap removes as often as it inserts, with hashes that collide all the time.
func TestTableAgainstMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s, table, twin := newSlabs(), newTable(), map[string]ref{}
	hash := func(n uint64) uint32 { return uint32(n%37) * 0x1_0001 }
	for range 20_000 {
		n := rng.Uint64N(500)
		key := binary.BigEndian.AppendUint64(nil, n)
		at := table.find(hash(n), key, &s)
		want, ok := twin[string(key)]
		if ok != (at >= 0) || ok && table.ref(at) != want {
			t.Fatalf("key %d: slot %d, want %v in %v", n, at, want, ok)
		}
		if ok {
			table.remove(at)
			delete(twin, string(key))
			continue
		}
		r, err := s.alloc(recordUnits(key, nil))
		if err != nil {
			t.Fatal(err)
		}
		s.store(r, key, nil)
		table.insert(hash(n), r)
		twin[string(key)] = r
	}
	if table.used != len(twin) {
		t.Errorf("%d slots used, want %d", table.used, len(twin))
	}
}

func TestBlocksAreReused(t *testing.T) {
	e := New()
	for i := range 100_000 {
		size := 1 + i%3*700 // changes class each time
		apply(t, e, func(b *serverlib.Batch) { b.Put([]byte("key"), make([]byte, size)) })
	}
	for range 10 {
		apply(t, e, func(b *serverlib.Batch) { b.Put([]byte("large"), make([]byte, 3<<20)) })
		apply(t, e, func(b *serverlib.Batch) { b.Delete([]byte("large")) })
	}
	if n := len(e.slabs.slab); n > 2 {
		t.Errorf("%d slabs for one record and one large block", n)
	}
}

func TestEngineThatIsFullStaysFailed(t *testing.T) {
	e := New()
	// Pretend that all slab numbers are taken; filling 64 GiB is no test.
	e.slabs.slab = append(e.slabs.slab, make([][]byte, maxSlabs-2)...)
	var b serverlib.Batch
	b.Put([]byte("a"), make([]byte, slabSize))
	if err := e.Apply(&b); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want %v", err, ErrFull)
	}
	b.Reset()
	b.Put([]byte("b"), nil)
	if err := e.Apply(&b); !errors.Is(err, ErrFull) {
		t.Errorf("next batch: got %v, want %v", err, ErrFull)
	}
}

func TestKeysThatShareTheTreesPrefix(t *testing.T) {
	e := New()
	var want []string
	for _, suffix := range []string{"", "\x00", "\x00\x00", "a", "ab", "b"} {
		want = append(want, "123456789012"+suffix)
	}
	want = append([]string{"1", "1\x00", "12345678", "123456780", "12345678901"}, want...)
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(want)) {
		apply(t, e, func(b *serverlib.Batch) { b.Put([]byte(want[i]), []byte(want[i])) })
	}
	i := 0
	err := e.Scan(nil, nil, func(key, value []byte) bool {
		if i == len(want) || string(key) != want[i] || !bytes.Equal(key, value) {
			t.Errorf("record %d: got %q -> %q of %q", i, key, value, want)
			return false
		}
		i++
		return true
	})
	if err != nil || i != len(want) {
		t.Errorf("%d records, %v; want %d", i, err, len(want))
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	e := New()
	var keys [][]byte
	for i := range 1000 {
		keys = append(keys, fmt.Appendf(nil, "key%d", i))
		apply(t, e, func(b *serverlib.Batch) { b.Put(keys[i], make([]byte, 100)) })
	}
	var b serverlib.Batch
	value, dst, i := make([]byte, 100), make([]byte, 0, 200), 0
	allocs := testing.AllocsPerRun(1000, func() {
		i = (i + 1) % len(keys)
		b.Reset()
		b.Put(keys[i], value)
		if e.Apply(&b) != nil {
			t.Error("apply failed")
		}
		dst, _, _ = e.Get(keys[i], dst[:0])
	})
	if allocs != 0 {
		t.Errorf("%v allocations per update and read", allocs)
	}
}
