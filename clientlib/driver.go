package clientlib

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/transport"
)

// driver gives a session its socket, its clock and its goroutines: one that receives and one that
// keeps time. Callers do the sending.
type driver struct {
	conn    transport.Conn
	service netip.AddrPort
	start   time.Time // zero of the session's clock
	calls   sync.Pool // of *call
	workers sync.WaitGroup
	quit    chan struct{} // closed by shut

	closing  sync.Once
	closeErr error

	mu       sync.Mutex // guards what follows
	session  *session.Session
	told     time.Duration   // the latest time that the session knows
	out      *session.Output // filled by the session
	spare    *session.Output // being sent, if flushing
	flushing bool            // a goroutine sends, and will send what is added to out meanwhile
	closed   bool
	err      error         // why, if the socket failed
	asleep   bool          // the clock waits for a token in alarm
	alarm    chan struct{} // holds one token
	full     chan struct{} // closed and replaced when callers that wait for the queue may try again
	waiting  bool          // there are such callers

	batch []transport.Message // of the goroutine that flushes
}

func newDriver(cfg Config) (*driver, error) {
	core, err := session.New(cfg.session())
	if err != nil {
		return nil, err
	}
	conn, err := cfg.open()
	if err != nil {
		return nil, err
	}
	d := &driver{
		conn: conn, service: cfg.Service, start: time.Now(), quit: make(chan struct{}),
		session: core, out: new(session.Output), spare: new(session.Output),
		alarm: make(chan struct{}, 1), full: make(chan struct{}),
	}
	d.workers.Go(d.receive)
	d.workers.Go(d.keepTime)
	return d, nil
}

// now reads the session's clock. It is read once per operation or batch of packets: on many
// machines that costs as much as the rest of the client's work.
func (d *driver) now() time.Duration { return time.Since(d.start) }

// advance returns now, or a later time that the session was told by a goroutine that read the
// clock later and had the lock earlier.
func (d *driver) advance(now time.Duration) time.Duration {
	d.told = max(d.told, now)
	return d.told
}

// at converts a moment to the session's clock.
func (d *driver) at(t time.Time) time.Duration { return t.Sub(d.start) }

// settle takes over what has ended and appends the calls to ended. They are to be signalled when
// the lock is free again, because their goroutines will want it.
func (d *driver) settle(ended []*call) []*call {
	for i := range d.out.Completions {
		c := &d.out.Completions[i]
		k := c.Tag.(*call)
		k.end(c)
		ended = append(ended, k)
	}
	clear(d.out.Completions)
	d.out.Completions = d.out.Completions[:0]
	if d.waiting && d.session.Room() {
		d.waiting = false
		close(d.full)
		d.full = make(chan struct{})
	}
	return ended
}

func signalAll(ended []*call) {
	for _, k := range ended {
		k.signal()
	}
}

// flush sends what the session has put out, and what other goroutines add while it is sending:
// they find flushing set and leave their packets to it. Called with the lock held, it releases it
// while it sends.
func (d *driver) flush() {
	if d.flushing {
		return
	}
	d.flushing = true
	for len(d.out.Packets) > 0 {
		d.out, d.spare = d.spare, d.out
		d.mu.Unlock()
		d.write(d.spare)
		d.mu.Lock()
	}
	d.flushing = false
}

// write sends the packets of an output and empties it. What a failing socket does not send is
// lost like any packet; receive finds out why.
func (d *driver) write(out *session.Output) {
	d.batch = d.batch[:0]
	for _, p := range out.Packets {
		d.batch = append(d.batch, transport.Message{Addr: d.service, Payload: p})
	}
	_ = d.conn.WriteBatch(d.batch)
	out.Reset()
}

// receive delivers packets to the session until the socket is closed.
func (d *driver) receive() {
	msgs := make([]transport.Message, transport.BatchSize)
	var ended []*call
	for {
		n, err := d.conn.ReadBatch(msgs)
		if err != nil {
			d.shut(err)
			return
		}
		d.mu.Lock()
		now := d.advance(d.now())
		for _, m := range msgs[:n] {
			d.session.Deliver(now, m.Payload, d.out)
			ended = d.settle(ended)
		}
		d.flush()
		d.mu.Unlock()
		signalAll(ended)
		clear(ended)
		ended = ended[:0]
	}
}

// shut ends all calls and refuses new ones. The socket's error is the reason, unless it is only
// that the socket was closed.
func (d *driver) shut(err error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.closed = true
	if !errors.Is(err, net.ErrClosed) {
		d.err = err
	}
	d.session.Close(d.advance(d.now()), d.out)
	ended := d.settle(nil)
	if d.waiting {
		d.waiting = false
		close(d.full)
	}
	d.mu.Unlock()
	signalAll(ended)
	close(d.quit)
}

// close ends all calls, closes the socket and waits for the goroutines.
func (d *driver) close() error {
	d.closing.Do(func() {
		d.shut(net.ErrClosed)
		d.closeErr = d.conn.Close()
		d.workers.Wait()
	})
	return d.closeErr
}
