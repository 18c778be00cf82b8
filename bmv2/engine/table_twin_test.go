package engine

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// prefix is an entry of the slow twin of the trie: a list that is searched from end to end.
type prefix struct {
	key  []byte
	bits int
	e    *Entry
}

func (p prefix) covers(key []byte) bool {
	for i := range p.bits {
		if (p.key[i/8]^key[i/8])>>(7-i%8)&1 == 1 {
			return false
		}
	}
	return true
}

func longest(list []prefix, key []byte) (best *Entry) {
	bits := -1
	for _, p := range list {
		if p.bits > bits && p.covers(key) {
			best, bits = p.e, p.bits
		}
	}
	return best
}

// randomKey draws from few byte values, so that prefixes nest and share beginnings.
func randomKey(r *rand.Rand, n int) []byte {
	key := make([]byte, n)
	for i := range key {
		key[i] = []byte{0, 0, 0, 1, 0x80, 0xff, byte(r.Uint32())}[r.IntN(7)]
	}
	return key
}

func cut(key []byte, bits int) []byte {
	out := bytes.Clone(key)
	for i := bits; i < 8*len(out); i++ {
		out[i/8] &^= 0x80 >> (i % 8)
	}
	return out
}

// entry makes what a trie needs of an entry.
func (p prefix) entry() *Entry { return &Entry{key: p.key, prefix: p.bits} }

func TestTrieAgreesWithList(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		size := []int{1, 2, 4, 18}[r.IntN(4)]
		table := &Table{spec: &tableSpec{form: formLPM}}
		var list []prefix
		check := func(table *Table, list []prefix) {
			for range 20 {
				key := randomKey(r, size)
				if len(list) > 0 && r.IntN(2) == 0 { // near a known prefix
					copy(key, list[r.IntN(len(list))].key[:1+r.IntN(size)])
				}
				if got, want := table.root.find(key), longest(list, key); got != want {
					t.Fatalf("seed %d, key %x: got %p, want %p", seed, key, got, want)
				}
			}
		}
		for range 60 {
			before, listBefore := table, slices.Clone(list)
			ed := table.Edit()
			for range 1 + r.IntN(8) {
				if len(list) > 0 && r.IntN(3) == 0 {
					i := r.IntN(len(list))
					ed.Without(list[i].entry())
					list = append(list[:i:i], list[i+1:]...)
					continue
				}
				bits := r.IntN(8*size + 1)
				p := prefix{key: cut(randomKey(r, size), bits), bits: bits}
				p.e = p.entry()
				ed.With(p.e)
				list = append(without(list, p), p)
			}
			table = ed.Done()
			check(table, list)
			check(before, listBefore)
		}
		for _, p := range list {
			table = table.Without(p.e)
		}
		if table.root != nil {
			t.Fatalf("seed %d: the trie of no prefixes is not empty", seed)
		}
	}
}

func without(list []prefix, p prefix) (out []prefix) {
	for _, o := range list {
		if o.bits != p.bits || !bytes.Equal(o.key, p.key) {
			out = append(out, o)
		}
	}
	return out
}

func TestHashTableAgreesWithMap(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		spec := &tableSpec{form: []form{formPacked, formBytes}[seed%2]}
		entry := func(k uint64) *Entry {
			if spec.form == formPacked {
				return &Entry{word: k}
			}
			// collisions of the hash
			return &Entry{word: k % 7, key: binary.BigEndian.AppendUint64(nil, k)}
		}
		check := func(table *Table, k uint64, want *Entry) {
			t.Helper()
			e := entry(k)
			got := findKey(table.exact, e.word, e.key)
			if spec.form == formPacked {
				got = findWord(table.exact, k)
			}
			if got != want {
				t.Fatalf("seed %d, key %d: got %p, want %p", seed, k, got, want)
			}
		}
		table := &Table{spec: spec, exact: newPaged[Entry](nil, 1)}
		want := map[uint64]*Entry{}
		for range 300 {
			before, wantBefore := table, maps.Clone(want)
			ed := table.Edit()
			for range 1 + r.IntN(20) {
				k := uint64(r.IntN(600))
				e := entry(k)
				if r.IntN(3) == 0 {
					ed.Without(e)
					delete(want, k)
				} else {
					ed.With(e)
					want[k] = e
				}
			}
			table = ed.Done()
			if table.exact.live != len(want) {
				t.Fatalf("seed %d: %d live entries, want %d", seed, table.exact.live, len(want))
			}
			for range 20 {
				k := uint64(r.IntN(600))
				check(table, k, want[k])
				check(before, k, wantBefore[k])
			}
		}
		for k, e := range want {
			check(table, k, e)
			table = table.Without(e)
		}
		if n := len(table.exact.pages); n != 1 {
			t.Errorf("seed %d: %d pages for no entries", seed, n)
		}
	}
}

func TestBitsAtAnyPosition(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 20000 {
		b := make([]byte, 40)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		before := bytes.Clone(b)
		bit, width := r.IntN(150), 1+r.IntN(64)
		v := r.Uint64()
		storeBits(b, bit, width, v)
		if got := loadBits(b, bit, width); got != v&mask(width) {
			t.Fatalf("%d bits at %d: stored %x, loaded %x", width, bit, v&mask(width), got)
		}
		for i := range 8 * len(b) {
			inside := i >= bit && i < bit+width
			if !inside && (b[i/8]^before[i/8])>>(7-i%8)&1 == 1 {
				t.Fatalf("%d bits at %d: bit %d has changed", width, bit, i)
			}
		}
	}
}

func TestHashesKnownValues(t *testing.T) {
	check := []byte("123456789") // the customary check string of CRC catalogues
	for _, c := range []struct {
		algo  string
		input []byte
		want  uint64
	}{
		{"crc16", check, 0xbb3d},
		{"crcCCITT", check, 0x29b1},
		{"crc32", check, 0xcbf43926},
		{"csum16", []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}, 0x220d}, // RFC 1071
		{"csum16", []byte{0x12}, 0xedff},
		{"csum16", nil, 0xffff},
		{"identity", []byte{1, 2, 3}, 0x010203},
		{"xxh64", check, 0x8cb841db40e6ae83},
		{"xxh64", nil, 0xef46db3751d8e999},
		{"hash_ex", []byte{0xf1, 2}, 0x6b894028},
		{"xor16", []byte{0x12, 0x34, 0xff}, 0xed34},
		{"xor32", []byte{0x12, 0x34, 0x56, 0x78, 0xff}, 0xed345678},
	} {
		if got := hashes[c.algo](c.input); got != c.want {
			t.Errorf("%s(%x) = %#x, want %#x", c.algo, c.input, got, c.want)
		}
	}
}
