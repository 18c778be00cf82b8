package turbokvtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Workload is what the clients do. Zero fields stand for the defaults given.
type Workload struct {
	Keys       int           // distinct keys; default 12, few enough to collide often
	Operations int           // per client; default 40
	InFlight   int           // per client; default 4
	Deadline   time.Duration // of one operation; default 2 s
	Think      time.Duration // longest pause after an operation; default 2 ms
}

func (w Workload) withDefaults() Workload {
	if w.Keys == 0 {
		w.Keys = 12
	}
	if w.Operations == 0 {
		w.Operations = 40
	}
	if w.InFlight == 0 {
		w.InFlight = 4
	}
	if w.Deadline == 0 {
		w.Deadline = 2 * time.Second
	}
	if w.Think == 0 {
		w.Think = 2 * time.Millisecond
	}
	return w
}

// client asks at random and notes what it is told.
type client struct {
	id       int
	host     *host
	net      *network
	session  *session.Session
	out      session.Output
	rand     *rand.Rand
	work     Workload
	keyspace kv.Descriptor
	service  netip.AddrPort
	history  *history

	working bool
	asked   int // operations begun
	done    int // operations ended
	woken   time.Duration
	scans   bool
	lost    func(key string) bool // nil while things go wrong
	unknown int
	refused int      // operations that nobody executed
	names   []string // all keys, ascending
	seen    map[string]kv.Version
	bulk    map[string]string // records that were acknowledged before anything went wrong
}

// call is an operation under way, the tag of its request.
type call struct {
	key   string
	in    asked
	begun time.Duration
	start string // of a scan
	end   string // of a scan, empty for none
	bulk  bool   // one of many records that are written at the beginning and read at the end
	want  string // of a bulk read
}

func (c *client) finished() bool { return c.done >= c.work.Operations }

// begin asks until enough operations are in flight.
func (c *client) begin() {
	if c.lost != nil && !slices.ContainsFunc(c.names, func(key string) bool { return !c.lost(key) }) {
		c.work.Operations = c.asked // there is nobody to ask any more
	}
	for c.asked-c.done < c.work.InFlight && c.asked < c.work.Operations {
		c.asked++
		c.submit(c.draw())
	}
	c.flush()
}

func (c *client) submit(t *call, r session.Request) {
	t.begun = c.net.events.now
	r.Keyspace, r.Partitioner = c.keyspace.ID, c.keyspace.Partitioner
	r.Tag, r.Deadline = t, c.net.events.now+c.work.Deadline
	if _, ok := c.session.Submit(c.net.events.now, &r, &c.out); !ok {
		panic("turbokvtest: the session's queue is full")
	}
}

// pick draws a key; when nothing goes wrong any more, not one that is lost, if possible.
func (c *client) pick() (key string) {
	for range 20 {
		key = c.names[c.rand.IntN(len(c.names))]
		if c.lost == nil || !c.lost(key) {
			break
		}
	}
	return key
}

// draw makes up one operation.
func (c *client) draw() (*call, session.Request) {
	key := c.pick()
	in := asked{value: fmt.Sprintf("%d.%d", c.id, c.asked)}
	t := &call{key: key}
	r := session.Request{Key: []byte(key)}
	switch n := c.rand.IntN(100); {
	case n < 35:
		in.op, in.value = wire.OpGet, ""
	case n < 60:
		in.op, r.Value = wire.OpPut, []byte(in.value)
	case n < 70:
		in.op, in.value = wire.OpDelete, ""
		in.version = c.maybeVersion(key)
	case n < 80:
		in.op, r.Value = wire.OpCAS, []byte(in.value)
		in.version = c.maybeVersion(key)
	case n < 93 || !c.scans:
		in.op, in.value, in.delta = wire.OpIncrement, "", int64(1+c.rand.IntN(3))
		r.Value = wire.AppendNumber(nil, in.delta)
	default:
		in.op, in.value = wire.OpScan, ""
		r.Budget = uint8(c.rand.IntN(4))
		if c.rand.IntN(2) == 0 {
			t.end = c.names[c.rand.IntN(len(c.names))]
			if t.end <= key {
				t.end = ""
			}
		}
		t.start, r.End = key, []byte(t.end)
	}
	r.Op, r.Version, t.in = in.op, in.version, in
	return t, r
}

// maybeVersion draws an expected version: often the one last seen, so that conditions hold.
func (c *client) maybeVersion(key string) kv.Version {
	if c.rand.IntN(4) == 0 {
		return 0
	}
	return c.seen[key]
}

func (c *client) deliver(_ netip.AddrPort, payload []byte) {
	c.session.Deliver(c.net.events.now, payload, &c.out)
	c.flush()
}

func (c *client) tick() {
	c.woken = 0
	c.session.Tick(c.net.events.now, &c.out)
	c.flush()
}

// flush sends what the session wants sent, notes what has ended and sets the clock.
func (c *client) flush() {
	for _, p := range c.out.Packets {
		c.net.send(c.host, c.service, p)
	}
	ended := len(c.out.Completions)
	for i := range c.out.Completions {
		c.note(&c.out.Completions[i])
	}
	c.out.Reset()
	c.done += ended
	if ended > 0 && c.working {
		c.net.events.after(time.Duration(c.rand.Int64N(int64(c.work.Think))), c.begin)
	}
	if at, ok := c.session.Wake(); ok && (c.woken == 0 || at < c.woken) {
		c.woken = at
		c.net.events.after(max(at-c.net.events.now, 0), c.tick)
	}
}

func (c *client) note(done *session.Completion) {
	t, now := done.Tag.(*call), c.net.events.now
	if t.bulk {
		c.noteBulk(t, done)
		return
	}
	broken := done.Status == wire.StatusInternal && done.Op.Class() == wire.ClassRead // its disk
	if done.Outcome == session.Unavailable || broken || c.damaged(done) {
		c.refused++
		return // nothing happened
	}
	out := told{
		unknown: done.Outcome != session.Answered,
		status:  done.Status, value: string(done.Value), version: done.Version,
	}
	if out.unknown {
		c.unknown++
	} else if done.Version != 0 {
		c.seen[t.key] = done.Version
	}
	if t.in.op == wire.OpScan {
		c.noteScan(t, done)
		return
	}
	if t.in.op != wire.OpGet && t.in.op != wire.OpIncrement {
		out.value = ""
	}
	c.history.add(c.id, t.key, t.in, out, t.begun, now)
}

// damaged reports whether a switch refused a scan whose bounds had lost a bit on their way: no CRC
// covers what belongs to the switches.
func (c *client) damaged(done *session.Completion) bool {
	return c.net.faults.Corrupt > 0 && done.Op == wire.OpScan && done.Status == wire.StatusBadRequest
}

// noteScan turns a page into one read of every key that it covers.
func (c *client) noteScan(t *call, done *session.Completion) {
	if done.Outcome != session.Answered || done.Status != wire.StatusOK {
		return
	}
	found := map[string]told{}
	done.Page.Each(func(r wire.ScanRecord) {
		found[string(r.Key)] = told{value: string(r.Value), version: r.Version}
	})
	for _, key := range c.names {
		covered := key >= t.start && (t.end == "" || key < t.end) &&
			(done.Page.Done || key < string(done.Page.Next))
		if !covered {
			continue
		}
		out, ok := found[key]
		if !ok {
			out = told{status: wire.StatusNotFound}
		}
		c.history.add(c.id, key, asked{op: wire.OpGet}, out, t.begun, c.net.events.now)
	}
}

// preload writes many records, so that there is something to copy.
func (c *client) preload(n int) {
	c.bulk = map[string]string{}
	for i := range n {
		key := fmt.Sprintf("%c%cbulk%d", byte(c.rand.Uint32()), byte(c.rand.Uint32()), i)
		value := strings.Repeat(fmt.Sprintf("%d.", i), 1+c.rand.IntN(60))
		c.asked++
		c.submit(&call{key: key, bulk: true, want: value}, session.Request{
			Op: wire.OpPut, Key: []byte(key), Value: []byte(value),
		})
	}
	c.flush()
}

// readAgain reads a key when all is over.
func (c *client) readAgain(key string, within time.Duration) {
	c.again(key, asked{op: wire.OpGet}, session.Request{Op: wire.OpGet}, within)
}

// writeAgain writes a key when all is over.
func (c *client) writeAgain(key string, within time.Duration) {
	in := asked{op: wire.OpPut, value: fmt.Sprintf("%d.%d", c.id, c.asked)}
	c.again(key, in, session.Request{Op: wire.OpPut, Value: []byte(in.value)}, within)
}

func (c *client) again(key string, in asked, r session.Request, within time.Duration) {
	c.asked++
	c.work.Operations++
	c.work.Deadline = within
	r.Key = []byte(key)
	c.submit(&call{key: key, in: in}, r)
}

// readPreload reads the records of preload back, but for those that are lost, and returns how many.
func (c *client) readPreload(within time.Duration) (n int) {
	c.work.Deadline = within
	for _, key := range slices.Sorted(maps.Keys(c.bulk)) {
		if !c.lost(key) {
			n++
			c.asked++
			c.submit(&call{key: key, bulk: true, want: c.bulk[key]},
				session.Request{Op: wire.OpGet, Key: []byte(key)})
		}
	}
	return n
}

// noteBulk judges one of these: nobody else writes them.
func (c *client) noteBulk(t *call, done *session.Completion) {
	answered := done.Outcome == session.Answered && done.Status == wire.StatusOK
	switch {
	case done.Op == wire.OpPut && answered:
		c.bulk[t.key] = t.want
	case done.Op == wire.OpGet && done.Outcome != session.Answered:
		c.refused++
	case done.Op == wire.OpGet && (!answered || string(done.Value) != t.want):
		c.net.fail(fmt.Errorf("key %q: was %q, and is now %v %q", t.key, t.want, done.Status, done.Value))
	}
}
