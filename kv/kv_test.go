package kv

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// randomKey draws keys whose bits cluster at both ends, where carries and masks go wrong.
func randomKey(r *rand.Rand) (k IndexKey) {
	binary.BigEndian.PutUint64(k[:], r.Uint64()>>r.IntN(64)<<r.IntN(64))
	binary.BigEndian.PutUint64(k[8:], r.Uint64()>>r.IntN(64)<<r.IntN(64))
	return k
}

func TestCoverIsExactAndMinimal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		i := Interval{randomKey(r), randomKey(r)}
		if i.Last.Less(i.First) {
			i.First, i.Last = i.Last, i.First
		}
		cover := i.Cover()
		at := i.First
		for n, p := range cover {
			if p.Interval().First != at || p.Key != at {
				t.Fatalf("%v: prefix %d %v does not start at %v", i, n, p, at)
			}
			if n > 0 && siblings(cover[n-1], p) {
				t.Fatalf("%v: %v and %v could be one entry", i, cover[n-1], p)
			}
			at, _ = p.Interval().Last.Next()
		}
		if last := cover[len(cover)-1].Interval().Last; last != i.Last {
			t.Fatalf("%v: cover ends at %v", i, last)
		}
		if len(cover) > 254 {
			t.Fatalf("%v: %d prefixes", i, len(cover))
		}
	}
}

// siblings reports whether two neighbouring prefixes are the halves of a shorter one.
func siblings(a, b Prefix) bool {
	if a.Len != b.Len || a.Len == 0 {
		return false
	}
	parent := Prefix{a.Key, a.Len - 1}
	return parent.Interval().First == a.Key && parent.Interval().Contains(b.Key)
}

func TestCoverOfWholeLineIsOneEntry(t *testing.T) {
	cover := FullInterval.Cover()
	if len(cover) != 1 || cover[0].Len != 0 {
		t.Fatalf("cover of everything = %v", cover)
	}
}

func TestNextAndPrevAreInverse(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 10000 {
		k := randomKey(r)
		if next, ok := k.Next(); ok {
			if prev, _ := next.Prev(); prev != k || !k.Less(next) {
				t.Fatalf("%v: next %v, back %v", k, next, prev)
			}
		}
	}
	if _, ok := MaxIndexKey.Next(); ok {
		t.Fatal("the end of the line has a successor")
	}
	if _, ok := MinIndexKey.Prev(); ok {
		t.Fatal("the start of the line has a predecessor")
	}
}

func TestEvenSplitCoversTheLineWithoutOverlap(t *testing.T) {
	for n := 1; n <= 300; n++ {
		parts := EvenSplit(n)
		at := MinIndexKey
		for i, p := range parts {
			if p.First != at || p.Last.Less(p.First) {
				t.Fatalf("n=%d: part %d is %v, want it to start at %v", n, i, p, at)
			}
			at, _ = p.Last.Next()
		}
		if parts[n-1].Last != MaxIndexKey {
			t.Fatalf("n=%d: ends at %v", n, parts[n-1].Last)
		}
	}
	for _, p := range EvenSplit(64) {
		if len(p.Cover()) != 1 {
			t.Fatalf("%v costs %d entries, want 1", p, len(p.Cover()))
		}
	}
}

func TestRangePartitionerKeepsOrder(t *testing.T) {
	keys := []string{"", "\x00", "a", "a\x00", "a\x00b", "aa", "b", "bbbbbbbbbbbbbbbb", "bbbbbbbbbbbbbbbbz"}
	for i := 1; i < len(keys); i++ {
		a := RangePartitioned.IndexKey([]byte(keys[i-1]))
		b := RangePartitioned.IndexKey([]byte(keys[i]))
		if b.Less(a) {
			t.Fatalf("%q -> %v above %q -> %v", keys[i-1], a, keys[i], b)
		}
	}
}

func FuzzDecodeDescriptor(f *testing.F) {
	f.Add(Descriptor{Name: "users", ID: 3, Partitioner: HashPartitioned, Durability: DurabilitySync,
		Replication: 3}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := DecodeDescriptor(b)
		if err != nil {
			return
		}
		if again, err := DecodeDescriptor(d.Encode()); err != nil || again != d {
			t.Fatalf("%+v -> %+v, %v", d, again, err)
		}
	})
}
