package session

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// twin watches a session from outside and keeps, slowly and obviously, what each packet must say
// about the writes that are outstanding.
type twin struct {
	t       testing.TB
	session *Session
	out     Output
	window  int

	open     map[int]bool                  // submitted and not ended, by tag
	packets  map[kv.RequestSeq]wire.Packet // as first sent, of requests that have not ended
	tags     map[int]kv.RequestSeq         // sent and not ended
	lastSeq  kv.RequestSeq
	deadline map[int]time.Duration
}

func newTwin(t testing.TB, seed uint64, window, queue, span int) *twin {
	s, err := New(Config{
		Rand: rand.New(rand.NewPCG(seed, 3)), Window: window, Queue: queue, Span: span,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &twin{
		t: t, session: s, window: window, open: map[int]bool{}, tags: map[int]kv.RequestSeq{},
		packets: map[kv.RequestSeq]wire.Packet{}, deadline: map[int]time.Duration{},
	}
}

func (w *twin) submit(now time.Duration, r Request) (Handle, bool) {
	h, ok := w.session.Submit(now, &r, &w.out)
	if ok {
		tag := r.Tag.(int)
		w.open[tag], w.deadline[tag] = true, r.Deadline
	}
	w.check(now)
	return h, ok
}

// check judges what the last call put out. Requests end before others take their room, so
// completions come first.
func (w *twin) check(now time.Duration) {
	for _, c := range w.out.Completions {
		w.end(now, c)
	}
	for _, p := range w.out.Packets {
		w.sent(p)
	}
	w.out.Reset()
	if len(w.packets) > w.window {
		w.t.Fatalf("%d requests in flight, window %d", len(w.packets), w.window)
	}
	if at, ok := w.session.Wake(); ok != (len(w.open) > 0) || ok && at > w.nextDeadline() {
		w.t.Fatalf("wakes at %v (%v), next deadline %v", at, ok, w.nextDeadline())
	}
}

func (w *twin) nextDeadline() time.Duration {
	next := never
	for tag := range w.open {
		next = min(next, w.deadline[tag])
	}
	return next
}

func (w *twin) end(now time.Duration, c Completion) {
	tag := c.Tag.(int)
	seq, sent := w.tags[tag]
	if !w.open[tag] {
		w.t.Fatalf("request %d ends twice", tag)
	}
	write := c.Op.Class() == wire.ClassWrite
	switch {
	case c.Outcome == Answered && !sent:
		w.t.Fatalf("request %d was answered and never sent", tag)
	case c.Outcome == Unavailable && write && sent, c.Outcome == Unknown && !(write && sent):
		w.t.Fatalf("%v request %d, sent: %v, ends as %v", c.Op, tag, sent, c.Outcome)
	case c.Cause == ByDeadline && now < w.deadline[tag]:
		w.t.Fatalf("request %d ends before its deadline", tag)
	}
	delete(w.open, tag)
	delete(w.tags, tag)
	delete(w.packets, seq)
}

// lowest is the lowest sequence number of a write that was sent and has not ended.
func (w *twin) lowest(none kv.RequestSeq) kv.RequestSeq {
	low := none
	for seq, p := range w.packets {
		if p.Op().Class() == wire.ClassWrite && p.Client() == w.session.ID() {
			low = min(low, seq)
		}
	}
	return low
}

func (w *twin) sent(p wire.Packet) {
	if _, err := wire.Parse(p); err != nil {
		w.t.Fatalf("sent a packet that is not valid: %v", err)
	}
	if first, again := w.packets[p.Sequence()]; again {
		if !bytes.Equal(first, p) {
			w.t.Fatalf("request %d changed when it was sent again", p.Sequence())
		}
		return
	}
	if p.Sequence() <= w.lastSeq {
		w.t.Fatalf("sequence %d was sent after its request had ended", p.Sequence())
	}
	w.lastSeq = p.Sequence()
	w.packets[p.Sequence()] = bytes.Clone(p)
	// Under a number that is not the session's first, writes of the old number may hold it down,
	// but not below what was sent under the old number.
	got, want := p.LowestOutstanding(), w.lowest(p.Sequence())
	renewed := w.session.born > 1
	if got > want || got < w.session.born || got != want && !renewed {
		w.t.Fatalf("request %d says lowest outstanding %d, want %d", p.Sequence(), got, want)
	}
	_, slot := w.session.bySequence(p.Sequence())
	w.tags[slot.tag.(int)] = p.Sequence()
}

// any returns one of the packets in flight.
func (w *twin) any(pick int) wire.Packet {
	low := w.lastSeq
	for seq := range w.packets {
		low = min(low, seq)
	}
	for seq := low; seq <= w.lastSeq; seq++ {
		if p, ok := w.packets[seq]; ok {
			if pick--; pick < 0 {
				return p
			}
		}
	}
	return nil
}

var twinOps = []wire.Op{wire.OpGet, wire.OpPut, wire.OpCAS, wire.OpIncrement, wire.OpScan}

// play lets the next byte of a script say what happens next.
func (w *twin) play(script []byte) {
	var now time.Duration
	var handles []Handle
	take := func() int {
		if len(script) == 0 {
			return 0
		}
		b := script[0]
		script = script[1:]
		return int(b)
	}
	for tag := 0; len(script) > 0; {
		switch action := take(); action % 8 {
		case 0, 1, 2:
			h, ok := w.submit(now, Request{
				Op: twinOps[take()%len(twinOps)], Partitioner: kv.RangePartitioned,
				Key: []byte("key"), Value: []byte("12345678"), Tag: tag, Budget: uint8(action % 3),
				Deadline: now + time.Duration(take())*time.Millisecond,
			})
			if ok {
				handles = append(handles, h)
				tag++
			}
		case 3, 4, 5:
			w.reply(now, take(), take(), take())
		case 6:
			now += time.Duration(take()) * 100 * time.Microsecond
			w.session.Tick(now, &w.out)
			w.check(now)
		case 7:
			if n := take(); len(handles) > 0 {
				w.session.Cancel(now, handles[n%len(handles)], ByCancel, &w.out)
				w.check(now)
			}
		}
	}
	w.session.Close(now, &w.out)
	for _, c := range w.out.Completions {
		w.end(now, c)
	}
	if len(w.open) != 0 {
		w.t.Fatalf("%d requests never end", len(w.open))
	}
}

// reply delivers a reply to one of the packets in flight, or what a network made of it.
func (w *twin) reply(now time.Duration, pick, status, spoil int) {
	p := w.any(pick % max(1, len(w.packets)))
	if p == nil {
		return
	}
	r := wire.Packet(append(p.AppendReply(nil, wire.Status(status%14)), 0, 0))
	r.SetRecordVersion(3)
	if status >= 128 {
		r.SetFlags(wire.FlagReply | wire.FlagFromSwitch)
	}
	r.Seal()
	if spoil%4 == 3 {
		r[(spoil*7)%len(r)] ^= byte(status)
		if spoil >= 128 {
			r.Seal()
		}
	}
	w.session.Deliver(now, r, &w.out)
	w.check(now)
}

func TestBookkeepingAgainstTwin(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		script := make([]byte, 2000)
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		newTwin(t, seed, 1+r.IntN(20), 1+r.IntN(20), 1+r.IntN(20)).play(script)
	}
}

// FuzzSession plays scripts that the fuzzer invents; the twin judges them.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 1, 50, 3, 0, 0, 0, 6, 255, 0, 4, 9, 4, 0, 3, 131})
	f.Fuzz(func(t *testing.T, script []byte) { newTwin(t, 1, 4, 4, 4).play(script) })
}

// FuzzDeliver delivers packets that the fuzzer invents to a session with one request of each kind
// in flight.
func FuzzDeliver(f *testing.F) {
	get := wire.Packet(wire.AppendKeyed(wire.Append(nil, wire.OpGet), []byte("k"), nil))
	get.Seal()
	scan := wire.BeginScanReply(wire.Append(nil, wire.OpScan))
	scan.Add(wire.ScanRecord{Key: []byte("k"), Value: []byte("v"), Version: 1})
	f.Add([]byte(get), uint8(1), uint16(wire.FlagReply))
	f.Add(scan.Finish(), uint8(5), uint16(wire.FlagReply|wire.FlagMore))
	f.Fuzz(func(t *testing.T, b []byte, seq uint8, flags uint16) {
		w := newTwin(t, 1, 8, 8, 8)
		for i, op := range twinOps {
			w.submit(0, Request{
				Op: op, Partitioner: kv.RangePartitioned, Key: []byte("k"), Value: []byte("12345678"),
				Deadline: time.Second, Tag: i, Budget: 4,
			})
		}
		w.session.Deliver(time.Millisecond, b, &w.out)
		w.check(time.Millisecond)
		if len(b) >= wire.HeaderSize { // past the checks that fuzzers seldom pass
			p := wire.Packet(bytes.Clone(b))
			p.SetFlags(wire.Flags(flags))
			p.SetRequest(w.session.ID(), kv.RequestSeq(seq), 1)
			p.Seal()
			w.session.Deliver(time.Millisecond, p, &w.out)
		}
		for _, c := range w.out.Completions {
			if c.Page != nil {
				c.Page.Each(func(r wire.ScanRecord) {
					if len(r.Key) == 0 {
						t.Fatal("a record without a key")
					}
				})
			}
		}
		w.check(time.Millisecond)
	})
}
