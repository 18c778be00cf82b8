package engine

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

var sizes = []int{10, 100, 1000, 10_000, 100_000}

func fill5(table *Table, rules []*slowRule) *Table {
	ed := table.Edit()
	for _, x := range rules {
		ed.With(x.e)
	}
	return ed.Done()
}

func entriesOf(rules []*slowRule) (out []*Entry) {
	for _, x := range rules {
		out = append(out, x.e)
	}
	return out
}

// scanned is the list that ternary tables used to be: tried from the best entry on.
func scanned(list []*Entry, key []byte) *Entry {
	for _, e := range list {
		if e.matches(key) {
			return e
		}
	}
	return nil
}

// BenchmarkClassify looks rules of a firewall up, and, for comparison, scans them.
func BenchmarkClassify(b *testing.B) {
	for _, kind := range classKinds {
		for _, n := range sizes {
			s := fiveTuple()
			r := rand.New(rand.NewPCG(1, uint64(n)))
			rules := kind.rules(r, s, n)
			packets := keys(r, s, rules, 1<<14)
			b.Run(fmt.Sprintf("%s/%d", kind.name, n), func(b *testing.B) {
				table := fill5(&Table{spec: s}, rules)
				b.ReportAllocs()
				i, hits := 0, 0
				for b.Loop() {
					if table.rules.find(packets[i&(1<<14-1)], nil) != nil {
						hits++
					}
					i++
				}
				if hits < i/2 {
					b.Fatalf("%d of %d packets met a rule", hits, i)
				}
			})
			b.Run(fmt.Sprintf("%s/%d/scan", kind.name, n), func(b *testing.B) {
				var list []*Entry
				for _, x := range sortedRules(entriesOf(rules)) {
					list = append(list, x.e)
				}
				i := 0
				for b.Loop() {
					scanned(list, packets[i&(1<<14-1)])
					i++
				}
			})
		}
	}
}

// BenchmarkEdit replaces, in batches of 1,000, entries of a table of the given size by others.
func BenchmarkEdit(b *testing.B) {
	for _, kind := range classKinds {
		for _, n := range sizes[2:] {
			b.Run(fmt.Sprintf("%s/%d", kind.name, n), func(b *testing.B) {
				s := fiveTuple()
				rules := kind.rules(rand.New(rand.NewPCG(1, uint64(n))), s, 2*n)
				table := fill5(&Table{spec: s}, rules[:n])
				churn(b, table, n, func(i int) *Entry { return rules[i%(2*n)].e })
			})
		}
	}
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("exact/%d", n), func(b *testing.B) {
			table := &Table{spec: &tableSpec{form: formPacked}, exact: newPaged[Entry](nil, 1)}
			entries := make([]*Entry, 2*n)
			for i := range entries {
				entries[i] = &Entry{word: uint64(i) * 0x9e3779b97f4a7c15}
			}
			churn(b, filled(table, entries[:n]), n, func(i int) *Entry { return entries[i%(2*n)] })
		})
	}
	for _, n := range []int{10_000, 500_000} {
		b.Run(fmt.Sprintf("ipv4/%d", n), func(b *testing.B) {
			entries := routes(rand.New(rand.NewPCG(1, 1)), ipv4Lengths, 4, 2*n)
			churn(b, filled(lpmTable(), entries[:n]), n, func(i int) *Entry {
				return entries[i%(2*n)]
			})
		})
	}
}

func filled(table *Table, entries []*Entry) *Table {
	ed := table.Edit()
	for _, e := range entries {
		ed.With(e)
	}
	return ed.Done()
}

// churn keeps a window of n of the entries in the table.
func churn(b *testing.B, table *Table, n int, entry func(int) *Entry) {
	const batch = 500
	b.ReportAllocs()
	at := 0
	for b.Loop() {
		ed := table.Edit()
		for range batch {
			ed.Without(entry(at))
			ed.With(entry(at + n))
			at++
		}
		table = ed.Done()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*at), "ns/update")
}

// ipv4Lengths and ipv6Lengths are how many of 1,000 prefixes of the Internet's routing table have
// which length, roughly as the CIDR Report and potaroo.net count them.
var (
	ipv4Lengths = map[int]int{8: 1, 12: 2, 13: 2, 14: 3, 15: 5, 16: 14, 17: 9, 18: 15, 19: 28, 20: 47,
		21: 53, 22: 115, 23: 103, 24: 599, 32: 4}
	ipv6Lengths = map[int]int{20: 1, 28: 3, 29: 23, 30: 5, 31: 2, 32: 130, 33: 15, 34: 20, 36: 35, 40: 75,
		42: 20, 44: 75, 46: 30, 47: 16, 48: 550}
)

func lpmTable() *Table { return &Table{spec: &tableSpec{form: formLPM}} }

// routes draws n distinct prefixes of addresses of size bytes, which cluster as allocations do.
func routes(r *rand.Rand, lengths map[int]int, size, n int) []*Entry {
	var pool []int
	for _, bits := range slices.Sorted(mapKeys(lengths)) {
		pool = append(pool, slices.Repeat([]int{bits}, lengths[bits])...)
	}
	seen := map[string]bool{}
	var out []*Entry
	for len(out) < n {
		bits := pool[r.IntN(len(pool))]
		key := binary.BigEndian.AppendUint64(nil, r.Uint64())
		key = binary.BigEndian.AppendUint64(key, r.Uint64())[:size]
		if size == 16 {
			key[0], key[1] = 0x20|key[0]&0xf, key[1]&0x3f
		} else {
			key[0] = 1 + key[0]%223
		}
		key = cut(key, bits)
		id := string(append(key[:size:size], byte(bits)))
		if len(out) == n || seen[id] && r.IntN(100) > 0 {
			continue
		}
		if !seen[id] {
			seen[id] = true
			out = append(out, &Entry{key: key, prefix: bits})
		}
	}
	return out
}

func mapKeys(m map[int]int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// BenchmarkLongestPrefix looks up addresses in tables like those of a backbone router.
func BenchmarkLongestPrefix(b *testing.B) {
	for _, c := range []struct {
		name    string
		lengths map[int]int
		size, n int
	}{
		{"ipv4/10000", ipv4Lengths, 4, 10_000}, {"ipv4/500000", ipv4Lengths, 4, 500_000},
		{"ipv6/10000", ipv6Lengths, 16, 10_000}, {"ipv6/100000", ipv6Lengths, 16, 100_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			entries := routes(r, c.lengths, c.size, c.n)
			table := filled(lpmTable(), entries)
			var packets [1 << 14][]byte
			for i := range packets {
				packets[i] = slices.Clone(entries[r.IntN(c.n)].key)
				packets[i][c.size-1] |= byte(r.Uint32())
			}
			b.ReportAllocs()
			i, hits := 0, 0
			for b.Loop() {
				if table.root.find(packets[i&(1<<14-1)]) != nil {
					hits++
				}
				i++
			}
			if hits < i/10*9 { // hosts have been changed, too
				b.Fatalf("%d of %d addresses have a route", hits, i)
			}
		})
	}
}

// BenchmarkWorstRules looks up entries that nothing tells apart: what is left is the scan.
func BenchmarkWorstRules(b *testing.B) {
	s := &tableSpec{form: formTernary, lpm: -1,
		parts: []keyPart{{kind: bmv2.MatchRange, width: 32, size: 4}}}
	s.place()
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ed := (&Table{spec: s}).Edit()
			for i := range uint32(n) {
				e := new(Entry)
				s.setKey(e, EntrySpec{Priority: int32(i + 1), Match: []Match{{
					Value: binary.BigEndian.AppendUint32(nil, 1<<31-1-i),
					High:  binary.BigEndian.AppendUint32(nil, 1<<31+i)}}})
				ed.With(e)
			}
			table := ed.Done()
			r := rand.New(rand.NewPCG(1, 1))
			key := make([]byte, 16)
			for b.Loop() {
				be.PutUint32(key, 1<<31+uint32(r.IntN(2*n)))
				table.rules.find(key, nil)
			}
		})
	}
}
