package port

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// InterfaceConfig describes a port on a network interface.
type InterfaceConfig struct {
	Name string
	// IO is how frames move.
	IO IO
	// Workers are the readers that share the frames, by flow, up to MaxWorkers. 0: 1, which keeps the
	// order of all frames; with XDP, as many as the interface has receive queues.
	Workers int
	// Wait takes an interface that does not exist yet.
	Wait bool
}

// Interface is a network interface that may go away and come back under its name. As long as it is
// away, the port receives nothing and drops what is sent. Frames that have arrived and were not read
// when it goes are lost.
type Interface struct {
	dropped counters // while there is no interface
	name    string
	queues  int
	open    func() (*opened, error)
	stop    func() // watching
	end     func() error

	current atomic.Pointer[opened] // nil: absent or closed; changed under mu

	mu      sync.Mutex
	changed sync.Cond // current is another
	link    linkState
	state   State
	problem error    // why there is no current
	past    Counters // of interfaces that went away
	tell    []func(State)
	begun   bool // the number of queues is known to readers
	closed  bool
}

// opened is an interface that is there.
type opened struct {
	lower
	io       IO
	zeroCopy bool
	problem  error              // why io is not the best way
	fits     func(mtu int) bool // nil: every one
}

// lower is what moves the frames.
type lower interface {
	Port
	Queued
	Counting
}

// linkState is what the system tells of an interface.
type linkState struct {
	index int  // 0: it does not exist
	up    bool // switched on, with carrier
	mtu   int  // bytes
}

// links tells of interfaces.
type links interface {
	// watch returns the present state and tells later ones, one after the other.
	watch(name string, tell func(linkState)) (now linkState, stop func())
}

// errAbsent is why an interface cannot be opened.
var errAbsent = errors.New("no such network interface")

// newInterface opens an interface, or waits for it. open is called each time that it appears, end by
// Close.
func newInterface(cfg InterfaceConfig, from links, open func() (*opened, error),
	end func() error) (*Interface, error) {
	i := &Interface{name: cfg.Name, queues: max(1, cfg.Workers), open: open, end: end}
	i.changed.L = &i.mu
	i.mu.Lock()
	now, stop := from.watch(cfg.Name, i.follow)
	i.stop = stop
	i.adopt(now)
	problem := i.problem
	if o := i.current.Load(); o != nil {
		i.queues = o.Queues()
	}
	i.begun = true
	i.mu.Unlock()
	if problem != nil && !(cfg.Wait && now.index == 0) {
		return nil, errors.Join(problem, i.Close())
	}
	return i, nil
}

// follow is told of every change.
func (i *Interface) follow(now linkState) {
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return
	}
	before := i.state
	i.adopt(now)
	state, tell := i.state, i.tell
	i.mu.Unlock()
	if state == before {
		return
	}
	for _, f := range tell {
		f(state)
	}
}

// adopt brings the port in line with the link; i.mu is held.
func (i *Interface) adopt(now linkState) {
	o := i.current.Load()
	if o != nil && (now.index != i.link.index || o.fits != nil && !o.fits(now.mtu)) {
		i.leave(o)
		o = nil
	}
	i.link = now
	switch {
	case now.index == 0:
		i.problem = fmt.Errorf("interface %q: %w", i.name, errAbsent)
	case o == nil:
		i.enter()
	}
	switch {
	case i.current.Load() == nil:
		i.state = Absent
	case now.up:
		i.state = Up
	default:
		i.state = Down
	}
}

// enter opens the interface that has appeared; i.mu is held.
func (i *Interface) enter() {
	o, err := i.open()
	if err == nil && o.Queues() != i.queues && i.begun {
		err = errors.Join(fmt.Errorf("interface %q: it came with %d queues, but has %d readers",
			i.name, o.Queues(), i.queues), o.Close())
	}
	if err != nil {
		i.problem = err
		return
	}
	i.problem = nil
	i.current.Store(o)
	i.changed.Broadcast()
}

// leave gives up an interface that is gone, or was opened for shorter frames; i.mu is held. Closing
// has nothing to say: the kernel has taken everything down.
func (i *Interface) leave(o *opened) {
	c := o.Counters()
	i.past.RxDrops += c.RxDrops
	i.past.TxDrops += c.TxDrops
	i.current.Store(nil)
	_ = o.Close()
	i.changed.Broadcast()
}

// await returns the interface that is there and is not the one given.
func (i *Interface) await(not *opened) (*opened, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for {
		if i.closed {
			return nil, net.ErrClosed
		}
		if o := i.current.Load(); o != nil && o != not {
			return o, nil
		}
		i.changed.Wait()
	}
}

// Queues implements [Queued]. It stays what it was at first, whatever comes back.
func (i *Interface) Queues() int { return i.queues }

// ReadBatch implements [Port]; it reads the first queue.
func (i *Interface) ReadBatch(bufs [][]byte) (int, error) { return i.ReadQueue(0, bufs) }

// ReadQueue implements [Queued].
func (i *Interface) ReadQueue(queue int, bufs [][]byte) (int, error) {
	for o := i.current.Load(); ; {
		if o != nil && queue < o.Queues() {
			n, err := o.ReadQueue(queue, bufs)
			if err == nil || !errors.Is(err, net.ErrClosed) {
				return n, err
			}
		}
		var err error
		if o, err = i.await(o); err != nil {
			return 0, err
		}
	}
}

// WriteBatch implements [Port].
func (i *Interface) WriteBatch(frames [][]byte) (int, error) {
	if o := i.current.Load(); o != nil {
		n, err := o.WriteBatch(frames)
		if err == nil {
			return n, nil
		}
		i.dropped.txDrops.Add(uint64(len(frames) - n))
		return n, i.whenClosed()
	}
	if err := i.whenClosed(); err != nil {
		return 0, err
	}
	i.dropped.txDrops.Add(uint64(len(frames)))
	return 0, nil
}

// whenClosed tells a port that is closed from one whose interface is away.
func (i *Interface) whenClosed() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return net.ErrClosed
	}
	return nil
}

// Counters implements [Counting].
func (i *Interface) Counters() Counters {
	i.mu.Lock()
	defer i.mu.Unlock()
	c := i.dropped.Counters()
	c.RxDrops += i.past.RxDrops
	c.TxDrops += i.past.TxDrops
	if o := i.current.Load(); o != nil {
		now := o.Counters()
		c.RxDrops += now.RxDrops
		c.TxDrops += now.TxDrops
	}
	return c
}

// Notify implements [Stated].
func (i *Interface) Notify(f func(State)) State {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tell = append(i.tell[:len(i.tell):len(i.tell)], f)
	return i.state
}

// Info implements [Informed].
func (i *Interface) Info() Info {
	i.mu.Lock()
	defer i.mu.Unlock()
	info := Info{Interface: i.name, Queues: i.queues, State: i.state, Problem: i.problem}
	if o := i.current.Load(); o != nil {
		info.IO, info.ZeroCopy, info.Problem = o.io, o.zeroCopy, o.problem
	}
	return info
}

// Close implements [Port].
func (i *Interface) Close() error {
	i.mu.Lock()
	again := i.closed
	i.closed = true
	o := i.current.Swap(nil)
	i.changed.Broadcast()
	i.mu.Unlock()
	if again {
		return nil
	}
	i.stop()
	var errs []error
	if o != nil {
		errs = append(errs, o.Close())
	}
	return errors.Join(append(errs, i.end())...)
}
