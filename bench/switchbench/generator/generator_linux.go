package generator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/turbokv/turbokv/bench/switchbench/scenario"
)

// Generator sends over one interface and looks at another. It is for one thread, which must stay in
// the interfaces' network namespace while it opens them.
type Generator struct {
	sender  *sender
	counter *counter
	in      string
	count   uint32 // stamps given
}

// Open opens the interfaces; frames go out through one and come back through the other.
func Open(out, in string) (*Generator, error) {
	s, err := openSender(out)
	if err != nil {
		return nil, err
	}
	c, err := openCounter(in)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return &Generator{sender: s, counter: c, in: in}, nil
}

// Close closes what Open opened.
func (g *Generator) Close() error { return errors.Join(g.sender.close(), g.counter.close()) }

// Load takes the frames to send. The generator writes its stamps into them.
func (g *Generator) Load(frames [][]byte) {
	for _, f := range frames {
		scenario.SetStamp(f, 0, 0)
	}
	g.sender.load(frames)
}

// now returns the monotonic clock in nanoseconds.
func now() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // fails for unknown clocks only
	return t.Nano()
}

// Offer sends frames at a rate a second, or as fast as it can at rate 0, for a time.
func (g *Generator) Offer(rate float64, d time.Duration) (t Trial, err error) {
	before, err := g.counter.received()
	if err != nil {
		return t, err
	}
	begin := now()
	pace := pace{rate: rate, begin: begin}
	for at := begin; at-begin < int64(d); at = now() {
		n := pace.due(at)
		if n == 0 {
			continue
		}
		if n, err = g.sender.send(n); err != nil {
			return t, err
		}
		pace.sent += float64(n)
		t.Sent += uint64(n)
	}
	t.Elapsed = time.Duration(now() - begin)
	during, err := g.counter.received()
	if err != nil {
		return t, err
	}
	after, err := g.settle(during)
	t.During, t.Received = during-before, after-before
	return t, err
}

// Times of settling.
const (
	quiet    = 20 * time.Millisecond  // without a frame: nothing more will come
	patience = 500 * time.Millisecond // for a single frame
	forever  = 2 * time.Second        // a switch that still sends then has more than queues
)

// settle waits until no more frames come back and returns their count.
func (g *Generator) settle(last uint64) (uint64, error) {
	begin := now()
	for changed := begin; now()-changed < int64(quiet) && now()-begin < int64(forever); {
		time.Sleep(time.Millisecond)
		n, err := g.counter.received()
		if err != nil {
			return 0, err
		}
		if n != last {
			last, changed = n, now()
		}
	}
	return last, nil
}

// Time sends at a rate for a time and measures how long frames take until they come back.
func (g *Generator) Time(rate float64, d time.Duration) (l Latency, err error) {
	var times []int64
	begin := now()
	err = g.exchange(rate, d, &l, func(frame []byte) {
		if _, sent, ok := scenario.Stamp(frame); ok && sent >= begin {
			times = append(times, now()-sent)
		}
	})
	l.Received = uint64(len(times))
	if len(times) > 0 {
		slices.Sort(times)
		l.P50 = time.Duration(times[len(times)/2])
		l.P99 = time.Duration(times[len(times)*99/100])
	}
	return l, err
}

// exchange sends stamped frames, and has f look at those that come back, also for some time after
// the last was sent.
func (g *Generator) exchange(rate float64, d time.Duration, l *Latency, f func([]byte)) (err error) {
	ring, err := openRing(g.in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ring.close()) }()
	begin := now()
	pace := pace{rate: rate, begin: begin}
	for at := begin; at-begin < int64(d+quiet); at = now() {
		ring.poll(f)
		n := pace.due(at)
		if n == 0 || at-begin >= int64(d) {
			continue
		}
		if n, err = g.stamped(n, at); err != nil {
			return err
		}
		pace.sent += float64(n)
		l.Sent += uint64(n)
	}
	return nil
}

// stamped sends up to n frames with stamps.
func (g *Generator) stamped(n int, at int64) (int, error) {
	n = min(n, batch)
	for i := range n {
		scenario.SetStamp(g.sender.frame(i), g.count+uint32(i), at)
	}
	n, err := g.sender.send(n)
	g.count += uint32(n)
	return n, err
}

// Check sends every frame once, a few at a time, and tells when one does not come back, or not at its
// size.
func (g *Generator) Check() (err error) {
	ring, err := openRing(g.in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ring.close()) }()
	const few = 16
	size, sent, back, wrong := len(g.sender.frames[0]), 0, 0, 0
	for sent < len(g.sender.frames) && sent == back {
		n, err := g.stamped(few, now())
		if err != nil {
			return err
		}
		sent += n
		for begin := now(); back < sent && now()-begin < int64(patience); {
			ring.poll(func(frame []byte) {
				if _, _, ok := scenario.Stamp(frame); ok && len(frame) == size {
					back++
				} else {
					wrong++
				}
			})
		}
	}
	if wrong > 0 || back < sent {
		return fmt.Errorf("of %d frames %d came back, and %d others", sent, back, wrong)
	}
	return nil
}
