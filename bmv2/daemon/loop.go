package daemon

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/turbokv/turbokv/bmv2/p4rt"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// batchSize is the number of frames read at a time: enough to make the cost of a system call or a
// wake-up small for each, few enough to stay in a cache.
const batchSize = 64

// arenaSize is the room in bytes for the frames that one batch sends; when clones and replicas need
// more, the batch is written in parts.
const arenaSize = batchSize * port.MaxFrame

// livePort is a port in service.
type livePort struct {
	number uint16
	port   port.Port
	loops  sync.WaitGroup // that read the port
	state  atomic.Uint32  // a port.State

	rxFrames, rxBytes, rxNoPipeline atomic.Uint64
	txFrames, txBytes, txDrops      atomic.Uint64
}

func (p *livePort) setState(s port.State) { p.state.Store(uint32(s)) }

func (p *livePort) up() bool { return port.State(p.state.Load()) == port.Up }

// PortCounters are frames and bytes of a port since it was added, and what it is at present.
type PortCounters struct {
	Number   uint16
	State    port.State
	RxFrames uint64 // taken from the port
	RxBytes  uint64
	RxDrops  uint64 // lost before the pipeline: overruns of the port, or no pipeline
	TxFrames uint64 // accepted by the port
	TxBytes  uint64 // of all frames sent to the port, dropped ones included
	TxDrops  uint64 // refused by the port
	// Link is what the cable of the port lost, if it is Shaped. Frames that found its queue full, or
	// were refused after it, count as drops too.
	Link   port.LinkCounters
	Shaped bool
	// Interface tells more of a port on a network interface; the zero value of any other.
	Interface port.Info
}

func (p *livePort) counters() PortCounters {
	c := PortCounters{
		Number:   p.number,
		State:    port.State(p.state.Load()),
		RxFrames: p.rxFrames.Load(),
		RxBytes:  p.rxBytes.Load(),
		RxDrops:  p.rxNoPipeline.Load(),
		TxFrames: p.txFrames.Load(),
		TxBytes:  p.txBytes.Load(),
		TxDrops:  p.txDrops.Load(),
	}
	if counting, ok := port.As[port.Counting](p.port); ok {
		c.RxDrops += counting.Counters().RxDrops
	}
	if informed, ok := port.As[port.Informed](p.port); ok {
		c.Interface = informed.Info()
	}
	if linked, ok := port.As[port.Linked](p.port); ok {
		c.Link, c.Shaped = linked.Link(), true
		c.TxDrops += c.Link.TxRefused
	}
	return c
}

// loop carries frames from one queue of a port through the pipeline. A flow stays on one queue, and a
// loop writes what comes out of a frame before it reads the next batch, so flows keep their order.
type loop struct {
	d      *Daemon
	from   *livePort
	queue  int
	sw     *v1model.Switch
	worker *v1model.Worker
	bufs   [][]byte
	emit   func(number uint16, frame []byte) // the method collect, bound once

	arena   []byte                       // holds frames in leaving that are not in bufs; never grows
	leaving [port.MaxNumber + 1][][]byte // by destination
	touched []uint16                     // destinations with frames, in order of appearance
}

func newLoop(d *Daemon, from *livePort, queue int) *loop {
	l := &loop{
		d:       d,
		from:    from,
		queue:   queue,
		bufs:    make([][]byte, batchSize),
		arena:   make([]byte, 0, arenaSize),
		touched: make([]uint16, 0, port.MaxNumber+1),
	}
	// A stride of exactly 2 KiB would make all frames compete for the same sets of a cache.
	const stride = port.MaxFrame + 64
	block := make([]byte, batchSize*stride)
	for i := range l.bufs {
		l.bufs[i] = block[i*stride : i*stride+port.MaxFrame : i*stride+port.MaxFrame]
	}
	l.emit = l.collect
	return l
}

// run works until the port is closed.
func (l *loop) run() {
	defer l.from.loops.Done()
	defer func() {
		if l.worker != nil {
			l.worker.Close()
		}
	}()
	for {
		n, err := port.ReadQueue(l.from.port, l.queue, l.bufs)
		if err != nil {
			l.fail(err)
			return
		}
		l.forward(l.bufs[:n])
	}
}

// fail ends a port that nobody closed.
func (l *loop) fail(err error) {
	if errors.Is(err, net.ErrClosed) {
		return
	}
	if l.d.detach(l.from.number, l.from) == nil {
		return
	}
	err = errors.Join(err, l.from.port.Close())
	if l.d.cfg.Events.PortFailed != nil {
		l.d.cfg.Events.PortFailed(l.from.number, err)
	}
}

// forward passes a batch through the pipeline and writes what comes out.
func (l *loop) forward(frames [][]byte) {
	bytes := uint64(0)
	for _, f := range frames {
		bytes += uint64(len(f))
	}
	l.from.rxFrames.Add(uint64(len(frames)))
	l.from.rxBytes.Add(bytes)
	if !l.adopt() {
		l.from.rxNoPipeline.Add(uint64(len(frames)))
		return
	}
	l.d.now.Store(l.d.cfg.Now())
	for _, f := range frames {
		l.worker.ProcessInPlace(l.from.number, f, l.emit)
	}
	l.flush()
}

// adopt turns to the pipeline in service; it reports false when there is none.
func (l *loop) adopt() bool {
	sw := l.d.sw.Load()
	if sw != l.sw {
		l.sw, l.worker = sw, sw.NewWorker()
	}
	return sw != nil
}

// collect keeps a frame for the end of the batch.
func (l *loop) collect(number uint16, frame []byte) {
	if number > port.MaxNumber || len(frame) > port.MaxFrame {
		l.d.lost.Add(1)
		return
	}
	if !l.worker.Stays() {
		frame = l.keep(frame)
	}
	if len(l.leaving[number]) == 0 {
		l.touched = append(l.touched, number)
	}
	l.leaving[number] = append(l.leaving[number], frame)
}

// keep copies a frame that would not last. Most do, in the buffer that they were received in.
func (l *loop) keep(frame []byte) []byte {
	if len(l.arena)+len(frame) > cap(l.arena) {
		l.flush()
	}
	start := len(l.arena)
	l.arena = append(l.arena, frame...)
	return l.arena[start:len(l.arena):len(l.arena)]
}

// flush writes the collected frames, one batch per destination.
func (l *loop) flush() {
	table := l.d.table.Load()
	for _, number := range l.touched {
		frames := l.leaving[number]
		if to := table[number]; to != nil {
			to.write(frames)
		} else {
			l.d.lost.Add(uint64(len(frames)))
		}
		l.leaving[number] = frames[:0]
	}
	l.touched = l.touched[:0]
	l.arena = l.arena[:0]
}

// write sends frames out and counts them. A port that is being closed loses them.
func (p *livePort) write(frames [][]byte) {
	bytes := uint64(0)
	for _, f := range frames {
		bytes += uint64(len(f))
	}
	n, _ := p.port.WriteBatch(frames)
	p.txFrames.Add(uint64(n))
	p.txBytes.Add(bytes)
	p.txDrops.Add(uint64(len(frames) - n))
}

// cpuPort is the port whose cable ends in the P4Runtime server: it reads what controllers send
// out, and what is written to it becomes packet-ins.
type cpuPort struct {
	*port.Mem
	server *p4rt.Server
}

// WriteBatch implements [port.Port]; the server counts what it drops.
func (c *cpuPort) WriteBatch(frames [][]byte) (int, error) {
	for _, f := range frames {
		c.server.PacketIn(f)
	}
	return len(frames), nil
}

// sum adds the counts of two switches.
func sum(a, b v1model.Stats) v1model.Stats {
	a.Received += b.Received
	a.Sent += b.Sent
	a.Dropped += b.Dropped
	a.Resubmitted += b.Resubmitted
	a.Recirculated += b.Recirculated
	a.Cloned += b.Cloned
	a.Replicated += b.Replicated
	a.TooManyLoops += b.TooManyLoops
	a.ParserErrors += b.ParserErrors
	a.Failed += b.Failed
	return a
}
