package controller_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/kv"
)

// cable joins a host to whatever switch is there.
type cable struct {
	host  port.Port
	pumps sync.WaitGroup

	mu sync.Mutex
	sw port.Port // the cable's end at the switch; nil: it hangs loose
}

// frames returns buffers for a batch.
func frames() [][]byte {
	out := make([][]byte, 64)
	for i := range out {
		out[i] = make([]byte, 0, port.MaxFrame)
	}
	return out
}

// carry copies what comes in at from until it is closed.
func carry(from port.Port, to func() port.Port) {
	bufs := frames()
	for {
		n, err := from.ReadBatch(bufs)
		if err != nil {
			return
		}
		if p := to(); p != nil {
			_, _ = p.WriteBatch(bufs[:n])
		}
	}
}

// plug puts a cable into the switch.
func (r *rig) plug(number uint16) {
	r.t.Helper()
	c := r.cables[number]
	inside, outside := port.NewPair(1024)
	if err := r.sw.AddPort(number, inside); err != nil {
		r.t.Fatal(err)
	}
	c.mu.Lock()
	old := c.sw
	c.sw = outside
	c.mu.Unlock()
	if old != nil {
		_ = old.Close()
	} else {
		c.pumps.Go(func() {
			carry(c.host, func() port.Port { c.mu.Lock(); defer c.mu.Unlock(); return c.sw })
		})
	}
	c.pumps.Go(func() { carry(outside, func() port.Port { return c.host }) })
}

// unplug takes a cable away, if there is one.
func (r *rig) unplug(number uint16) {
	if c := r.cables[number]; c != nil {
		_ = r.sw.RemovePort(number)
		_ = errors.Join(c.host.Close(), c.sw.Close())
		c.pumps.Wait()
		delete(r.cables, number)
	}
}

// listenAgain listens where another listener has just been closed: the port may not be free yet.
func listenAgain(ctx context.Context, t *testing.T, addr string) net.Listener {
	t.Helper()
	for {
		listener, err := net.Listen("tcp", addr)
		if err == nil {
			return listener
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// startSwitch starts a switch that knows nothing, with all cables plugged in.
func (r *rig) startSwitch(addr string) {
	r.t.Helper()
	sw, err := daemon.New(daemon.Config{Listener: listenAgain(r.context(), r.t, addr)})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- sw.Run(ctx) }()
	r.sw = sw
	for number := range r.cables {
		r.plug(number)
	}
	r.stopSwitch = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil && !errors.Is(err, context.Canceled) {
			r.t.Errorf("switch: %v", err)
		}
	})
}

// killSwitch ends the switch; all that it held is gone.
func (r *rig) killSwitch() (addr string) {
	addr = r.sw.Addr().String()
	r.stopSwitch()
	return addr
}

// TestASwitchThatStartsEmptyIsBroughtBackUnderLoad kills the switch, and once a node too while there
// is none: clients wait, and lose nothing.
func TestASwitchThatStartsEmptyIsBroughtBackUnderLoad(t *testing.T) {
	r := newCluster(t, 4)
	r.create(usersKey)
	w := r.write(r.client(20, "users"))
	r.finished()
	for round := range 2 {
		addr := r.killSwitch()
		r.awaitKind(controller.SwitchLost)
		if round == 1 {
			dead := r.nodes[3].ID()
			r.stopNode(3)
			r.await("evicted", func(e controller.Event) bool {
				return e.Kind == core.MemberEvicted && e.Node == dead
			})
		}
		r.startSwitch(addr)
		s := r.finished()
		if sw := s.Switches[0]; !sw.Primary || !sw.Synced || sw.PipelinePushes != uint64(round)+2 {
			t.Fatalf("round %d: %+v", round, sw)
		}
	}
	for _, sr := range r.finished().SubRanges {
		if sr.Keyspace != kv.SystemKeyspace && sr.Chain.Position(r.nodes[3].ID()) >= 0 {
			t.Errorf("%v: %v", sr.ID, sr.Chain)
		}
	}
	w.verify(r.context())
}
