package main

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/turbokv/turbokv/bmv2/port"
)

const (
	frameSize = 128
	stampAt   = frameSize - 8 // nanoseconds since the start
	burst     = 16            // frames sent at a time
	maxBurst  = 512           // frames sent without a pause, when the sender was late
	spacing   = 100 * time.Microsecond
)

// traffic is a load of packets through the switch, all the time.
type traffic struct {
	in, out *port.Mem // our ends of the cables
	rate    int       // packets a second
	start   time.Time
	clock   func() time.Duration // of the latencies
	sent    atomic.Uint64
	record  atomic.Pointer[phase]
	done    atomic.Bool
	group   sync.WaitGroup
}

// phase is what happens to packets for a while.
type phase struct {
	latencies []time.Duration // of the packets that arrived; written by the receiver only
}

// startTraffic begins to send.
func startTraffic(in, out *port.Mem, rate int, clock clock) *traffic {
	t := &traffic{in: in, out: out, rate: rate, start: time.Now(), clock: processorTime}
	if clock == wallClock {
		t.clock = func() time.Duration { return time.Since(t.start) }
	}
	t.group.Go(t.send)
	t.group.Go(t.receive)
	return t
}

// stop ends the traffic; the cables must be closed.
func (t *traffic) stop() {
	t.done.Store(true)
	t.out.Close()
	t.in.Close()
	t.group.Wait()
}

// frames are datagrams between addresses and ports that rules may be about.
func frames() (out [][]byte) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 4096 {
		f := make([]byte, frameSize)
		binary.BigEndian.PutUint64(f, r.Uint64())
		f[12], f[13], f[14], f[22], f[23] = 8, 0, 0x45, 64, 17
		binary.BigEndian.PutUint32(f[26:], uint32(site(r, 100_000)))
		binary.BigEndian.PutUint32(f[30:], uint32(site(r, 100_000)))
		binary.BigEndian.PutUint32(f[34:], r.Uint32())
		out = append(out, f)
	}
	return out
}

func (t *traffic) send() {
	all := frames()
	next := 0
	for !t.done.Load() {
		due := uint64(time.Since(t.start).Seconds() * float64(t.rate))
		// What could not be sent in time is not sent later, all at once.
		for n := min(due-min(due, t.sent.Load()), maxBurst); n > 0; {
			k := min(n, burst)
			if next+burst > len(all) {
				next = 0
			}
			group := all[next : next+int(k)]
			now := uint64(t.clock())
			for _, f := range group {
				binary.BigEndian.PutUint64(f[stampAt:], now)
			}
			if _, err := t.in.WriteBatch(group); err != nil {
				return
			}
			next, n = next+int(k), n-k
			t.sent.Add(k)
		}
		if behind := due - min(due, t.sent.Load()); behind > 0 {
			t.sent.Add(behind)
		}
		time.Sleep(spacing)
	}
}

func (t *traffic) receive() {
	bufs := make([][]byte, 64)
	for i := range bufs {
		bufs[i] = make([]byte, port.MaxFrame)
	}
	for {
		n, err := t.out.ReadBatch(bufs)
		if err != nil {
			return
		}
		now := t.clock()
		p := t.record.Load()
		if p == nil {
			continue
		}
		for _, f := range bufs[:n] {
			if len(p.latencies) < cap(p.latencies) {
				p.latencies = append(p.latencies,
					now-time.Duration(binary.BigEndian.Uint64(f[stampAt:])))
			}
		}
	}
}

// observe records packets while fn runs.
func (t *traffic) observe(fn func() error) (*outcome, error) {
	const seconds = 60
	p := &phase{latencies: make([]time.Duration, 0, seconds*t.rate)}
	t.record.Store(p)
	began, used := time.Now(), processorTime()
	err := fn()
	took := time.Since(began)
	used = processorTime() - used
	t.record.Store(nil)
	time.Sleep(10 * time.Millisecond) // the receiver has let go of the phase
	slices.Sort(p.latencies)
	return &outcome{took, used, p.latencies}, err
}

// outcome is what was observed.
type outcome struct {
	took      time.Duration
	used      time.Duration   // of the processors, by all of this process
	latencies []time.Duration // ascending
}

// processorTime returns how long the threads of this process have had a processor.
func processorTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// clock is what latencies are measured by.
type clock string

const (
	wallClock clock = "wall"
	// processorClock stands still while the process has no processor, so other work on the machine does
	// not lengthen what it measures; with two processors at work it runs twice as fast.
	processorClock clock = "processor"
)

func (o *outcome) rate() float64 { return float64(len(o.latencies)) / o.took.Seconds() }

func (o *outcome) quantile(q float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	return o.latencies[min(int(q*float64(len(o.latencies))), len(o.latencies)-1)].Round(time.Microsecond)
}
