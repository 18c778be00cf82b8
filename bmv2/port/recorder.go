package port

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// recorderBuffer bounds the bytes that wait for the disk; what does not fit is missing in the file.
const recorderBuffer = 4 << 20

// Recorder writes frames to a pcap file with nanosecond timestamps, link type Ethernet. Frames are
// handed to the operating system as soon as the disk has taken those before, so a program that is
// killed leaves a file that can be read.
type Recorder struct {
	path    string
	out     recorderFile
	onError func(error)
	missing atomic.Uint64

	mu      sync.Mutex
	pending bytes.Buffer
	format  *pcapgo.Writer // writes to pending
	broken  bool           // the disk refused something: nothing more is kept
	closed  bool
	work    chan struct{} // capacity 1: something is pending, or the recorder was closed

	done chan struct{}
	err  error // what the disk said; readable after done
}

// recorderFile is what a Recorder needs of a file.
type recorderFile interface {
	Write([]byte) (int, error)
	Close() error
}

// CreateRecorder makes the file, or empties it. onError is told the first error of the disk, after
// which nothing more is written; nil: nobody is told before Close.
func CreateRecorder(path string, onError func(error)) (*Recorder, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("pcap file: %w", err)
	}
	return newRecorder(path, f, onError), nil
}

func newRecorder(path string, out recorderFile, onError func(error)) *Recorder {
	if onError == nil {
		onError = func(error) {}
	}
	r := &Recorder{path: path, out: out, onError: onError,
		work: make(chan struct{}, 1), done: make(chan struct{})}
	r.format = pcapgo.NewWriterNanos(&r.pending)
	_ = r.format.WriteFileHeader(MaxFrame, layers.LinkTypeEthernet) // memory takes everything
	r.work <- struct{}{}
	go r.write()
	return r
}

// Record adds frames that passed at a time. It does not wait for the disk: frames that find the
// buffer full, or come after an error, are left out and counted by Missing.
func (r *Recorder) Record(at time.Time, frames [][]byte) {
	const header = 16
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, f := range frames {
		if r.broken || r.closed || r.pending.Len()+header+len(f) > recorderBuffer {
			r.missing.Add(uint64(len(frames) - i))
			break
		}
		info := gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(f), Length: len(f)}
		if r.format.WritePacket(info, f) != nil {
			r.missing.Add(1)
		}
	}
	r.wake()
}

func (r *Recorder) wake() {
	select {
	case r.work <- struct{}{}:
	default:
	}
}

// write moves what is pending to the file until the recorder is closed.
func (r *Recorder) write() {
	defer close(r.done)
	var now bytes.Buffer
	for range r.work {
		r.mu.Lock()
		now, r.pending = r.pending, now
		closed := r.closed
		r.mu.Unlock()
		if r.err == nil {
			r.store(now.Bytes())
		}
		now.Reset()
		if closed {
			return
		}
	}
}

// store writes once, or notes why nothing more is written.
func (r *Recorder) store(data []byte) {
	if _, err := r.out.Write(data); err != nil {
		r.err = fmt.Errorf("pcap file %s: %w", r.path, err)
		r.mu.Lock()
		r.broken = true
		r.mu.Unlock()
		r.onError(r.err)
	}
}

// Missing returns the frames that are not in the file, or will not be.
func (r *Recorder) Missing() uint64 { return r.missing.Load() }

// Close writes what is pending. The error is that of the disk, even if it was told before.
func (r *Recorder) Close() error {
	r.mu.Lock()
	again := r.closed
	r.closed = true
	r.mu.Unlock()
	if again {
		return nil
	}
	r.wake()
	<-r.done
	if err := r.out.Close(); err != nil && r.err == nil {
		return fmt.Errorf("pcap file %s: %w", r.path, err)
	}
	return r.err
}

// Tee is a port whose frames are recorded as they pass.
type Tee struct {
	Port
	in, out *Recorder // nil: not recorded
}

// NewTee records what p receives, and what is sent by it, including frames that p drops then.
// Either recorder may be nil. The tee owns port and recorders, and closes them.
func NewTee(p Port, in, out *Recorder) *Tee { return &Tee{Port: p, in: in, out: out} }

// Unwrap returns the port whose frames are recorded, for [As].
func (t *Tee) Unwrap() Port { return t.Port }

// ReadBatch implements [Port].
func (t *Tee) ReadBatch(bufs [][]byte) (int, error) { return t.ReadQueue(0, bufs) }

// Queues implements [Queued].
func (t *Tee) Queues() int { return Queues(t.Port) }

// ReadQueue implements [Queued].
func (t *Tee) ReadQueue(queue int, bufs [][]byte) (int, error) {
	n, err := ReadQueue(t.Port, queue, bufs)
	t.record(t.in, bufs[:n])
	return n, err
}

// WriteBatch implements [Port].
func (t *Tee) WriteBatch(frames [][]byte) (int, error) {
	t.record(t.out, frames)
	return t.Port.WriteBatch(frames)
}

func (t *Tee) record(r *Recorder, frames [][]byte) {
	if r != nil && len(frames) > 0 {
		r.Record(time.Now(), frames)
	}
}

// Close implements [Port].
func (t *Tee) Close() error {
	errs := []error{t.Port.Close()}
	for _, r := range []*Recorder{t.in, t.out} {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	return errors.Join(errs...)
}
