package memory

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/serverlib"
)

func benchKey(buf []byte, i int) []byte {
	return fmt.Appendf(buf[:0], "d\x00\x01user%019d", uint64(i)*0x9E3779B97F4A7C15>>1)
}

const benchRecords = 100_000

func filled(b *testing.B, n int) (*Engine, [][]byte) {
	e := New()
	keys := make([][]byte, n)
	value := make([]byte, 108)
	var batch serverlib.Batch
	for i := range keys {
		keys[i] = benchKey(nil, i)
		batch.Reset()
		batch.Put(keys[i], value)
		if err := e.Apply(&batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	return e, keys
}

func BenchmarkGet(b *testing.B) {
	e, keys := filled(b, benchRecords)
	rng := rand.New(rand.NewPCG(1, 2))
	var dst []byte
	for b.Loop() {
		var ok bool
		dst, ok, _ = e.Get(keys[rng.IntN(len(keys))], dst[:0])
		if !ok {
			b.Fatal("record is gone")
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	e, keys := filled(b, benchRecords)
	rng := rand.New(rand.NewPCG(1, 2))
	value := make([]byte, 108)
	var batch serverlib.Batch
	for b.Loop() {
		batch.Reset()
		batch.Put(keys[rng.IntN(len(keys))], value)
		if err := e.Apply(&batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInsert(b *testing.B) {
	e, _ := filled(b, benchRecords)
	value := make([]byte, 108)
	var batch serverlib.Batch
	var key []byte
	i := 0
	for b.Loop() {
		i++
		key = benchKey(key, benchRecords+i)
		batch.Reset()
		batch.Put(key, value)
		if err := e.Apply(&batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendTrim(b *testing.B) {
	e, _ := filled(b, benchRecords)
	value := make([]byte, 108)
	var batch serverlib.Batch
	key := append([]byte("l\x00\x00\x00\x07"), make([]byte, 8)...)
	end := append([]byte(nil), key...)
	i := 0
	for b.Loop() {
		i++
		binary.BigEndian.PutUint64(key[5:], uint64(i))
		batch.Reset()
		batch.Put(key, value)
		if i%64 == 0 {
			binary.BigEndian.PutUint64(end[5:], uint64(i-64))
			batch.DeleteRange([]byte("l\x00\x00\x00\x07"), end)
		}
		if err := e.Apply(&batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan50(b *testing.B) {
	e, keys := filled(b, benchRecords)
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		n := 0
		_ = e.Scan(keys[rng.IntN(len(keys))], nil, func(k, v []byte) bool { n++; return n < 50 })
	}
}
