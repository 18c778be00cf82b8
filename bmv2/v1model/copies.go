package v1model

import "github.com/turbokv/turbokv/bmv2/engine"

// cloneIngress sends clones of the packet, as it was before this ingress pass, to the egress
// control. They are parsed again, and keep the final values of the fields of the list.
func (w *Worker) cloneIngress(st *engine.State) {
	session := w.snap.sessions[uint16(st.Regs[regClone])]
	if session == nil {
		if w.rec != nil {
			w.rec.note("no clone: session %d is not configured", uint16(st.Regs[regClone]))
		}
		return
	}
	j := w.copyOf()
	if j == nil {
		return
	}
	meta := w.rt.meta
	w.reset(j.st, st.Packet())
	j.st.Tables, j.st.Sets = w.snap.tables, w.snap.sets
	// The parser may look at the ingress port; as in simple_switch nothing else survives.
	meta.ingressPort.Set(j.st, meta.ingressPort.Get(st))
	w.rt.parse(j.st)
	w.finishClone(j, st, session, instanceIngressClone)
}

// cloneEgress sends clones of the packet as it is after egress.
func (w *Worker) cloneEgress(st *engine.State) {
	session := w.snap.sessions[uint16(st.Regs[regClone])]
	if session == nil {
		if w.rec != nil {
			w.rec.note("no clone: session %d is not configured", uint16(st.Regs[regClone]))
		}
		return
	}
	j := w.copyOf()
	if j == nil {
		return
	}
	w.copyState(j.st, st)
	clear(j.st.Regs[:])
	w.finishClone(j, st, session, instanceEgressClone)
}

// finishClone gives a clone its metadata and queues it for each replica of the session.
func (w *Worker) finishClone(j *job, st *engine.State, s *CloneSession, instance uint64) {
	w.rt.machine.ResetMetadata(j.st)
	w.rt.copyList(st.Regs[regCloneList], j.st, st)
	w.rt.meta.instanceType.Set(j.st, instance)
	if s.MaxBytes > 0 {
		j.st.Regs[regTruncate] = requested | uint64(s.MaxBytes)
	}
	w.stats.cloned.Add(uint64(len(s.live())))
	j.buf = append(j.buf[:0], st.Packet()...)
	j.st.SetPacket(j.buf)
	kind := PassIngressClone
	if instance == instanceEgressClone {
		kind = PassEgressClone
	}
	if w.rec != nil {
		w.rec.note("clone to session %d, which has %d ports", s.ID, len(s.live()))
	}
	w.replicate(j.st, s.live(), kind)
	w.giveBack(j)
}

// multicast queues a copy of the packet for each replica of a group.
func (w *Worker) multicast(st *engine.State, group uint16) {
	g := w.snap.groups[group]
	if g == nil || len(g.live()) == 0 {
		w.stats.dropped.Add(1)
		w.rec.drop(dropGroup)
		return
	}
	w.stats.replicated.Add(uint64(len(g.live())))
	if w.rec != nil {
		w.rec.note("multicast to group %d, which has %d ports", group, len(g.live()))
	}
	w.replicate(st, g.live(), PassReplica)
}

// replicate queues copies for egress. Each owns its bytes, because the frame it was made from
// may be gone when its turn comes. kind is for the trace.
func (w *Worker) replicate(st *engine.State, replicas []Replica, kind string) {
	for _, r := range replicas {
		j := w.copyOf()
		if j == nil {
			return
		}
		w.copyState(j.st, st)
		j.buf = append(j.buf[:0], st.Packet()...)
		j.st.SetPacket(j.buf)
		j.toIn, j.port, j.rid = false, r.Port, r.Instance
		j.pass = w.rec.begin(kind)
		w.queue = append(w.queue, j)
	}
}

// copyState copies a packet; headers that are not valid are not part of it.
func (w *Worker) copyState(dst, src *engine.State) {
	dst.CopyFrom(src)
	if litter := w.sw.cfg.Litter; litter != nil {
		w.rt.machine.Litter(dst, litter)
	}
}

// resubmit sends the packet as it arrived through ingress again.
func (w *Worker) resubmit(st *engine.State) {
	if w.again(st, st.Packet(), st.Regs[regResubmit], instanceResubmitted) {
		w.stats.resubmitted.Add(1)
	}
}

// recirculate sends the deparsed packet through ingress again.
func (w *Worker) recirculate(st *engine.State, frame []byte) {
	if w.again(st, frame, st.Regs[regRecirculate], instanceRecirculated) {
		w.stats.recirculated.Add(1)
	}
}

// again queues bytes for ingress with only the fields of a list preserved.
func (w *Worker) again(st *engine.State, frame []byte, list, instance uint64) bool {
	j := w.copyOf()
	if j == nil {
		return false
	}
	j.buf = append(j.buf[:0], frame...)
	w.begin(j.st, j.buf, instance)
	w.rt.copyList(list&^requested, j.st, st)
	w.rt.meta.instanceType.Set(j.st, instance)
	j.toIn = true
	j.pass = nil
	if w.rec != nil {
		j.pass = w.rec.again(instance, list&^requested)
	}
	w.queue = append(w.queue, j)
	return true
}

// digest reports the values of a learn list.
func (w *Worker) digest(st *engine.State) {
	d := w.rt.digests[st.Regs[regDigest]&^requested]
	if d == nil || w.sw.cfg.OnDigest == nil && w.rec == nil {
		return
	}
	w.sample = d.fill(st, w.sample[:0])
	w.values = w.values[:0]
	off := 0
	for _, n := range d.sizes {
		w.values = append(w.values, w.sample[off:off+n:off+n])
		off += n
	}
	if w.rec != nil {
		w.rec.sample(d.list, w.values)
	}
	if w.sw.cfg.OnDigest == nil {
		return
	}
	w.sw.cfg.OnDigest(Digest{List: d.list, Values: w.values})
}
