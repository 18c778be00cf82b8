package storagenode

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

func TestChainServesBothDurabilities(t *testing.T) {
	for _, d := range []kv.Durability{kv.DurabilityMemory, kv.DurabilitySync} {
		t.Run(d.String(), func(t *testing.T) {
			network := transport.NewNetwork()
			nodes, a := startChain(t, network, d)
			c := newClient(t, listen(t, network, nodeAddr(9)), wire.Port, a)
			var puts, gets []request
			for i := range 200 {
				puts = append(puts, request{wire.OpPut, fmt.Sprint("k", i), fmt.Sprint("v", i)})
				gets = append(gets, request{op: wire.OpGet, key: fmt.Sprint("k", i)})
			}
			for i, r := range c.do(t, puts...) {
				if r.status != wire.StatusOK || r.version == 0 {
					t.Errorf("put %d: %v, version %d", i, r.status, r.version)
				}
			}
			for i, r := range c.do(t, gets...) {
				if r.status != wire.StatusOK || r.value != puts[i].value {
					t.Errorf("get %d: %v %q, want %q", i, r.status, r.value, puts[i].value)
				}
			}
			if got := nodes[0].Stats(); got.Ordered != 200 || (got.Syncs > 0) != (d == kv.DurabilitySync) {
				t.Errorf("head: %+v", got)
			}
		})
	}
}

// TestNodeJoinsUnderLoad: a chain of one gets a second member while a client writes, which then goes
// on alone.
func TestNodeJoinsUnderLoad(t *testing.T) {
	for _, d := range []kv.Durability{kv.DurabilityMemory, kv.DurabilitySync} {
		t.Run(d.String(), func(t *testing.T) {
			network := transport.NewNetwork()
			var nodes []*Node
			for i := range 2 {
				nodes = append(nodes, startNode(t, Config{
					Conn: listen(t, network, nodeAddr(i+1)), DataDir: t.TempDir(),
				}))
			}
			a := wholeLine(d, nodeAddr(1))
			configure := func(to ...*Node) {
				for _, n := range to {
					if err := n.Configure(a); err != nil {
						t.Fatal(err)
					}
				}
			}
			configure(nodes[0])
			c := newClient(t, listen(t, network, nodeAddr(9)), wire.Port, a)
			write := func(from, to int) {
				var puts []request
				for i := from; i < to; i++ {
					puts = append(puts, request{wire.OpPut, fmt.Sprint("k", i), fmt.Sprint("v", i)})
				}
				c.do(t, puts...)
			}
			write(0, 1000)

			a.Epoch, a.Create, a.Since, a.Learner = 2, false, 2, nodes[1].ID()
			configure(nodes[1])
			a.Since = 1
			configure(nodes[0])
			c.to = a
			write(1000, 2000)
			eventually(t, "joined", func() bool { return nodes[1].Reports()[0].Joined })

			a.Epoch, a.Learner, a.Chain = 3, 0, append(a.Chain, nodes[1].ID())
			a.Since = 2
			configure(nodes[1])
			a.Since = 1
			configure(nodes[0])
			c.to = a
			write(2000, 2100)

			a.Epoch, a.Since, a.Chain = 4, 2, a.Chain[1:]
			configure(nodes[1])
			c.to = a
			for i, r := range c.do(t, gets(2100)...) {
				if want := fmt.Sprint("v", i); r.status != wire.StatusOK || r.value != want {
					t.Fatalf("get %d: %v %q, want %q", i, r.status, r.value, want)
				}
			}
		})
	}
}

// gets returns requests for the keys k0 and so on.
func gets(n int) (out []request) {
	for i := range n {
		out = append(out, request{op: wire.OpGet, key: fmt.Sprint("k", i)})
	}
	return out
}

func TestRestartedNodeServesWithoutBeingConfigured(t *testing.T) {
	network, dir := transport.NewNetwork(), t.TempDir()
	a := wholeLine(kv.DurabilitySync, nodeAddr(1))
	ctx := context.Background()
	n, err := Start(ctx, Config{Conn: listen(t, network, nodeAddr(1)), DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Configure(a); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, listen(t, network, nodeAddr(9)), wire.Port, a)
	c.do(t, request{wire.OpPut, "k", "v"})
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	again := startNode(t, Config{Conn: listen(t, network, nodeAddr(1)), DataDir: dir})
	if again.Incarnation() <= n.Incarnation() {
		t.Errorf("incarnation %d after %d", again.Incarnation(), n.Incarnation())
	}
	if got := c.do(t, request{op: wire.OpGet, key: "k"})[0]; got.value != "v" {
		t.Errorf("after restart: %v %q", got.status, got.value)
	}
}

// TestRestartedMemoryReplicaIsLost is the price of durability memory: the node says so and refuses,
// because beginning empty would look like data to its chain.
func TestRestartedMemoryReplicaIsLost(t *testing.T) {
	network, dir := transport.NewNetwork(), t.TempDir()
	a := wholeLine(kv.DurabilityMemory, nodeAddr(1))
	n, err := Start(context.Background(), Config{Conn: listen(t, network, nodeAddr(1)), DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Configure(a); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	again := startNode(t, Config{Conn: listen(t, network, nodeAddr(1)), DataDir: dir})
	if got := again.states(); len(got) != 1 || !got[0].StateLost || got[0].Recovering {
		t.Errorf("told to the controller: %v, want one lost replica", got)
	}
	own := listen(t, network, nodeAddr(9))
	t.Cleanup(func() { _ = own.Close() })
	c := client{conn: own, port: wire.Port, to: a, id: 1, next: 1}
	p, to := c.packet(request{op: wire.OpGet, key: "k"}, 1, 1)
	if err := own.WriteBatch([]transport.Message{{Addr: to, Payload: p}}); err != nil {
		t.Fatal(err)
	}
	msgs := make([]transport.Message, 1)
	if _, err := own.ReadBatch(msgs); err != nil {
		t.Fatal(err)
	}
	if got := wire.Packet(msgs[0].Payload).Status(); got != wire.StatusTryAgain {
		t.Errorf("get: %v, want %v", got, wire.StatusTryAgain)
	}
}

// brokenDisk is a durable engine whose fsync can be made to fail.
type brokenDisk struct {
	serverlib.Engine
	err chan error
}

func (b brokenDisk) Sync() error {
	select {
	case err := <-b.err:
		return err
	default:
		return b.Engine.Sync()
	}
}

func TestNodeWithABrokenDiskAcknowledgesNothing(t *testing.T) {
	network := transport.NewNetwork()
	failed := make(chan error, 1)
	disk := brokenDisk{err: make(chan error, 1)}
	n := startNode(t, Config{
		Conn: listen(t, network, nodeAddr(1)), DataDir: t.TempDir(),
		Events: Events{Failed: func(d kv.Durability, err error) { failed <- err }},
		wrap: func(e serverlib.Engine) serverlib.Engine {
			disk.Engine = e
			return disk
		},
	})
	a := wholeLine(kv.DurabilitySync, nodeAddr(1))
	if err := n.Configure(a); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, listen(t, network, nodeAddr(9)), wire.Port, a)
	c.do(t, request{wire.OpPut, "before", "v"})

	broken := errors.New("disk is broken")
	disk.err <- broken
	p, to := c.packet(request{wire.OpPut, "after", "v"}, c.next, c.next)
	if err := c.conn.WriteBatch([]transport.Message{{Addr: to, Payload: p}}); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, broken) {
		t.Errorf("reported %v, want %v", err, broken)
	}
	select {
	case r := <-c.replies:
		if r.status == wire.StatusOK {
			t.Error("acknowledged what the disk does not have")
		}
	default:
	}
	if got := n.Reports(); len(got) != 1 || got[0].State != serverlib.StateFailed {
		t.Errorf("reports %+v, want one failed replica", got)
	}
}

func TestNodeEndsWhenItsConnDoes(t *testing.T) {
	conn := listen(t, transport.NewNetwork(), nodeAddr(1))
	n, err := Start(context.Background(), Config{Conn: conn})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	<-n.Done()
	if err := n.Close(); err == nil {
		t.Error("no error says why the node ended")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	network := transport.NewNetwork()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	conn := listen(t, network, nodeAddr(1))
	go func() { done <- Run(ctx, Config{Conn: conn, DataDir: t.TempDir()}) }()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}
