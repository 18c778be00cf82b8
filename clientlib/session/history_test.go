package session

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/turbokv/turbokv/clientlib/internal/teststore"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run TestHistories with this seed only")
	seedsFlag = flag.Uint64("seeds", 60, "number of seeds of TestHistories")
)

const testKeyspace kv.KeyspaceID = 7

// TestHistories runs clients against a store over a network that loses, duplicates, delays and
// spoils packets, with refusals in between, in virtual time, and judges the history of each key.
func TestHistories(t *testing.T) {
	ended := map[string]int{}
	first, last := uint64(1), *seedsFlag
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	for seed := first; seed <= last; seed++ {
		w := newWorld(t, seed)
		w.run()
		w.judge()
		for outcome, n := range w.ended {
			ended[outcome] += n
		}
		if t.Failed() {
			t.Fatalf("again: go test ./clientlib/session -run TestHistories -seed %d", seed)
		}
	}
	t.Logf("operations by outcome: %v", ended)
	if *seedFlag == 0 && (ended["unknown"] == 0 || ended["unavailable"] == 0) {
		t.Error("the runs did not meet all outcomes")
	}
}

// world is one run: some sessions, one store, and the packets between them.
type world struct {
	t       *testing.T
	rand    *rand.Rand
	now     time.Duration
	loss    float64 // probability, for each kind of mishap
	clients []*actor
	store   *teststore.Store
	flights []flight // in the network
	history []porcupine.Operation
	ended   map[string]int // by outcome
}

// flight is a packet on its way; to is nil for the store.
type flight struct {
	at     time.Duration
	from   *actor
	to     *actor
	packet []byte
}

// actor is a client with some operations at a time.
type actor struct {
	id       int
	session  *Session
	out      Output
	left     int // operations to start
	inFlight int
}

type started struct {
	input
	at time.Duration
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, rand: rand.New(rand.NewPCG(seed, 2)), store: teststore.New(testKeyspace),
		ended: map[string]int{},
	}
	w.loss = w.rand.Float64() * 0.2
	w.store.Refuse = w.refuse
	for i := range 3 {
		s, err := New(Config{
			Rand: rand.New(rand.NewPCG(seed, uint64(10+i))), Window: 1 + w.rand.IntN(16), Span: 64,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.clients = append(w.clients, &actor{id: i, session: s, left: 80})
	}
	return w
}

func (w *world) chance(p float64) bool { return w.rand.Float64() < p }

// refuse makes nodes and switch refuse requests as they do while chains change.
func (w *world) refuse(wire.Packet) teststore.Refusal {
	if !w.chance(w.loss) {
		return teststore.Refusal{}
	}
	return []teststore.Refusal{
		{Status: wire.StatusTryAgain}, {Status: wire.StatusWrongEpoch},
		{Status: wire.StatusTryAgain, FromSwitch: true}, {Silent: true},
	}[w.rand.IntN(4)]
}

// run plays events in the order of their times until all operations have ended.
func (w *world) run() {
	for steps := 0; ; steps++ {
		if steps > 200_000 {
			w.t.Fatal("the clients do not come to an end")
		}
		for _, a := range w.clients {
			for a.left > 0 && a.inFlight < 4 {
				w.start(a)
			}
		}
		if !w.step() {
			return
		}
	}
}

// step moves time to the next event and lets it happen.
func (w *world) step() bool {
	next := never
	for _, a := range w.clients {
		if at, ok := a.session.Wake(); ok {
			next = min(next, at)
		}
	}
	if i := w.nextFlight(); i >= 0 && w.flights[i].at <= next {
		f := w.flights[i]
		w.flights = slices.Delete(w.flights, i, i+1)
		w.now = max(w.now, f.at)
		w.arrive(f)
		return true
	}
	if next == never {
		return len(w.flights) > 0
	}
	w.now = max(w.now, next)
	for _, a := range w.clients {
		a.session.Tick(w.now, &a.out)
		w.drain(a)
	}
	return true
}

func (w *world) nextFlight() int {
	if len(w.flights) == 0 {
		return -1
	}
	first := slices.MinFunc(w.flights, func(a, b flight) int { return cmp.Compare(a.at, b.at) })
	return slices.IndexFunc(w.flights, func(f flight) bool { return f.at == first.at })
}

func (w *world) arrive(f flight) {
	if f.to != nil {
		f.to.session.Deliver(w.now, f.packet, &f.to.out)
		w.drain(f.to)
		return
	}
	w.store.Handle(f.packet, func(p wire.Packet) { w.launch(flight{to: f.from, packet: p}) })
}

// launch puts a packet into the network, which loses, duplicates, delays and spoils.
func (w *world) launch(f flight) {
	for copies := 1; copies > 0; copies-- {
		if w.chance(w.loss) {
			continue
		}
		if w.chance(w.loss) {
			copies++
		}
		g := f
		g.packet = bytes.Clone(f.packet)
		delay := 50 * time.Microsecond
		if w.chance(w.loss) { // far behind others, and behind its deadline now and then
			delay = time.Duration(w.rand.Int64N(int64(300 * time.Millisecond)))
		}
		g.at = w.now + time.Duration(w.rand.Int64N(int64(delay)))
		if w.chance(w.loss / 4) {
			g.packet[w.rand.IntN(len(g.packet))] ^= 1 << w.rand.IntN(8)
		}
		w.flights = append(w.flights, g)
	}
}

// start begins a random operation.
func (w *world) start(a *actor) {
	in := input{
		op: []wire.Op{
			wire.OpGet, wire.OpGet, wire.OpPut, wire.OpCAS, wire.OpDelete, wire.OpIncrement,
		}[w.rand.IntN(6)],
		key: string('a' + rune(w.rand.IntN(6))),
	}
	switch in.op {
	case wire.OpPut:
		in.value = fmt.Sprintf("%d.%d", a.id, a.left)
	case wire.OpCAS:
		in.value = string(wire.AppendNumber(nil, int64(a.left)))
		in.expected = kv.Version(w.rand.IntN(8)) * kv.Version(w.rand.IntN(2))
	case wire.OpIncrement:
		in.value = string(wire.AppendNumber(nil, 1))
	}
	a.left--
	a.inFlight++
	r := Request{
		Op: in.op, Keyspace: testKeyspace, Partitioner: kv.RangePartitioned, Key: []byte(in.key),
		Value: []byte(in.value), Version: in.expected, Tag: started{in, w.now},
		Deadline: w.now + time.Duration(w.rand.Int64N(int64(400*time.Millisecond))),
	}
	if _, ok := a.session.Submit(w.now, &r, &a.out); !ok {
		w.t.Fatal("queue full")
	}
	w.drain(a)
}

// drain carries out what a session wants and writes history.
func (w *world) drain(a *actor) {
	for _, p := range a.out.Packets {
		w.launch(flight{from: a, packet: p})
	}
	for _, c := range a.out.Completions {
		a.inFlight--
		w.ended[c.Outcome.String()]++
		w.record(a, c)
	}
	a.out.Reset()
}

func (w *world) record(a *actor, c Completion) {
	op := c.Tag.(started)
	if c.Outcome == Unavailable {
		return // by promise, nothing has happened
	}
	end := w.now
	if c.Outcome == Unknown {
		end = never // it may happen at any time from now on
	}
	w.history = append(w.history, porcupine.Operation{
		ClientId: a.id, Input: op.input, Call: int64(op.at), Return: int64(end),
		Output: output{c.Outcome, c.Status, c.Version, string(c.Value)},
	})
}

func (w *world) judge() {
	for id, n := range w.store.Executed {
		if n != 1 {
			w.t.Errorf("write %s executed %d times", id, n)
		}
	}
	result := porcupine.CheckOperationsTimeout(model.ToModel(), w.history, 20*time.Second)
	if result != porcupine.Ok {
		w.t.Errorf("history of %d operations: %v", len(w.history), result)
	}
}
