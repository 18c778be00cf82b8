package workload

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/wire"
)

func newSource(t testing.TB, mix string, records uint64, thread int) (*YCSB, *Population) {
	t.Helper()
	m, err := ParseMix(mix)
	if err != nil {
		t.Fatal(err)
	}
	p := NewPopulation(records)
	y, err := NewYCSB(Config{Mix: m, Seed: 9}, p, thread)
	if err != nil {
		t.Fatal(err)
	}
	return y, p
}

func TestMixesHaveTheSharesOfYCSB(t *testing.T) {
	const draws = 100_000
	for _, name := range strings.Split("A B C D E F", " ") {
		y, _ := newSource(t, name, 1000, 0)
		var counts [OpKinds]int
		var op Op
		for range draws {
			y.Next(&op)
			counts[op.Kind]++
			y.Done(&op)
		}
		for k, want := range y.mix.Share {
			got := float64(counts[k]) / draws
			deviation := math.Sqrt(want * (1 - want) / draws)
			if math.Abs(got-want) > 5*deviation {
				t.Errorf("%s: %v has share %.4f, want %.2f", name, OpKind(k), got, want)
			}
		}
	}
}

func TestScansAreUniformUpToTheMaximum(t *testing.T) {
	y, _ := newSource(t, "E", 1000, 0)
	var op Op
	sum, scans, most := 0, 0, 0
	for range 50_000 {
		if y.Next(&op); op.Kind == Scan {
			sum, scans, most = sum+op.Limit, scans+1, max(most, op.Limit)
		}
		y.Done(&op)
	}
	if mean := float64(sum) / float64(scans); math.Abs(mean-50.5) > 1 || most != 100 {
		t.Errorf("scan lengths: mean %.2f, most %d; want 50.5 and 100", mean, most)
	}
}

func TestSameSeedSameOperations(t *testing.T) {
	a, _ := newSource(t, "A", 1000, 3)
	b, _ := newSource(t, "A", 1000, 3)
	other, _ := newSource(t, "A", 1000, 4)
	same := 0
	for range 1000 {
		var x, y, z Op
		a.Next(&x)
		b.Next(&y)
		other.Next(&z)
		if x.Kind != y.Kind || !bytes.Equal(x.Key, y.Key) {
			t.Fatal("two sources of one seed and thread differ")
		}
		if bytes.Equal(x.Key, z.Key) {
			same++
		}
	}
	if same > 200 {
		t.Errorf("threads 3 and 4 drew the same key %d times of 1000", same)
	}
}

func TestReadersDrawOnlyFinishedInserts(t *testing.T) {
	p := NewPopulation(10)
	first, second, third := p.insert(), p.insert(), p.insert()
	if first != 10 || second != 11 || third != 12 {
		t.Fatalf("inserts got %d %d %d", first, second, third)
	}
	for _, step := range []struct {
		finish Record
		size   uint64
	}{{third, 10}, {first, 11}, {second, 13}} {
		p.finish(step.finish)
		if got := p.Size(); got != step.size {
			t.Errorf("after %d finished: size %d, want %d", step.finish, got, step.size)
		}
	}
}

func TestKeysAreDistinctAndSpread(t *testing.T) {
	s, err := Records{KeySize: 12}.Validate()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var quarter [4]int
	for n := range Record(10_000) {
		key := s.Key(nil, n)
		if len(key) != 12 || seen[string(key)] {
			t.Fatalf("key %q of record %d: wrong length or not distinct", key, n)
		}
		seen[string(key)] = true
		quarter[key[0]>>6]++
	}
	for i, n := range quarter {
		if n < 2300 || n > 2700 {
			t.Errorf("quarter %d of the line holds %d of 10,000 keys", i, n)
		}
	}
}

func TestValuesDependOnEverything(t *testing.T) {
	s := Records{Seed: 1}
	base := s.Value(nil, 5, 7, 100)
	for name, other := range map[string][]byte{
		"record":  s.Value(nil, 6, 7, 100),
		"version": s.Value(nil, 5, 8, 100),
		"seed":    Records{Seed: 2}.Value(nil, 5, 7, 100),
	} {
		if bytes.Equal(base, other) {
			t.Errorf("another %s gives the same value", name)
		}
	}
	for size := range 40 {
		if got := s.Value([]byte("x"), 5, 7, size); len(got) != size+1 || got[0] != 'x' {
			t.Errorf("size %d: got %d bytes behind the prefix", size, len(got)-1)
		}
	}
}

func TestRecordsMustFitOnePacket(t *testing.T) {
	for _, s := range []Records{
		{KeySize: 7}, {KeySize: wire.MaxKeySize + 1}, {ValueSize: -1},
		{KeySize: 24, ValueSize: wire.MaxRecordSize - 23},
	} {
		if _, err := s.Validate(); err == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
	if _, err := (Records{KeySize: 24, ValueSize: wire.MaxRecordSize - 24}).Validate(); err != nil {
		t.Error(err)
	}
}

func BenchmarkNext(b *testing.B) {
	y, _ := newSource(b, "A", 1_000_000, 0)
	var op Op
	b.ReportAllocs()
	for b.Loop() {
		y.Next(&op)
		y.Done(&op)
	}
}

func BenchmarkValue(b *testing.B) {
	s := Records{}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = s.Value(buf[:0], 1, 2, DefaultValueSize)
	}
}
