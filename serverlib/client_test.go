package serverlib_test

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// simClient issues random requests and repeats each under its sequence until it has a reply that
// says it was executed.
type simClient struct {
	sim         *sim
	number      int
	addr        netip.AddrPort
	seq         kv.RequestSeq
	outstanding map[kv.RequestSeq]*operation
	versions    map[string]kv.Version // last seen, for conditions
}

// operation is one request with its time.
type operation struct {
	request
	called time.Duration
}

func newSimClient(s *sim, number int) *simClient {
	c := &simClient{
		sim: s, number: number, addr: clientAddr(number),
		outstanding: map[kv.RequestSeq]*operation{}, versions: map[string]kv.Version{},
	}
	c.issueLater()
	return c
}

// issueLater issues the next request after a pause, as long as faults happen.
func (c *simClient) issueLater() {
	c.sim.after(c.sim.between(0, 12*time.Millisecond), func() {
		if c.sim.resting {
			return
		}
		if len(c.outstanding) < 3 && c.seq+1-c.lowest() < kv.RequestSeq(limits.SessionResults) {
			c.issue()
		}
		c.issueLater()
	})
}

// The keys: counters hold numbers, registers strings.
var (
	counters  = []string{"n0", "n1"}
	registers = []string{"r0", "r1", "r2"}
)

func pick[T any](s *sim, from []T) T { return from[s.r.IntN(len(from))] }

func (c *simClient) issue() {
	c.seq++
	op := &operation{called: c.sim.now, request: c.draw()}
	op.client, op.seq = kv.ClientID(1000+c.number), c.seq
	c.outstanding[c.seq] = op
	c.transmit(op)
}

// draw makes up a request.
func (c *simClient) draw() request {
	s := c.sim
	register := pick(s, registers)
	switch n := s.r.IntN(20); {
	case n < 5:
		return request{op: wire.OpIncrement, key: pick(s, counters), delta: 1}
	case n < 9:
		return request{op: wire.OpPut, key: register, value: fmt.Sprintf("c%d-%d", c.number, c.seq)}
	case n < 12:
		return request{op: wire.OpCAS, key: register, version: c.versions[register],
			value: fmt.Sprintf("c%d-%d", c.number, c.seq)}
	case n < 13:
		return request{op: wire.OpDelete, key: register}
	case n < 14:
		return request{op: wire.OpDelete, key: register, version: c.versions[register]}
	case n < 15:
		return request{op: wire.OpIncrement, key: register, delta: 1} // not a number, or a new one
	case n < 17 && s.a.Partitioner == kv.RangePartitioned:
		return request{op: wire.OpScan, key: s.scanStart(), value: s.scanEnd()}
	}
	return request{op: wire.OpGet, key: pick(s, append(counters, registers...))}
}

// transmit sends a request through the switch, unless it blocks the sub-range, and again later.
func (c *simClient) transmit(op *operation) {
	if c.outstanding[op.seq] != op {
		return
	}
	if a, ok := c.sim.route(op.key); ok {
		op.lowest = c.lowest()
		c.sim.send(op.send(a, c.number))
	}
	c.sim.after(c.sim.between(5*time.Millisecond, 25*time.Millisecond), func() { c.transmit(op) })
}

// lowest returns the lowest sequence for which the client wants a reply. As in clientlib, the span
// from there to the newest one is bounded: nodes remember no more results of a session.
func (c *simClient) lowest() kv.RequestSeq {
	lowest := c.seq + 1
	for seq := range c.outstanding {
		lowest = min(lowest, seq)
	}
	return lowest
}

// notYet are the statuses after which a client goes on sending.
var notYet = []wire.Status{wire.StatusTryAgain, wire.StatusWrongEpoch, wire.StatusPending}

// receive takes a reply; one that says "send again" is left to the timer.
func (c *simClient) receive(p wire.Packet) {
	p, err := wire.Parse(p)
	if err != nil {
		c.sim.fatalf("reply: %v", err)
	}
	op := c.outstanding[p.Sequence()]
	switch {
	case op == nil || p.Client() != op.client:
		return
	case p.Op() != op.op:
		c.sim.fatalf("%v answers %v", p.Op(), op.op)
	case slices.Contains(notYet, p.Status()):
		return
	case p.Status() == wire.StatusPending:
		return // the tail will answer
	}
	delete(c.outstanding, op.seq)
	if op.op != wire.OpScan && p.RecordVersion() != 0 {
		c.versions[op.key] = p.RecordVersion()
	}
	c.sim.history.add(op, c.number, c.sim.now, p)
}
