package core_test

import (
	"flag"
	"testing"
	"time"

	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

var (
	seeds = flag.Int("seeds", 20, "how many random runs of the core")
	seed  = flag.Uint64("seed", 0, "run only this one")
)

// TestRandomRuns lets nodes die and come back, sessions break, the controller restart and operators
// change their minds. After every step the directory holds its invariants and no chain has given up
// the last copy of an acknowledged write; when the faults are over, everything is whole again.
func TestRandomRuns(t *testing.T) {
	for i := range uint64(*seeds) {
		if *seed > 0 && *seed != i {
			continue
		}
		randomRun(t, i)
		if t.Failed() {
			t.Fatalf("replay: go test ./controller/core -run TestRandomRuns -seed %d", i)
		}
	}
}

func randomRun(t *testing.T, seed uint64) {
	t.Logf("seed %d", seed)
	policy := core.Policy{NoBalance: seed%3 != 0, RepairDelay: 300 * ms}
	policy.Balance.Hold = time.Second
	w := newWorld(t, seed, 4+int(seed%4), 1+int(seed/4%4), policy)
	w.ready()
	w.create("users", kv.DurabilitySync, 3, 6)
	w.create("cache", kv.DurabilityMemory, 2, 4)
	w.create("single", kv.DurabilitySync, 1, 3)
	w.operated = true
	faults := []func(){w.killSome, w.killSome, w.startSome, w.startSome, w.startSome, w.cutSome,
		w.command, w.command, w.command, w.restartController, w.loseSwitch, w.findSwitch, w.cutSomeRack, w.mendRacks}
	if seed%4 == 0 { // the controller dies again and again
		w.crashes = 3
	}
	for range 150 {
		faults[w.rand.IntN(len(faults))]()
		w.pass(time.Duration(w.rand.IntN(300)) * ms)
	}
	w.crashes = 0
	if w.core == nil {
		w.startController()
	}
	for _, n := range w.nodes {
		if !n.up {
			n.start()
		}
		w.did(func() { _ = w.core.Admit(w.now, n.id) })
	}
	for _, sw := range w.sw {
		sw.lost, sw.dead = false, false
	}
	w.did(func() {})
	w.log("the faults are over")
	w.settle(2 * time.Minute)
}

func (w *world) someNode() *node { return w.nodes[w.rand.IntN(len(w.nodes))] }

func (w *world) killSome() {
	if n := w.someNode(); n.up {
		n.kill()
	}
}

func (w *world) startSome() {
	if n := w.someNode(); !n.up {
		n.start()
	}
}

// loseSwitch ends the session with a switch, which goes on alone.
func (w *world) loseSwitch() {
	w.loseTheSwitch(w.sw[w.rand.IntN(len(w.sw))])
}

func (w *world) loseTheSwitch(sw *fakeSwitch) {
	sw.lost, sw.synced = true, 0
	w.log("lose switch %s", sw.name)
	w.did(func() { w.core.SwitchLost(w.now, sw.name) })
}

// cutSomeRack takes a whole rack out of the network, if there is another one.
func (w *world) cutSomeRack() {
	if len(w.sw) > 1 && w.core != nil {
		w.cutRack(w.sw[w.rand.IntN(len(w.sw))])
	}
}

func (w *world) mendRacks() {
	for _, sw := range w.sw {
		if sw.dead {
			w.mendRack(sw)
		}
	}
}

func (w *world) findSwitch() {
	for _, sw := range w.sw {
		sw.lost = sw.dead || sw.lost && w.rand.IntN(3) == 0
	}
	w.did(func() {})
}

// cutSome breaks a session; the node opens another one.
func (w *world) cutSome() { w.someNode().hangUp() }

func (w *world) restartController() {
	if w.core == nil {
		w.startController()
		return
	}
	w.crash()
}

// crash ends the controller, and starts it again soon.
func (w *world) crash() {
	w.log("controller restarts")
	w.stopController()
	w.after(time.Duration(w.rand.IntN(500))*ms, func() {
		if w.core == nil {
			w.startController()
		}
	})
}

// command is what an operator may ask for, sensible or not.
func (w *world) command() {
	if w.core == nil {
		return
	}
	all := w.core.View().SubRanges()
	s := all[w.rand.IntN(len(all))]
	from, to := s.Chain[w.rand.IntN(len(s.Chain))], w.someNode().id
	if w.rand.IntN(2) == 0 {
		to = 0
	}
	orders := []func() error{
		func() error { return w.core.Drain(w.now, to) },
		func() error { return w.core.Admit(w.now, w.someNode().id) },
		func() error { _, err := w.core.Move(w.now, s.ID, from, to); return err },
		func() error { _, err := w.core.Split(w.now, s.ID, kv.IndexKey{}); return err },
		func() error { _, err := w.core.Merge(w.now, s.ID); return err },
		func() error { w.core.Rebalance(w.now, false); return nil },
		func() error {
			_, err := w.core.CreateKeyspace(w.now, directory.CreateKeyspace{Name: "more",
				Partitioner: kv.RangePartitioned, Durability: kv.DurabilitySync, Replication: 2,
				SubRanges: 3})
			return err
		},
		func() error { return w.core.DropKeyspace(w.now, "more") },
	}
	w.did(func() {
		if err := orders[w.rand.IntN(len(orders))](); err != nil {
			w.log("refused: %v", err)
		}
	})
}
