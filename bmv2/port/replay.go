package port

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// Replay plays pcap files as if their frames were received, each by a port of its own. Frames of
// all files come in the order of their timestamps, one after the other and without the pauses
// between them: a port gets its turn when the readers of the others have come back for more, so
// what a switch does is the same in every run. It is "--use-files" of BMv2's programs.
type Replay struct {
	onError func(error)

	mu      sync.Mutex
	changed sync.Cond
	ports   []*Played
	playing bool
	turn    *Played // whose reader is busy with frames; nil: nobody's
	timer   *time.Timer
	done    chan struct{}
}

// longestCapture bounds the memory that a frame in a file can ask for in bytes: tcpdump's default.
const longestCapture = 1 << 18

// NewReplay returns a replay without files. onError is told, once for each file, that the rest of it
// cannot be read, after which its port receives nothing more, or cannot be written. It must not
// wait, and not call the replay. Nil: nobody is told.
func NewReplay(onError func(error)) *Replay {
	if onError == nil {
		onError = func(error) {}
	}
	r := &Replay{onError: onError, done: make(chan struct{})}
	r.changed.L = &r.mu
	return r
}

// Played is a port that receives what one pcap file holds, and records what it sends in another.
type Played struct {
	counters
	replay *Replay
	path   string
	file   io.Closer
	frames *pcapgo.Reader
	out    *Recorder
	closed bool

	next []byte // the frame that comes next; nil: no more
	at   time.Time
}

// Open makes a port of two files: the one that is played, and the one that is written. All ports
// must be opened before Start.
func (r *Replay) Open(in, out string) (*Played, error) {
	file, err := os.Open(in)
	if err != nil {
		return nil, fmt.Errorf("pcap file: %w", err)
	}
	frames, err := pcapgo.NewReader(bufio.NewReader(file))
	if err == nil && frames.LinkType() != layers.LinkTypeEthernet && frames.LinkType() != 0 {
		err = fmt.Errorf("link type %v, want Ethernet", frames.LinkType())
	}
	if err != nil {
		return nil, fmt.Errorf("pcap file %s: %w", in, errors.Join(err, file.Close()))
	}
	frames.SetSnaplen(longestCapture) // some writers leave it at zero
	p := &Played{replay: r, path: in, file: file, frames: frames}
	if p.out, err = CreateRecorder(out, r.onError); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	p.advance()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ports = append(r.ports, p)
	return p, nil
}

// Start begins to play after a pause, in which controllers can program the switch.
func (r *Replay) Start(pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil {
		r.timer = time.AfterFunc(pause, r.play)
	}
}

func (r *Replay) play() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.playing = true
	r.pass()
}

// Done is closed when all frames have been played and the readers have come back for more.
func (r *Replay) Done() <-chan struct{} { return r.done }

// pass ends a turn; r.mu is held.
func (r *Replay) pass() {
	r.turn = nil
	r.changed.Broadcast()
	if r.playing && r.earliest() == nil {
		select {
		case <-r.done:
		default:
			close(r.done)
		}
	}
}

// earliest returns the port whose frame is next, or nil; r.mu is held. Of frames with one time, that
// of the port opened first comes first.
func (r *Replay) earliest() (first *Played) {
	for _, p := range r.ports {
		if p.next != nil && (first == nil || p.at.Before(first.at)) {
			first = p
		}
	}
	return first
}

// advance reads the next frame that can be played.
func (p *Played) advance() {
	for p.next = nil; ; p.rxDrops.Add(1) {
		data, info, err := p.frames.ReadPacketData()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				p.replay.onError(fmt.Errorf("pcap file %s: %w", p.path, err))
			}
			return
		}
		if len(data) > 0 && len(data) <= MaxFrame && info.CaptureLength == info.Length {
			p.next, p.at = data, info.Timestamp
			return
		}
	}
}

// ReadBatch implements [Port]. After the last frame it waits for Close.
func (p *Played) ReadBatch(bufs [][]byte) (n int, err error) {
	r := p.replay
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turn == p {
		r.pass()
	}
	for !p.closed && !(r.playing && r.turn == nil && r.earliest() == p) {
		r.changed.Wait()
	}
	if p.closed {
		return 0, net.ErrClosed
	}
	r.turn = p
	for n < len(bufs) && r.earliest() == p {
		bufs[n] = append(bufs[n][:0], p.next...)
		n++
		p.advance()
	}
	return n, nil
}

// WriteBatch implements [Port].
func (p *Played) WriteBatch(frames [][]byte) (int, error) {
	p.replay.mu.Lock()
	closed := p.closed
	p.replay.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	p.out.Record(time.Now(), frames)
	return len(frames), nil
}

// Counters implements [Counting]: frames that are too long or were not captured whole, and those
// that are missing in the file written.
func (p *Played) Counters() Counters {
	c := p.counters.Counters()
	c.TxDrops += p.out.Missing()
	return c
}

// Close implements [Port].
func (p *Played) Close() error {
	r := p.replay
	r.mu.Lock()
	again := p.closed
	p.closed, p.next = true, nil
	if r.turn == p || r.turn == nil {
		r.pass()
	}
	r.mu.Unlock()
	if again {
		return nil
	}
	return errors.Join(p.file.Close(), p.out.Close())
}
