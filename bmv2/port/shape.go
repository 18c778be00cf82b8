package port

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turbokv/turbokv/bmv2/link"
)

// LinkCounters are the frames that a shaped port lost because its link is as it is.
type LinkCounters struct {
	TxLost, RxLost       uint64 // on the way
	TxDropped, RxDropped uint64 // the queue was full
	TxRefused            uint64 // refused by the port below after their time on the link
}

// A Linked port behaves like the end of a cable with properties.
type Linked interface {
	Link() LinkCounters
}

// A Queueing port has a queue for what it sends.
type Queueing interface {
	// Backlog returns how many frames wait, and how long it takes until all of them are gone.
	Backlog() (frames int, wait time.Duration)
}

// Shape returns a port that sends over a link of the given properties, and receives over such a link
// too if they say Both. A perfect link is no link: the port itself is returned. It owns p.
//
// WriteBatch reports the frames that found room in the queue of the link; whoever wants to know what
// became of them later finds it in [Linked].
func Shape(p Port, spec link.Spec) Port {
	if spec.Perfect() {
		return p
	}
	return shape(p, spec, rand.Float64, newAlarm)
}

// shaped is a port at the end of a link. Frames that wait are on the lines; two goroutines move them
// between the lines and the port below, where there is something to wait for.
type shaped struct {
	below   Port
	instant bool
	out     *line
	in      *line // nil: frames are received as they come
	refused atomic.Uint64
	moving  sync.WaitGroup

	writing sync.Mutex // of instant links
	kept    [][]byte

	arrived []*parcel // what ReadBatch has collected
}

func shape(p Port, spec link.Spec, chance func() float64, newAlarm func() alarm) *shaped {
	s := &shaped{below: p, instant: spec.Instant(), out: newLine(spec, chance, newAlarm())}
	if spec.Both {
		s.in = newLine(spec, chance, newAlarm())
	}
	if s.instant {
		return s
	}
	s.moving.Go(s.deliver)
	if s.in != nil {
		s.arrived = make([]*parcel, 0, maxBatch)
		for queue := range Queues(p) {
			s.moving.Go(func() { s.fetch(queue) })
		}
	}
	return s
}

// WriteBatch implements [Port].
func (s *shaped) WriteBatch(frames [][]byte) (int, error) {
	if !s.instant {
		return s.out.offer(frames)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.kept = append(s.kept[:0], frames...)
	arrived := s.out.sift(s.kept)
	n, err := s.below.WriteBatch(s.kept[:arrived])
	return n + len(frames) - arrived, err
}

// deliver gives what has arrived at the far end to the port below.
func (s *shaped) deliver() {
	batch, frames := make([]*parcel, 0, maxBatch), make([][]byte, 0, maxBatch)
	for {
		var err error
		if batch, err = s.out.await(batch, maxBatch); err != nil {
			return
		}
		frames = frames[:0]
		for _, p := range batch {
			frames = append(frames, p.frame[:p.n])
		}
		n, _ := s.below.WriteBatch(frames) // fails only when it is closed, and we with it
		s.refused.Add(uint64(len(frames) - n))
	}
}

// fetch puts what the port below receives on a queue on the line to ReadBatch.
func (s *shaped) fetch(queue int) {
	const stride = MaxFrame + 64 // see slot
	bufs, block := make([][]byte, maxBatch), make([]byte, maxBatch*stride)
	for i := range bufs {
		bufs[i] = block[i*stride : i*stride+MaxFrame : i*stride+MaxFrame]
	}
	for {
		n, err := ReadQueue(s.below, queue, bufs)
		if err == nil {
			_, err = s.in.offer(bufs[:n])
		}
		if err != nil {
			s.in.fail(err)
			return
		}
	}
}

// Queues implements [Queued]. What arrives with a delay comes out of one line.
func (s *shaped) Queues() int {
	if s.in != nil && !s.instant {
		return 1
	}
	return Queues(s.below)
}

// ReadBatch implements [Port].
func (s *shaped) ReadBatch(bufs [][]byte) (int, error) { return s.ReadQueue(0, bufs) }

// ReadQueue implements [Queued].
func (s *shaped) ReadQueue(queue int, bufs [][]byte) (int, error) {
	switch {
	case s.in == nil:
		return ReadQueue(s.below, queue, bufs)
	case s.instant:
		return s.readSifted(queue, bufs)
	}
	var err error
	if s.arrived, err = s.in.await(s.arrived, min(len(bufs), maxBatch)); err != nil {
		return 0, err
	}
	for i, p := range s.arrived {
		bufs[i] = append(bufs[i][:0], p.frame[:p.n]...)
	}
	return len(s.arrived), nil
}

func (s *shaped) readSifted(queue int, bufs [][]byte) (int, error) {
	for {
		n, err := ReadQueue(s.below, queue, bufs)
		if err != nil {
			return 0, err
		}
		if n = s.in.sift(bufs[:n]); n > 0 {
			return n, nil
		}
	}
}

// Counters implements [Counting].
func (s *shaped) Counters() (c Counters) {
	if counting, ok := s.below.(Counting); ok {
		c = counting.Counters()
	}
	link := s.Link()
	c.TxDrops += link.TxDropped
	c.RxDrops += link.RxDropped
	return c
}

// Link implements [Linked].
func (s *shaped) Link() (c LinkCounters) {
	c.TxRefused = s.refused.Load()
	c.TxLost, c.TxDropped = s.out.counts()
	if s.in != nil {
		c.RxLost, c.RxDropped = s.in.counts()
	}
	return c
}

// Backlog implements [Queueing].
func (s *shaped) Backlog() (frames int, wait time.Duration) { return s.out.backlog() }

// Close implements [Port]. Frames on the link are gone, as on a cable that is pulled.
func (s *shaped) Close() error {
	err := s.below.Close()
	s.out.close()
	if s.in != nil {
		s.in.close()
	}
	s.moving.Wait()
	return err
}

// Unwrap returns the port below, for [As].
func (s *shaped) Unwrap() Port { return s.below }
