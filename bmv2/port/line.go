package port

import (
	"net"
	"sync"
	"time"

	"github.com/turbokv/turbokv/bmv2/link"
)

// maxHeld bounds the frames that one direction of a link holds, those that travel included: 64 MiB.
// It is a second of full frames at 400 Mbit/s, or what waits in the largest queue and as much again.
const maxHeld = 2 * link.MaxQueue

// nap is the shortest sleep between two deliveries. A wake-up costs some microseconds, so on a fast
// link the frames that arrive within a nap share one.
const nap = 50 * time.Microsecond

// line carries frames over one direction of a link: any number of goroutines offer frames, one
// collects them when they arrive.
//
// Invariant: while frames are on the line, its alarm is set for the first of them, or the collector
// is about to collect again.
type line struct {
	alarm alarm
	begin time.Time

	mu          sync.Mutex
	wire        *link.Wire
	first, last *parcel // in the order of arrival
	spare       *parcel
	held        int   // on the line, or collected and not given back
	err         error // why nothing more comes

	lost, dropped uint64
}

// parcel is a frame that is on its way until at, counted from the beginning of the line.
type parcel struct {
	next  *parcel
	at    time.Duration
	n     int
	frame [MaxFrame]byte
}

func newLine(spec link.Spec, chance func() float64, a alarm) *line {
	return &line{alarm: a, begin: time.Now(), wire: link.NewWire(spec, chance)}
}

// offer sends frames and returns how many were taken; those that get lost on the way are.
func (l *line) offer(frames [][]byte) (taken int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	now, idle := time.Since(l.begin), l.first == nil
	for _, f := range frames {
		if l.send(now, f) {
			taken++
		}
	}
	if idle && l.first != nil {
		l.alarm.set(l.first.at - now)
	}
	return taken, nil
}

func (l *line) send(now time.Duration, frame []byte) bool {
	at, fate := time.Duration(0), link.Dropped
	if len(frame) <= MaxFrame && l.held < maxHeld {
		at, fate = l.wire.Send(now, len(frame))
	}
	switch fate {
	case link.Dropped:
		l.dropped++
		return false
	case link.Lost:
		l.lost++
		return true
	}
	p := l.spare
	if p == nil {
		p = new(parcel)
	} else {
		l.spare = p.next
	}
	p.next, p.at, p.n = nil, at, copy(p.frame[:], frame)
	if l.first == nil {
		l.first = p
	} else {
		l.last.next = p
	}
	l.last = p
	l.held++
	return true
}

// collect returns up to limit frames that have arrived, in the memory of the batch before, which it
// takes back. When there is none, the alarm tells when to collect again. The error says that
// nothing more comes.
func (l *line) collect(batch []*parcel, limit int) ([]*parcel, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range batch {
		p.next, l.spare = l.spare, p
	}
	l.held -= len(batch)
	batch = batch[:0]
	if l.err != nil {
		return batch, l.err
	}
	now := time.Since(l.begin)
	for l.first != nil && l.first.at <= now && len(batch) < limit {
		batch = append(batch, l.first)
		l.first = l.first.next
	}
	if len(batch) == 0 && l.first != nil {
		l.alarm.set(max(l.first.at-now, nap))
	}
	return batch, nil
}

// await collects until there is something.
func (l *line) await(batch []*parcel, limit int) (_ []*parcel, err error) {
	for {
		if batch, err = l.collect(batch, limit); err != nil || len(batch) > 0 {
			return batch, err
		}
		if !l.alarm.wait() {
			return batch, net.ErrClosed
		}
	}
}

// sift takes the frames that get lost out of a batch that arrives at once. The rest keeps its
// order; the lost ones stand behind it, so that no buffer is missing.
func (l *line) sift(frames [][]byte) (arrived int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.begin)
	for i, f := range frames {
		if _, fate := l.wire.Send(now, len(f)); fate == link.Lost {
			l.lost++
			continue
		}
		frames[i], frames[arrived] = frames[arrived], f
		arrived++
	}
	return arrived
}

// fail wakes the collector and gives it the reason; the first one counts.
func (l *line) fail(err error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	l.mu.Unlock()
	l.alarm.set(0)
}

// close is the end for both sides.
func (l *line) close() {
	l.fail(net.ErrClosed)
	l.alarm.close()
}

// backlog returns what waits in the queue of the link, and for how long.
func (l *line) backlog() (frames int, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wire.Backlog(time.Since(l.begin))
}

func (l *line) counts() (lost, dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost, l.dropped
}
