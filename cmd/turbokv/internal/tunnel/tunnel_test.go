package tunnel

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/transport"
)

// A Link is both.
var (
	_ port.Port      = (*Link)(nil)
	_ transport.Link = (*Link)(nil)
)

// free returns two addresses that nobody uses now.
func free(t testing.TB) (a, b netip.AddrPort) {
	t.Helper()
	var out [2]netip.AddrPort
	for i := range out {
		c, err := transport.ListenUDP(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		out[i] = c.LocalAddr()
	}
	return out[0], out[1]
}

func pair(t testing.TB) (a, b *Link) {
	t.Helper()
	x, y := free(t)
	a, err := Open(x, y)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if b, err = Open(y, x); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return a, b
}

func buffers() [][]byte {
	bufs := make([][]byte, 64)
	for i := range bufs {
		bufs[i] = make([]byte, 0, port.MaxFrame)
	}
	return bufs
}

// read collects n frames.
func read(t testing.TB, l interface{ ReadBatch([][]byte) (int, error) }, n int) (out [][]byte) {
	t.Helper()
	bufs := buffers()
	for len(out) < n {
		got, err := l.ReadBatch(bufs)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range bufs[:got] {
			out = append(out, bytes.Clone(f))
		}
	}
	return out
}

func frames(r *rand.Rand, n int, size func() int) (out [][]byte) {
	for i := range n {
		f := bytes.Repeat([]byte{byte(i)}, size())
		out = append(out, f)
		for k := range min(len(f), 8) {
			f[k] = byte(r.Uint32())
		}
	}
	return out
}

// same compares frames, which may have got padding of zeros.
func same(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i := range want {
		rest, ok := bytes.CutPrefix(got[i], want[i])
		if !ok || len(bytes.Trim(rest, "\x00")) > 0 {
			t.Fatalf("frame %d: %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
}

func TestFramesOfAnySizesArrive(t *testing.T) {
	a, b := pair(t)
	r := rand.New(rand.NewPCG(1, 1))
	for name, size := range map[string]func() int{
		"equal":   func() int { return 1250 },
		"two":     func() int { return []int{236, 1250}[r.IntN(2)] },
		"any":     func() int { return 1 + r.IntN(port.MaxFrame) },
		"largest": func() int { return port.MaxFrame },
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 {
				want := frames(r, 1+r.IntN(64), size)
				n, err := a.WriteBatch(want)
				if n != len(want) || err != nil {
					t.Fatalf("%d of %d frames sent, %v", n, len(want), err)
				}
				same(t, read(t, b, n), want)
			}
		})
	}
}

// Either end may be a plain tunnel.
func TestPlainTunnelsUnderstand(t *testing.T) {
	x, y := free(t)
	ours, err := Open(x, y)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	plain, err := transport.DialTunnel(y, x)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	want := frames(rand.New(rand.NewPCG(2, 2)), 30, func() int { return 500 })
	if n, err := ours.WriteBatch(want); n != len(want) || err != nil {
		t.Fatal(n, err)
	}
	same(t, read(t, plain, len(want)), want)
	if n, err := plain.WriteBatch(want); n != len(want) || err != nil {
		t.Fatal(n, err)
	}
	same(t, read(t, ours, len(want)), want)
}

func TestAnAbsentPeerIsNoError(t *testing.T) {
	x, y := free(t)
	a, err := Open(x, y)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	want := frames(rand.New(rand.NewPCG(3, 3)), 10, func() int { return 100 })
	for range 3 { // the kernel reports an absent peer with the calls after the first
		if _, err := a.WriteBatch(want); err != nil {
			t.Fatal(err)
		}
	}
	b, err := Open(y, x)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if n, err := b.WriteBatch(want); n != len(want) || err != nil {
		t.Fatal(n, err)
	}
	same(t, read(t, a, len(want)), want)
}

func TestCloseUnblocksTheReader(t *testing.T) {
	a, _ := pair(t)
	result := make(chan error)
	go func() {
		_, err := a.ReadBatch(buffers())
		result <- err
	}()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadBatch: %v", err)
	}
	if _, err := a.WriteBatch(frames(rand.New(rand.NewPCG(4, 4)), 1, func() int { return 9 })); err == nil {
		t.Error("WriteBatch after Close succeeded")
	}
}

func TestRuns(t *testing.T) {
	for _, c := range []struct {
		sizes []int
		want  int
	}{
		{[]int{5}, 1}, {[]int{5, 5, 5}, 3}, {[]int{5, 5, 3, 5}, 3}, {[]int{5, 6}, 1},
		{[]int{5, 5, 0}, 2}, {[]int{40000, 40000}, 1},
	} {
		if got := run(sized(c.sizes...)); got != c.want {
			t.Errorf("sizes %v: a run of %d, want %d", c.sizes, got, c.want)
		}
	}
	if got := run(make100(20)); got != maxSegments {
		t.Errorf("a run of %d, want %d", got, maxSegments)
	}
}

func sized(sizes ...int) (out [][]byte) {
	for _, n := range sizes {
		out = append(out, make([]byte, n))
	}
	return out
}

func TestPaddingMustPay(t *testing.T) {
	var mixed, large []int
	for range 16 {
		mixed = append(mixed, 1250, 236)
		large = append(large, 30000, 20000)
	}
	for _, c := range []struct {
		sizes []int
		want  int
	}{
		{mixed, 1250},               // 16 runs become one
		{[]int{1250, 236, 1250}, 0}, // two runs: not worth it
		{[]int{236, 236, 236, 236}, 0},
		{large, 0}, // would not become fewer
		{[]int{0, 0, 0}, 0},
	} {
		if got := padding(sized(c.sizes...)); got != c.want {
			t.Errorf("%v: padded to %d, want %d", c.sizes, got, c.want)
		}
	}
}

func make100(size int) (out [][]byte) {
	for range 100 {
		out = append(out, make([]byte, size))
	}
	return out
}

func TestNothingIsAllocatedPerFrame(t *testing.T) {
	a, b := pair(t)
	want := frames(rand.New(rand.NewPCG(5, 5)), 32, func() int { return 1000 })
	bufs := buffers()
	move := func() {
		if n, err := a.WriteBatch(want); n != len(want) || err != nil {
			t.Fatal(n, err)
		}
		for got := 0; got < len(want); {
			n, err := b.ReadBatch(bufs)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	move()
	if allocs := testing.AllocsPerRun(100, move); allocs > 1 {
		t.Errorf("%.1f allocations for 32 frames", allocs)
	}
}

func BenchmarkTunnel(b *testing.B) {
	for _, sizes := range [][]int{{236}, {1250}, {236, 1250}} {
		b.Run(fmt.Sprint(sizes), func(b *testing.B) {
			x, y := pair(b)
			r := rand.New(rand.NewPCG(6, 6))
			want := frames(r, 32, func() int { return sizes[r.IntN(len(sizes))] })
			bufs := buffers()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.WriteBatch(want); err != nil {
					b.Fatal(err)
				}
				for got := 0; got < len(want); {
					n, err := y.ReadBatch(bufs)
					if err != nil {
						b.Fatal(err)
					}
					got += n
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(want)), "ns/frame")
		})
	}
}
