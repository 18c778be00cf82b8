package netns_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/transport"
)

// Sizes of a watch: as much as a history checker takes in a few seconds.
const (
	watchKeys    = 16 // half of them counters
	watchWorkers = 2  // per host
	watchPause   = 10 * time.Millisecond
	watchTimeout = 12 * time.Second // of a request: longer than all that is done to the network at once
	judgeTime    = 20 * time.Second
)

// watch is a load from several hosts on a few keys, all of whose operations are noted, so that they can
// be judged at the end: is there an order of them, within their times, that one store could have
// answered like this?
type watch struct {
	t       testing.TB
	stop    context.CancelFunc
	workers sync.WaitGroup
	hosts   map[string]*observer
	began   time.Time
	mu      sync.Mutex // guards ops
	ops     []porcupine.Operation
}

// observer is the client of one host.
type observer struct {
	client *clientlib.Client
	done   atomic.Int64 // operations that were answered
}

// input is an operation; out is its answer.
type (
	input struct {
		key     int
		write   bool
		counter bool
		value   uint64 // of a write to a register
	}
	out struct {
		unknown bool
		value   uint64 // 0: there is no record
	}
)

func keyOf(i int) []byte { return fmt.Appendf(nil, "watched-%d", i) }

// isCounter tells the keys that are only incremented from those that are only written.
func isCounter(key int) bool { return key%2 == 0 }

// watchFrom begins a watch from hosts.
func (n *network) watchFrom(keyspace string, hosts ...string) *watch {
	n.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	w := &watch{t: n.t, stop: stop, hosts: map[string]*observer{}, began: time.Now()}
	n.t.Cleanup(func() { w.end() })
	for i, h := range hosts {
		o := &observer{client: n.dial(h, keyspace)}
		w.hosts[h] = o
		for j := range watchWorkers {
			id := i*watchWorkers + j
			w.workers.Go(func() { w.work(ctx, id, o) })
		}
	}
	return w
}

// dial opens a client over a socket in a host.
func (n *network) dial(host, keyspace string) *clientlib.Client {
	n.t.Helper()
	space, err := n.Namespace(host)
	if err != nil {
		n.t.Fatal(err)
	}
	var conn transport.Conn
	err = netns.Inside(space, func() (err error) {
		conn, err = transport.ListenUDP(netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	c, err := clientlib.Dial(n.t.Context(), clientlib.Config{
		Keyspace: keyspace, Conn: conn, Service: n.Plan().Service, Timeout: watchTimeout,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	return c
}

// work sends one operation after the other.
func (w *watch) work(ctx context.Context, id int, o *observer) {
	r := rand.New(rand.NewPCG(1, uint64(id)))
	tick := time.NewTicker(watchPause)
	defer tick.Stop()
	for written := uint64(1); ; written++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		key := r.IntN(watchKeys)
		in := input{key: key, write: r.IntN(2) == 0, counter: isCounter(key)}
		if in.write && !in.counter {
			in.value = uint64(id)<<32 | written
		}
		w.note(id, o, in)
	}
}

// note runs an operation and enters it. One without an answer may take effect at any later time.
func (w *watch) note(id int, o *observer, in input) {
	call := time.Since(w.began)
	answer, err := ask(o.client, in)
	end := time.Since(w.began)
	if err != nil && !errors.Is(err, clientlib.ErrUnavailable) && !errors.Is(err, clientlib.ErrOutcomeUnknown) {
		w.t.Errorf("%+v: %v", in, err)
	}
	switch {
	case err == nil:
		o.done.Add(1)
	case !in.write || errors.Is(err, clientlib.ErrUnavailable) && !errors.Is(err, clientlib.ErrOutcomeUnknown):
		return // nothing happened
	default:
		answer, end = out{unknown: true}, time.Duration(1<<62)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ops = append(w.ops, porcupine.Operation{
		ClientId: id, Input: in, Output: answer, Call: int64(call), Return: int64(end),
	})
}

func ask(c *clientlib.Client, in input) (out, error) {
	ctx := context.Background() // the client bounds each request
	key := keyOf(in.key)
	switch {
	case in.write && in.counter:
		sum, err := c.Increment(ctx, key, 1)
		return out{value: uint64(sum)}, err
	case in.write:
		_, err := c.Put(ctx, key, binary.BigEndian.AppendUint64(nil, in.value), nil)
		return out{}, err
	}
	r, err := c.Get(ctx, key)
	if errors.Is(err, clientlib.ErrNotFound) {
		return out{}, nil
	}
	if err != nil || len(r.Value) != 8 {
		return out{}, errors.Join(err, lengthError(r.Value, err))
	}
	return out{value: binary.BigEndian.Uint64(r.Value)}, nil
}

func lengthError(value []byte, err error) error {
	if err != nil || len(value) == 8 {
		return nil
	}
	return fmt.Errorf("value of %d bytes", len(value))
}

// model is one key.
var model = porcupine.Model{
	Partition: func(ops []porcupine.Operation) (parts [][]porcupine.Operation) {
		parts = make([][]porcupine.Operation, watchKeys)
		for _, o := range ops {
			parts[o.Input.(input).key] = append(parts[o.Input.(input).key], o)
		}
		return parts
	},
	Init: func() any { return uint64(0) },
	Step: func(state, in, answer any) (bool, any) {
		now, i, o := state.(uint64), in.(input), answer.(out)
		switch {
		case i.write && i.counter:
			return o.unknown || o.value == now+1, now + 1
		case i.write:
			return true, i.value
		}
		return o.value == now, now
	},
	DescribeOperation: func(in, answer any) string { return fmt.Sprintf("%+v: %+v", in, answer) },
}

// progress waits until every one of these hosts has got some more answers.
func (w *watch) progress(what string, hosts ...string) {
	w.t.Helper()
	const more = 10
	goal := make(map[string]int64)
	for _, h := range hosts {
		goal[h] = w.hosts[h].done.Load() + more
	}
	await(w.t, what, func() error {
		for h, want := range goal {
			if got := w.hosts[h].done.Load(); got < want {
				return fmt.Errorf("%s has %d answers, not %d", h, got, want)
			}
		}
		return nil
	})
}

// end ends the load; a second call does nothing.
func (w *watch) end() {
	w.stop()
	w.workers.Wait()
}

// judge ends the watch, reads all keys once more, and demands that all that was answered is right.
func (w *watch) judge() {
	w.t.Helper()
	w.end()
	id := len(w.hosts) * watchWorkers
	for _, o := range w.hosts {
		for key := range watchKeys {
			w.note(id, o, input{key: key, counter: isCounter(key)})
		}
		id++
	}
	unknown := 0
	for _, o := range w.ops {
		if o.Output.(out).unknown {
			unknown++
		}
	}
	w.t.Logf("history: %d operations, %d of them with an unknown outcome", len(w.ops), unknown)
	switch porcupine.CheckOperationsTimeout(model, w.ops, judgeTime) {
	case porcupine.Illegal:
		w.t.Error("no store could have answered like this")
	case porcupine.Unknown:
		w.t.Errorf("the history could not be judged within %v", judgeTime)
	}
}
