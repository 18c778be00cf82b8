package v1model

import (
	"sync/atomic"

	"github.com/turbokv/turbokv/bmv2/engine"
)

// Worker processes packets. It is not safe for concurrent use; make one per goroutine.
type Worker struct {
	sw    *Switch
	rt    *runtime
	snap  *snapshot
	stats workerStats

	main   *engine.State
	out    func(port uint16, frame []byte)
	buf    []byte // deparsed frame
	lent   bool   // the memory of the current frame may be written to
	stays  bool   // the frame given to out lies there
	free   []*job // reusable copies
	queue  []*job // copies that wait for a control, from head on
	head   int
	clones []*job    // of an ingress pass, while they overtake it
	passes int       // copies made for the current frame
	sample []byte    // values of a digest
	values [][]byte  // the same, cut into fields
	sent   uint64    // frames given to out for the current frame
	rec    *recorder // of the current frame; nil unless somebody follows it
}

// job is a copy of a packet that goes through a control later.
type job struct {
	st   *engine.State
	buf  []byte // the bytes that st refers to, where it needs its own
	toIn bool   // ingress, else egress
	port uint16 // egress port
	rid  uint16 // egress instance
	pass *Pass  // in the trace, if there is one
}

// Stats counts what happened to packets since the switch was made.
type Stats struct {
	Received     uint64 // frames given to Process
	Sent         uint64 // frames given to out
	Dropped      uint64 // by the program: mark_to_drop, or an unknown multicast group
	Resubmitted  uint64
	Recirculated uint64
	Cloned       uint64
	Replicated   uint64 // multicast copies
	TooManyLoops uint64 // dropped because Config.MaxPasses was reached
	ParserErrors uint64 // the packet went on with parser_error set
	Failed       uint64 // dropped because of an assert, an assume, or an endless loop
}

// workerStats are the counters of one worker. Frames of which one frame leaves, nearly all, are
// counted in forwarded instead of received and sent.
type workerStats struct {
	forwarded, received, sent, dropped, resubmitted, recirculated, cloned, replicated, tooManyLoops,
	parserErrors, failed atomic.Uint64
}

func (s *Stats) add(w *workerStats) {
	forwarded := w.forwarded.Load()
	s.Received += forwarded + w.received.Load()
	s.Sent += forwarded + w.sent.Load()
	s.Dropped += w.dropped.Load()
	s.Resubmitted += w.resubmitted.Load()
	s.Recirculated += w.recirculated.Load()
	s.Cloned += w.cloned.Load()
	s.Replicated += w.replicated.Load()
	s.TooManyLoops += w.tooManyLoops.Load()
	s.ParserErrors += w.parserErrors.Load()
	s.Failed += w.failed.Load()
}

// Process handles one frame received on port and calls out for every frame that leaves the
// switch, in order. It returns when the frame and all its copies are done. frame is only read,
// never kept; the slice passed to out is valid only during the call. out must not call Process
// of the same worker.
func (w *Worker) Process(port uint16, frame []byte, out func(port uint16, frame []byte)) {
	w.snap = w.sw.snap.Load()
	if w.rt != w.snap.rt {
		w.adopt(w.snap.rt)
	}
	w.out, w.passes, w.sent = out, 0, 0
	w.receive(port, frame)
	if watchers := w.sw.watchers.Load(); watchers != nil {
		w.follow(*watchers, port, frame)
	}
	w.ingress(w.main)
	if len(w.queue) > 0 {
		w.drain()
	}
	w.out = nil
	if w.rec != nil {
		w.tell()
	}
	if w.sent == 1 {
		w.stats.forwarded.Add(1)
		return
	}
	w.stats.received.Add(1)
	w.stats.sent.Add(w.sent)
}

// ProcessInPlace does what Process does with a frame whose bytes the caller does not need any more:
// what leaves may be made in their memory, which saves copies. See Stays.
func (w *Worker) ProcessInPlace(port uint16, frame []byte, out func(port uint16, frame []byte)) {
	w.lent = true
	w.Process(port, frame, out)
	w.lent = false
}

// Stays is for the function out: it reports whether the slice that it has been given lies in the
// memory of the frame that ProcessInPlace was given, and so is valid as long as nobody changes that.
func (w *Worker) Stays() bool { return w.stays }

// adopt switches to another program.
func (w *Worker) adopt(rt *runtime) {
	w.rt = rt
	w.main = rt.machine.NewState()
	w.free = nil
}

// receive makes the frame the current packet.
func (w *Worker) receive(port uint16, frame []byte) {
	w.begin(w.main, frame, instanceNormal)
	w.rt.meta.ingressPort.Set(w.main, uint64(port))
}

// begin makes st a packet before its parser.
func (w *Worker) begin(st *engine.State, frame []byte, instance uint64) {
	meta := w.rt.meta
	w.reset(st, frame)
	st.Tables, st.Sets = w.snap.tables, w.snap.sets
	meta.instanceType.Set(st, instance)
	meta.packetLength.Set(st, uint64(len(frame)))
	if meta.ingressTime.Present() {
		meta.ingressTime.Set(st, w.sw.cfg.Now())
	}
}

// reset makes st a packet without metadata.
func (w *Worker) reset(st *engine.State, frame []byte) {
	if litter := w.sw.cfg.Litter; litter != nil {
		w.rt.machine.ResetLittered(st, frame, litter)
	} else {
		st.Reset(frame)
	}
}

// drain runs the copies that wait, in the order in which they were made.
func (w *Worker) drain() {
	for ; w.head < len(w.queue); w.head++ {
		j := w.queue[w.head]
		w.queue[w.head] = nil // nothing but free keeps it
		w.run(j)
	}
	w.queue, w.head = w.queue[:0], 0
}

// run sends a copy through its control.
func (w *Worker) run(j *job) {
	w.rec.resume(j.pass)
	if j.toIn {
		w.ingress(j.st)
	} else {
		w.egress(j.st, j.port, j.rid)
	}
	w.giveBack(j)
}

// maxFree bounds the copies that a worker keeps for later; each port can have one. A frame that makes
// thousands would leave many megabytes behind.
const maxFree = 512

// giveBack keeps a copy that is not needed any more for later.
func (w *Worker) giveBack(j *job) {
	if len(w.free) < maxFree {
		w.free = append(w.free, j)
	}
}

// overtake runs the clones of an ingress pass, which are all copies from first on, before the packet
// that they were made of: they joined the queues of their ports before it.
func (w *Worker) overtake(first int) {
	if len(w.queue) == first {
		return
	}
	w.clones = append(w.clones[:0], w.queue[first:]...)
	clear(w.queue[first:])
	w.queue = w.queue[:first]
	pass := w.rec.current()
	for _, j := range w.clones {
		w.run(j)
	}
	w.rec.resume(pass)
	clear(w.clones)
}

// copyOf returns a job to fill, or nil when the frame has used up its passes.
func (w *Worker) copyOf() *job {
	if w.passes >= w.sw.cfg.MaxPasses {
		w.stats.tooManyLoops.Add(1)
		if w.rec != nil {
			w.rec.note("copy dropped: the frame has made %d passes", w.passes)
		}
		return nil
	}
	w.passes++
	if n := len(w.free); n > 0 {
		j := w.free[n-1]
		w.free = w.free[:n-1]
		return j
	}
	return &job{st: w.rt.machine.NewState()}
}

// ingress parses a packet, runs the ingress control and does what it asked for. The order is
// that of simple_switch: clone, digest, resubmit, multicast, drop, unicast.
func (w *Worker) ingress(st *engine.State) {
	meta := w.rt.meta
	if w.rec != nil {
		w.rec.parse(st)
	} else {
		w.rt.parse(st)
	}
	if st.ParserFailed {
		w.stats.parserErrors.Add(1)
	}
	meta.parserError.Set(st, uint64(st.ParserError))
	if st.ChecksumError {
		meta.checksumError.Set(st, 1)
	}
	w.rt.control(w.rt.ingress, w.rt.locks.ingress, st, w.rec)
	if st.Regs[regFailed] != 0 || st.Overrun {
		w.stats.failed.Add(1)
		w.rec.drop(dropFailed)
		return
	}
	queued := len(w.queue)
	if st.Regs[regClone] != 0 {
		w.cloneIngress(st)
		st.Regs[regClone] = 0
	}
	if st.Regs[regDigest] != 0 {
		w.digest(st)
	}
	group := meta.mcastGrp.Get(st)
	switch port := meta.egressSpec.Get(st); {
	case st.Regs[regResubmit] != 0:
		w.resubmit(st)
	case group != 0:
		meta.instanceType.Set(st, instanceReplication)
		w.multicast(st, uint16(group))
	case port == uint64(w.sw.cfg.DropPort):
		w.stats.dropped.Add(1)
		w.rec.drop(dropIngress)
	default:
		meta.instanceType.Set(st, instanceNormal)
		w.overtake(queued)
		w.egress(st, uint16(port), 0)
	}
}

// egress runs the egress control and the deparser, and sends or recirculates the packet.
func (w *Worker) egress(st *engine.State, port, rid uint16) {
	meta := w.rt.meta
	meta.egressPort.Set(st, uint64(port))
	meta.egressSpec.Set(st, 0)
	meta.egressRid.Set(st, uint64(rid))
	meta.packetLength.Set(st, uint64(st.Length))
	if meta.egressTime.Present() {
		meta.egressTime.Set(st, w.sw.cfg.Now())
	}
	if meta.enqueueTime.Present() {
		meta.enqueueTime.Set(st, w.sw.cfg.Now())
	}
	if meta.queueing && w.sw.cfg.Backlog != nil {
		frames, wait := w.sw.cfg.Backlog(port)
		meta.setQueue(st, frames, wait)
	}
	w.rt.control(w.rt.egress, w.rt.locks.egress, st, w.rec)
	if st.Regs[regClone] != 0 {
		w.cloneEgress(st)
		st.Regs[regClone] = 0
	}
	switch {
	case st.Regs[regFailed] != 0 || st.Overrun:
		w.stats.failed.Add(1)
		w.rec.drop(dropFailed)
		return
	case meta.egressSpec.Get(st) == uint64(w.sw.cfg.DropPort):
		w.stats.dropped.Add(1)
		w.rec.drop(dropEgress)
		return
	}
	frame := w.deparse(st)
	if limit := st.Regs[regTruncate]; limit != 0 {
		frame = frame[:min(uint64(len(frame)), limit&^requested)]
	}
	if st.Regs[regRecirculate] != 0 {
		w.recirculate(st, frame)
		return
	}
	if w.rec != nil {
		w.recordOut(st, port, frame)
	}
	w.sent++
	w.out(port, frame)
}

// deparse makes the frame that leaves. A copy owns its bytes; those of the received frame are the
// caller's, and nobody else looks at them any more.
func (w *Worker) deparse(st *engine.State) []byte {
	received := st == w.main
	frame, there := w.rt.deparse(st, w.buf[:0], w.lent || !received)
	if !there {
		w.buf = frame
	}
	w.stays = there && received
	return frame
}
