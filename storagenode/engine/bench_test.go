package engine_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode/engine"
)

// Sizes of the benchmarks' data: YCSB's records with the rows that a replica writes beside them.
const (
	benchRecords = 50_000
	benchValue   = 100
	benchTrim    = 64 // log rows that are deleted together
)

// chainWriter makes the batches that a replica makes of updates: record, dedup row, log row and
// meta row, and now and then the deletion of log rows that every member has.
type chainWriter struct {
	batch serverlib.Batch
	seq   uint64
	value []byte
	key   []byte
	row   []byte
}

func newChainWriter() *chainWriter {
	return &chainWriter{value: make([]byte, 8+benchValue)}
}

func recordKey(dst []byte, n uint64) []byte {
	return fmt.Appendf(append(dst[:0], "d\x00\x01"...), "user%019d", n*0x9E3779B97F4A7C15>>1)
}

// rowKey returns kind, sub-range 7 and a number: the form of a replica's own rows.
func rowKey(dst []byte, kind byte, n uint64) []byte {
	dst = append(dst[:0], kind, 0, 0, 0, 7)
	return binary.BigEndian.AppendUint64(dst, n)
}

func (w *chainWriter) next(record uint64) *serverlib.Batch {
	w.seq++
	w.batch.Reset()
	w.key = recordKey(w.key, record)
	w.batch.Put(w.key, w.value)
	w.row = rowKey(w.row, 'q', w.seq%256)
	w.batch.Put(w.row, w.value[:24])
	w.row = rowKey(w.row, 'l', w.seq)
	w.batch.Put(w.row, w.value)
	w.row = rowKey(w.row, 'm', 0)
	w.batch.Put(w.row, w.value[:16])
	if w.seq%benchTrim == 0 && w.seq > 2*benchTrim {
		upTo := w.seq - benchTrim
		w.batch.DeleteRange(rowKey(nil, 'l', upTo-benchTrim), rowKey(nil, 'l', upTo))
	}
	return &w.batch
}

func openLoaded(b *testing.B, kind engine.Kind) (serverlib.Engine, *chainWriter) {
	e, err := engine.Open(kind, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	})
	w := newChainWriter()
	for i := range uint64(benchRecords) {
		if err := e.Apply(w.next(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Sync(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	return e, w
}

func eachKind(b *testing.B, f func(b *testing.B, kind engine.Kind)) {
	for _, kind := range engine.Kinds() {
		b.Run(string(kind), func(b *testing.B) { f(b, kind) })
	}
}

// BenchmarkApply is the cost of an update without the disk.
func BenchmarkApply(b *testing.B) {
	eachKind(b, func(b *testing.B, kind engine.Kind) {
		e, w := openLoaded(b, kind)
		rng := rand.New(rand.NewPCG(1, 2))
		for b.Loop() {
			if err := e.Apply(w.next(rng.Uint64N(benchRecords))); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkGroupCommit is the cost of an update when so many of them share an fsync.
func BenchmarkGroupCommit(b *testing.B) {
	for _, group := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("group=%d", group), func(b *testing.B) {
			eachKind(b, func(b *testing.B, kind engine.Kind) { groupCommit(b, kind, group) })
		})
	}
}

func groupCommit(b *testing.B, kind engine.Kind, group int) {
	e, w := openLoaded(b, kind)
	rng := rand.New(rand.NewPCG(1, 2))
	n := 0
	for b.Loop() {
		if err := e.Apply(w.next(rng.Uint64N(benchRecords))); err != nil {
			b.Fatal(err)
		}
		if n++; n%group == 0 {
			if err := e.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkGet reads random records, most of which were written out.
func BenchmarkGet(b *testing.B) {
	eachKind(b, func(b *testing.B, kind engine.Kind) {
		e, _ := openLoaded(b, kind)
		rng := rand.New(rand.NewPCG(1, 2))
		var key, value []byte
		for b.Loop() {
			key = recordKey(key, rng.Uint64N(benchRecords))
			var ok bool
			if value, ok, _ = e.Get(key, value[:0]); !ok {
				b.Fatalf("%q is gone", key)
			}
		}
	})
}

// BenchmarkGetWhileWriting reads a record after every update, as the head of a chain does.
func BenchmarkGetWhileWriting(b *testing.B) {
	eachKind(b, func(b *testing.B, kind engine.Kind) {
		e, w := openLoaded(b, kind)
		rng := rand.New(rand.NewPCG(1, 2))
		var key, value []byte
		for b.Loop() {
			if err := e.Apply(w.next(rng.Uint64N(benchRecords))); err != nil {
				b.Fatal(err)
			}
			key = recordKey(key, rng.Uint64N(benchRecords))
			var ok bool
			if value, ok, _ = e.Get(key, value[:0]); !ok {
				b.Fatalf("%q is gone", key)
			}
		}
	})
}

// BenchmarkScan50 reads fifty records from a random place on.
func BenchmarkScan50(b *testing.B) {
	eachKind(b, func(b *testing.B, kind engine.Kind) {
		e, _ := openLoaded(b, kind)
		rng := rand.New(rand.NewPCG(1, 2))
		var key []byte
		for b.Loop() {
			key, n := recordKey(key, rng.Uint64N(benchRecords)), 0
			err := e.Scan(key, []byte("e"), func(_, _ []byte) bool { n++; return n < 50 })
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
