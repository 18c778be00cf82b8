package turbokvtest

import (
	"time"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// publisher writes descriptors into the system keyspace, as every client would, one after the other
// and each until it succeeds.
type publisher struct {
	control *control
	session *session.Session
	out     session.Output
	queue   []directory.Publication
	busy    bool
	woken   time.Duration
}

// Bounds of one attempt to publish, and of the pause after one that failed.
const (
	publishPatience = 2 * time.Second
	publishPause    = 100 * time.Millisecond
)

func newPublisher(k *control) (*publisher, error) {
	s, err := session.New(session.Config{Rand: k.cluster.rand})
	return &publisher{control: k, session: s}, err
}

func (p *publisher) add(d directory.Publication) {
	p.queue = append(p.queue, d)
	if !p.busy {
		p.next()
	}
}

// next attempts the publication that is due.
func (p *publisher) next() {
	if p.busy = len(p.queue) > 0; !p.busy {
		return
	}
	d := p.queue[0]
	r := session.Request{
		Op: wire.OpPut, Keyspace: kv.SystemKeyspace, Partitioner: kv.SystemDescriptor.Partitioner,
		Key: []byte(d.Descriptor.Name), Value: d.Descriptor.Encode(),
		Deadline: p.control.now() + publishPatience,
	}
	if d.Delete {
		r.Op, r.Value = wire.OpDelete, nil
	}
	p.session.Submit(p.control.now(), &r, &p.out)
	p.flush()
}

func (p *publisher) deliver(payload []byte) {
	p.session.Deliver(p.control.now(), payload, &p.out)
	p.flush()
}

func (p *publisher) tick() {
	p.woken = 0
	p.session.Tick(p.control.now(), &p.out)
	p.flush()
}

func (p *publisher) flush() {
	for _, packet := range p.out.Packets {
		p.control.packetOut(serviceAddr, packet)
	}
	ended := p.out.Completions
	for i := range ended {
		p.ended(&ended[i])
	}
	p.out.Reset()
	if at, ok := p.session.Wake(); ok && (p.woken == 0 || at < p.woken) {
		p.woken = at
		p.control.cluster.events.after(at-p.control.now(), p.control.in(p.tick))
	}
}

func (p *publisher) ended(c *session.Completion) {
	done := c.Outcome == session.Answered && (c.Status == wire.StatusOK ||
		c.Op == wire.OpDelete && c.Status == wire.StatusNotFound)
	if done {
		d := p.queue[0]
		p.queue = p.queue[1:]
		p.control.post(func() { p.control.brain.Published(p.control.now(), d) })
	}
	p.control.cluster.events.after(publishPause, p.control.in(p.next))
}
