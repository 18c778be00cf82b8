package cached

import (
	"fmt"
	"testing"

	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/serverlib/enginetest"
)

// sizes are caches that rotate with every record, and never.
var sizes = []int64{0, 64 << 20}

func TestConformance(t *testing.T) {
	for _, bytes := range sizes {
		t.Run(fmt.Sprint("bytes=", bytes), func(t *testing.T) {
			enginetest.Run(t, func(*testing.T) enginetest.Store {
				disk := enginetest.NewMem()
				return enginetest.Store{
					Engine: New(disk, bytes),
					Reopen: func(*testing.T) serverlib.Engine { return New(disk, bytes) },
					Crash: func(*testing.T) serverlib.Engine {
						disk.Crash(0)
						return New(disk, bytes)
					},
				}
			})
		})
	}
}

// TestReadsAgreeWithTheEngine reads records again and again while they change, so that what is read
// comes from either generation, and from below.
func TestReadsAgreeWithTheEngine(t *testing.T) {
	for _, bytes := range sizes {
		disk := enginetest.NewMem()
		e := New(disk, bytes)
		var b serverlib.Batch
		for i := range 1500 {
			b.Reset()
			key := fmt.Appendf(nil, "k%02d", i*7%50)
			switch i % 5 {
			case 0:
				b.Delete(key)
			case 1:
				b.DeleteRange(key, fmt.Appendf(nil, "k%02d", i*7%50+3))
			default:
				b.Put(key, make([]byte, i%3000))
			}
			if err := e.Apply(&b); err != nil {
				t.Fatal(err)
			}
			read := fmt.Appendf(nil, "k%02d", i*11%50)
			got, ok, err := e.Get(read, []byte("x"))
			want, wantOK, _ := disk.Get(read, []byte("x"))
			if string(got) != string(want) || ok != wantOK || err != nil {
				t.Fatalf("cache of %d bytes, step %d, %s: %d bytes, %v, %v; want %d bytes, %v",
					bytes, i, read, len(got), ok, err, len(want), wantOK)
			}
		}
	}
}

func TestRecordsInUseStayAndMemoryIsBounded(t *testing.T) {
	const limit = 8 << 20
	disk := enginetest.NewMem()
	e := New(disk, limit)
	var b serverlib.Batch
	key := func(i int) []byte { return fmt.Appendf(nil, "%05d", i) }
	for i := range 100 {
		b.Put(key(i), make([]byte, 300_000))
	}
	if err := e.Apply(&b); err != nil {
		t.Fatal(err)
	}
	read := func(i int) {
		if _, ok, err := e.Get(key(i), nil); !ok || err != nil {
			t.Fatalf("record %d: %v, %v", i, ok, err)
		}
	}
	read(0)
	for i := range 100 {
		before := e.Stats().Hits
		read(0)
		if e.Stats().Hits == before {
			t.Fatalf("the record in use was forgotten at step %d", i)
		}
		read(i)
		if got := e.young.Bytes() + e.old.Bytes(); got > limit+4<<20 {
			t.Fatalf("cache takes %d bytes, limit is %d", got, limit)
		}
	}
	if s := e.Stats(); s.Misses < 90 {
		t.Errorf("%+v: 30 MB of records cannot be in a cache of 8", s)
	}
}
