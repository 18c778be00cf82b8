package storagenode

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/storagenode/engine"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// childVariable makes the test binary a node process: its value is a childConfig in JSON.
const childVariable = "TURBOKV_NODE_CHILD"

// childConfig tells a node process who it is.
type childConfig struct {
	Addr   netip.AddrPort
	Engine engine.Kind
	Dir    string
	Assign *kv.Assignment // at the first start; later ones find it in Dir
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		fmt.Fprintln(os.Stderr, runChild(text))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// runChild serves until the process is killed.
func runChild(text string) error {
	var cfg childConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	conn, err := transport.ListenUDP(cfg.Addr)
	if err != nil {
		return err
	}
	n, err := Start(context.Background(), Config{Conn: conn, DataDir: cfg.Dir, Engine: cfg.Engine})
	if err != nil {
		return err
	}
	if cfg.Assign != nil {
		if err := n.Configure(*cfg.Assign); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	<-n.Done()
	return n.Close()
}

// process is a node in a process of its own.
type process struct {
	cfg childConfig
	cmd *exec.Cmd
}

// start starts the process and waits until it serves.
func (p *process) start(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(p.cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("node %v said %q: %v", p.cfg.Addr, line, err)
	}
	p.cfg.Assign = nil
}

// kill ends the process as a crash would.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = p.cmd.Wait() // reports the signal
}

// startProcesses starts a chain of node processes on loopback addresses, and returns a client
// beside it.
func startProcesses(t *testing.T, kind engine.Kind) ([]*process, *client) {
	t.Helper()
	conn, err := transport.ListenUDP(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	port := conn.LocalAddr().Port() // free on 127.0.0.1, so very likely on its neighbours too
	var addrs []netip.AddrPort
	for i := range 3 {
		addrs = append(addrs, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(11 + i)}), port))
	}
	a := wholeLine(kv.DurabilitySync, addrs...)
	var out []*process
	for _, addr := range addrs {
		p := &process{cfg: childConfig{Addr: addr, Engine: kind, Dir: t.TempDir(), Assign: &a}}
		p.start(t)
		t.Cleanup(func() { p.kill(t) })
		out = append(out, p)
	}
	return out, newClient(t, conn, port, a)
}

// TestKilledNodesLoseNothingAcknowledged kills nodes of a chain under load, one after another and
// then all at once, and reads back every write that was acknowledged.
func TestKilledNodesLoseNothingAcknowledged(t *testing.T) {
	for _, kind := range []engine.Kind{engine.Pebble, engine.Bbolt} {
		t.Run(string(kind), func(t *testing.T) { killNodes(t, kind) })
	}
}

func killNodes(t *testing.T, kind engine.Kind) {
	nodes, c := startProcesses(t, kind)
	var acked sync.Map // key -> value
	var count atomic.Int64
	var stop atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		err := c.stream(t.Context(), func(i int) (request, bool) {
			return request{wire.OpPut, fmt.Sprintf("key%d", i), fmt.Sprintf("value%d", i)}, !stop.Load()
		}, func(_ int, q request, r reply) {
			if r.status != wire.StatusOK {
				t.Errorf("put %s: %v", q.key, r.status)
			}
			acked.Store(q.key, q.value)
			count.Add(1)
		})
		if err != nil {
			t.Error(err)
		}
	})
	goOn := func() { // until the chain has acknowledged some more
		enough := count.Load() + 200
		eventually(t, "progress", func() bool { return count.Load() >= enough || t.Failed() })
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for range 4 {
		goOn()
		n := nodes[rng.IntN(len(nodes))]
		n.kill(t)
		n.start(t)
	}
	goOn()
	for _, n := range nodes {
		n.kill(t)
	}
	for _, n := range nodes {
		n.start(t)
	}
	goOn()
	stop.Store(true)
	writer.Wait()
	checkAcked(t, c, &acked)
}

func checkAcked(t *testing.T, c *client, acked *sync.Map) {
	t.Helper()
	var gets []request
	var want []string
	acked.Range(func(key, value any) bool {
		gets = append(gets, request{op: wire.OpGet, key: key.(string)})
		want = append(want, value.(string))
		return true
	})
	for i, got := range c.do(t, gets...) {
		if got.status != wire.StatusOK || got.value != want[i] {
			t.Errorf("get %s: %v %q, want %q", gets[i].key, got.status, got.value, want[i])
		}
	}
	t.Logf("%d acknowledged writes were looked for", len(gets))
}
