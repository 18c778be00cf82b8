package port

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"runtime"
	"sync"
	"testing"
)

// buffers returns n read buffers of the size that ReadBatch demands.
func buffers(n int) [][]byte {
	bufs := make([][]byte, n)
	for i := range bufs {
		bufs[i] = make([]byte, MaxFrame)
	}
	return bufs
}

// numbered returns n frames of the given size that begin with their number.
func numbered(n, size int) [][]byte {
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = bytes.Repeat([]byte{byte(i)}, size)
		binary.BigEndian.PutUint32(frames[i], uint32(i))
	}
	return frames
}

func TestMemKeepsOrderAndContent(t *testing.T) {
	a, b := NewPair(8)
	want := numbered(5, 60)
	if n, err := a.WriteBatch(want); n != 5 || err != nil {
		t.Fatalf("WriteBatch = %d, %v", n, err)
	}
	bufs := buffers(3)
	var got [][]byte
	for len(got) < 5 {
		n, err := b.ReadBatch(bufs)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range bufs[:n] {
			got = append(got, bytes.Clone(f))
		}
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("frame %d: got %x", i, got[i])
		}
	}
}

func TestMemDropsWhatDoesNotFit(t *testing.T) {
	a, b := NewPair(4)
	frames := append(numbered(6, 60), make([]byte, MaxFrame+1))
	if n, err := a.WriteBatch(frames); n != 4 || err != nil {
		t.Fatalf("WriteBatch = %d, %v, want 4 taken", n, err)
	}
	if got := a.Counters().TxDrops; got != 3 {
		t.Errorf("TxDrops = %d, want 3", got)
	}
	if n, _ := b.ReadBatch(buffers(8)); n != 4 {
		t.Errorf("ReadBatch = %d, want 4", n)
	}
	if n, _ := a.WriteBatch(frames[6:]); n != 0 {
		t.Errorf("a frame longer than MaxFrame was taken")
	}
}

func TestMemCloseUnblocksReader(t *testing.T) {
	a, b := NewPair(4)
	result := make(chan error)
	go func() {
		_, err := a.ReadBatch(buffers(1))
		result <- err
	}()
	a.Close()
	if err := <-result; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadBatch after Close: %v", err)
	}
	if _, err := a.WriteBatch(numbered(1, 60)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteBatch after Close: %v", err)
	}
	if n, err := b.WriteBatch(numbered(1, 60)); n != 0 || err != nil {
		t.Errorf("WriteBatch to a closed peer = %d, %v, want a drop", n, err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// Every frame that a writer was told is taken arrives once, in that writer's order.
func TestMemManyWriters(t *testing.T) {
	const writers, each = 4, 20_000
	a, b := NewPair(256)
	var taken [writers]uint32
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			frame := make([]byte, 60)
			frame[0] = byte(w)
			for range each {
				binary.BigEndian.PutUint32(frame[4:], taken[w])
				if n, _ := a.WriteBatch([][]byte{frame}); n == 1 {
					taken[w]++
				}
			}
		})
	}
	var seen [writers]uint32
	done := make(chan struct{})
	go func() {
		defer close(done)
		bufs := buffers(32)
		for {
			n, err := b.ReadBatch(bufs)
			if err != nil {
				return
			}
			for _, f := range bufs[:n] {
				if f[0] == 0xff {
					return
				}
				if got := binary.BigEndian.Uint32(f[4:]); got != seen[f[0]] {
					t.Errorf("writer %d: frame %d, want %d", f[0], got, seen[f[0]])
				}
				seen[f[0]]++
			}
		}
	}()
	group.Wait()
	last := bytes.Repeat([]byte{0xff}, 60)
	for n := 0; n == 0; {
		n, _ = a.WriteBatch([][]byte{last})
	}
	<-done
	if seen != taken {
		t.Errorf("arrived %v, taken %v", seen, taken)
	}
}

func TestMemAllocatesNothing(t *testing.T) {
	a, b := NewPair(64)
	frames, bufs := numbered(32, 200), buffers(32)
	allocs := testing.AllocsPerRun(100, func() {
		a.WriteBatch(frames)
		b.ReadBatch(bufs)
	})
	if allocs != 0 {
		t.Errorf("%v allocations for each batch", allocs)
	}
}

// BenchmarkMem moves batches of 32 frames of 200 bytes through a cable; one operation is one frame.
func BenchmarkMem(b *testing.B) {
	b.Run("one goroutine", func(b *testing.B) {
		left, right := NewPair(1024)
		frames, bufs := numbered(32, 200), buffers(32)
		b.ReportAllocs()
		for i := 0; i < b.N; i += 32 {
			left.WriteBatch(frames)
			right.ReadBatch(bufs)
		}
	})
	b.Run("two goroutines", func(b *testing.B) {
		left, right := NewPair(1024)
		done := make(chan struct{})
		go func() {
			defer close(done)
			bufs := buffers(32)
			for got := 0; got < b.N; {
				n, err := right.ReadBatch(bufs)
				if err != nil {
					return
				}
				got += n
			}
		}()
		frames := numbered(32, 200)
		b.ReportAllocs()
		for sent := 0; sent < b.N; {
			n, _ := left.WriteBatch(frames)
			if n < len(frames) {
				runtime.Gosched() // full: a sender that cares would wait
			}
			sent += n
		}
		<-done
	})
}
