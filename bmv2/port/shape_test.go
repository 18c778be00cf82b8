package port

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turbokv/turbokv/bmv2/link"
)

// arrival is a frame that came out of a link.
type arrival struct {
	at    time.Duration
	frame []byte
}

// listen reads a port until it is closed and returns what came, and when.
func listen(p Port, begin time.Time) (wait func() []arrival) {
	var all []arrival
	done := make(chan struct{})
	go func() {
		defer close(done)
		bufs := buffers(8)
		for {
			n, err := p.ReadBatch(bufs)
			if err != nil {
				return
			}
			for _, f := range bufs[:n] {
				all = append(all, arrival{time.Since(begin), bytes.Clone(f)})
			}
		}
	}()
	return func() []arrival {
		<-done
		return all
	}
}

// scenario is what a test sends over a link.
type scenario struct {
	spec  link.Spec
	sends []arrival // frames with the time at which they are sent
}

func draw(r *rand.Rand) (s scenario) {
	s.spec = link.Spec{
		Delay: time.Duration(r.IntN(3)) * 5 * time.Millisecond,
		Loss:  []float64{0, 0.3}[r.IntN(2)],
		Rate:  []uint64{0, 1e6, 2e7, 1e9}[r.IntN(4)],
		Queue: 1 + r.IntN(30),
	}
	if s.spec.Instant() {
		s.spec.Delay = time.Microsecond
	}
	now := time.Duration(0)
	for i := range 400 {
		if r.IntN(4) == 0 {
			now += time.Duration(r.IntN(4)) * time.Millisecond / 2
		}
		f := bytes.Repeat([]byte{byte(i)}, 4+r.IntN(1500))
		binary.BigEndian.PutUint32(f, uint32(i))
		s.sends = append(s.sends, arrival{now, f})
	}
	return s
}

// expected is what a wire makes of it.
func (s scenario) expected(chance func() float64) (out []arrival, lost, dropped uint64) {
	w := link.NewWire(s.spec, chance)
	for _, x := range s.sends {
		switch at, fate := w.Send(x.at, len(x.frame)); fate {
		case link.Arrives:
			out = append(out, arrival{at, x.frame})
		case link.Lost:
			lost++
		case link.Dropped:
			dropped++
		}
	}
	return out, lost, dropped
}

// play writes the frames at their times, those of one time as one batch, and overwrites its buffers
// afterwards, as callers may.
func (s scenario) play(t *testing.T, p Port, begin time.Time) (taken uint64) {
	for rest := s.sends; len(rest) > 0; {
		n := 0
		var batch [][]byte
		for n < len(rest) && rest[n].at == rest[0].at {
			batch = append(batch, bytes.Clone(rest[n].frame))
			n++
		}
		time.Sleep(time.Until(begin.Add(rest[0].at)))
		k, err := p.WriteBatch(batch)
		if err != nil {
			t.Fatal(err)
		}
		taken += uint64(k)
		for _, f := range batch {
			clear(f)
		}
		rest = rest[n:]
	}
	return taken
}

// check compares arrivals: the same frames in the same order, none early, none late by more than a
// nap.
func check(t *testing.T, seed uint64, s scenario, got, want []arrival) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("seed %d, %v: %d frames arrived, want %d", seed, s.spec, len(got), len(want))
	}
	for i := range want {
		late := got[i].at - want[i].at
		if !bytes.Equal(got[i].frame, want[i].frame) || late < 0 || late > nap {
			t.Fatalf("seed %d, %v: frame %d: %d bytes %.8x, late by %v, want %d bytes %.8x", seed, s.spec, i,
				len(got[i].frame), got[i].frame, late, len(want[i].frame), want[i].frame)
		}
	}
}

const seeds = 60

func TestShapedPortSendsAsItsWireSays(t *testing.T) {
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) {
			chance := func() func() float64 { return rand.New(rand.NewPCG(seed, 2)).Float64 }
			s := draw(rand.New(rand.NewPCG(seed, 1)))
			want, lost, dropped := s.expected(chance())
			below, far := NewPair(1024)
			p := shape(below, s.spec, chance(), newTimerAlarm)
			begin := time.Now()
			arrivals := listen(far, begin)
			taken := s.play(t, p, begin)
			time.Sleep(time.Hour)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			far.Close()
			check(t, seed, s, arrivals(), want)
			c := p.Link()
			if c != (LinkCounters{TxLost: lost, TxDropped: dropped}) ||
				taken != uint64(len(s.sends))-dropped || p.Counters().TxDrops != dropped {
				t.Errorf("seed %d: %d taken, %+v, want %d lost and %d dropped", seed, taken, c, lost, dropped)
			}
		})
	}
}

func TestShapedPortReceivesAsItsWireSays(t *testing.T) {
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) {
			s := draw(rand.New(rand.NewPCG(seed, 1)))
			s.spec.Both = true
			want, lost, dropped := s.expected(rand.New(rand.NewPCG(seed, 2)).Float64)
			below, far := NewPair(1024)
			p := shape(below, s.spec, rand.New(rand.NewPCG(seed, 2)).Float64, newTimerAlarm)
			begin := time.Now()
			arrivals := listen(p, begin)
			s.play(t, far, begin)
			time.Sleep(time.Hour)
			c := p.Link()
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			check(t, seed, s, arrivals(), want)
			if c != (LinkCounters{RxLost: lost, RxDropped: dropped}) || p.Counters().RxDrops != dropped {
				t.Errorf("seed %d: %+v, want %d lost and %d dropped", seed, c, lost, dropped)
			}
		})
	}
}

// TestLinkThatOnlyLosesWaitsForNobody checks the frames and, for reading, that no buffer gets lost.
func TestLinkThatOnlyLosesWaitsForNobody(t *testing.T) {
	below, far := NewPair(64)
	draws := 0
	everyThird := func() float64 {
		draws++
		return float64(draws % 3)
	}
	p := shape(below, link.Spec{Loss: 0.5, Both: true}, everyThird, newTimerAlarm)
	defer p.Close()
	bufs := buffers(8)
	owned := map[*byte]bool{}
	for i := range bufs {
		owned[&bufs[i][0]] = true
	}
	for round, ends := range [][2]Port{{p, far}, {far, p}} {
		for range 3 {
			if n, err := ends[0].WriteBatch(numbered(6, 60)); n != 6 || err != nil {
				t.Fatalf("WriteBatch = %d, %v", n, err)
			}
			n, err := ends[1].ReadBatch(bufs)
			if err != nil || n != 4 {
				t.Fatalf("round %d: %d frames, %v, want 4", round, n, err)
			}
			for i, id := range []uint32{0, 1, 3, 4} {
				if got := binary.BigEndian.Uint32(bufs[i]); got != id {
					t.Errorf("round %d: frame %d is number %d, want %d", round, i, got, id)
				}
			}
		}
	}
	for i := range bufs {
		delete(owned, &bufs[i][:1][0])
	}
	if len(owned) > 0 {
		t.Errorf("%d of the reader's buffers are gone", len(owned))
	}
	if c := p.Link(); c.TxLost != 6 || c.RxLost != 6 {
		t.Errorf("counters %+v, want 6 lost each way", c)
	}
}

func TestShapedPortHoldsBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below, _ := NewPair(1)
		p := shape(below, link.Spec{Delay: time.Second}, nil, newTimerAlarm)
		taken := 0
		for range maxHeld/64 + 10 {
			n, err := p.WriteBatch(numbered(64, 60))
			if err != nil {
				t.Fatal(err)
			}
			taken += n
		}
		if taken != maxHeld {
			t.Errorf("took %d frames, want %d", taken, maxHeld)
		}
		time.Sleep(2 * time.Second) // all but one find no room in the port below
		if c := p.Link(); c.TxDropped != 640 || c.TxRefused != maxHeld-1 {
			t.Errorf("counters %+v", c)
		}
		if n, _ := p.WriteBatch(numbered(64, 60)); n != 64 {
			t.Errorf("room for %d frames after the others arrived", n)
		}
		p.Close()
	})
}

func TestShapedPortPassesErrorsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := shape(broken{}, link.Spec{Delay: time.Second, Both: true}, nil, newTimerAlarm)
		if _, err := p.ReadBatch(buffers(1)); !errors.Is(err, errGone) {
			t.Errorf("ReadBatch: %v", err)
		}
		p.Close()
		p.Close()
		if n, err := p.WriteBatch(numbered(1, 60)); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteBatch after Close: %d, %v", n, err)
		}
	})
}

// broken is a port whose interface is gone.
type broken struct{}

var errGone = errors.New("gone")

func (broken) ReadBatch([][]byte) (int, error)    { return 0, errGone }
func (broken) WriteBatch(f [][]byte) (int, error) { return len(f), nil }
func (broken) Close() error                       { return nil }

func TestCloseUnblocksReaderOfShapedPort(t *testing.T) {
	for _, newAlarm := range []func() alarm{newTimerAlarm, newAlarm} {
		below, far := NewPair(4)
		p := shape(below, link.Spec{Delay: time.Hour, Both: true}, nil, newAlarm)
		result := make(chan error)
		go func() {
			_, err := p.ReadBatch(buffers(1))
			result <- err
		}()
		p.WriteBatch(numbered(1, 60))
		far.WriteBatch(numbered(1, 60))
		p.Close()
		if err := <-result; !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReadBatch after Close: %v", err)
		}
	}
}

func TestPerfectLinkIsThePortItself(t *testing.T) {
	below, _ := NewPair(1)
	if p := Shape(below, link.Spec{Queue: 7}); p != Port(below) {
		t.Errorf("a perfect link became %T", p)
	}
}

// TestShapedPortAllocatesNothing goes through the real clock.
func TestShapedPortAllocatesNothing(t *testing.T) {
	below, far := NewPair(64)
	p := Shape(below, link.Spec{Delay: time.Microsecond, Rate: 1e10, Both: true})
	defer p.Close()
	frames, bufs := numbered(8, 200), buffers(8)
	allocs := testing.AllocsPerRun(50, func() {
		p.WriteBatch(frames)
		readAll(t, far, bufs, 8)
		far.WriteBatch(frames)
		readAll(t, p, bufs, 8)
	})
	if allocs >= 1 {
		t.Errorf("%v allocations for each batch", allocs)
	}
}

func readAll(t testing.TB, p Port, bufs [][]byte, want int) {
	for got := 0; got < want; {
		n, err := p.ReadBatch(bufs)
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
}

// BenchmarkShaped is one frame over a link that delays by 100 us and sends at 10 Gbit/s.
func BenchmarkShaped(b *testing.B) {
	below, far := NewPair(4096)
	p := Shape(below, link.Spec{Delay: 100 * time.Microsecond, Rate: 1e10})
	defer p.Close()
	frames, bufs := numbered(64, 200), buffers(64)
	b.ReportAllocs()
	for i := 0; i < b.N; i += 64 {
		p.WriteBatch(frames)
		readAll(b, far, bufs, 64)
	}
}
