package chain

import (
	"fmt"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// recorder is a Host that keeps what it is told.
type recorder struct {
	applied, committed []kv.Seq
	sent               []wire.Op
	told               []string // by the other methods
}

func (h *recorder) Apply(seq kv.Seq, _ wire.ChainEntry, _ bool) {
	h.applied = append(h.applied, seq)
}

func (h *recorder) Commit(seq kv.Seq, _ wire.ChainEntry) { h.committed = append(h.committed, seq) }

func (h *recorder) Send(_ kv.NodeID, p []byte) { h.sent = append(h.sent, wire.Packet(p).Op()) }

func (h *recorder) Stabilized(kv.Seq) {}

func (h *recorder) Lost() { h.told = append(h.told, "lost") }

func (h *recorder) CaughtUp() { h.told = append(h.told, "caught up") }

func (h *recorder) Restart(base kv.Seq) { h.told = append(h.told, fmt.Sprint("restart ", base)) }

func (h *recorder) Pull(wire.Cursor) { h.told = append(h.told, "pull") }

func (h *recorder) Snapshot(kv.Seq, []byte) bool { return true }

func (h *recorder) Buffer() []byte { return nil }

func newTestReplica(self kv.NodeID, base kv.Seq) (*Replica, *recorder) {
	h := &recorder{}
	config := Config{Self: self, Incarnation: 1, SubRange: 1, Window: 8, Timing: DefaultTiming}
	r := New(config, h, base)
	r.Configure(0, 1, kv.Chain{1, 2}, 0)
	return r, h
}

// entries encodes n entries.
func entries(n int) (b []byte) {
	for range n {
		b = wire.AppendChainEntry(b, wire.ChainEntryFields{
			Op: wire.OpPut, Client: 1, Effect: wire.EffectPut, Key: []byte("k"),
		})
	}
	return b
}

func message(op wire.Op, sender, receiver uint64, seq, mark kv.Seq, rest []byte) Message {
	return Message{Op: op, Rest: rest, ChainFields: wire.ChainFields{
		SubRange: 1, Epoch: 1, Sender: sender, Receiver: receiver, Seq: seq, Mark: mark,
	}}
}

func TestPredecessorCannotOverrunTheLog(t *testing.T) {
	tail, h := newTestReplica(2, 0)
	if v := tail.Receive(0, 1, message(wire.OpChainHello, 1, 0, 0, 0, nil)); v != Accepted {
		t.Fatalf("hello: %v", v)
	}
	for _, c := range []struct {
		first kv.Seq
		n     int
		want  Verdict
	}{
		{17, 1, Malformed}, {16, 2, Malformed}, {0, 1, Malformed}, {^kv.Seq(0), 2, Malformed},
		{1, 17, Malformed}, {1, 8, Accepted}, {9, 8, Accepted}, {17, 1, Malformed},
	} {
		v := tail.Receive(0, 1, message(wire.OpChainUpdate, 1, 1, c.first, 0, entries(c.n)))
		if v != c.want {
			t.Errorf("%d entries from %d: verdict %v, want %v", c.n, c.first, v, c.want)
		}
	}
	if len(h.applied) != 16 || tail.Applied() != 16 {
		t.Errorf("applied %v", h.applied)
	}
}

// TestSuccessorThatLostStableUpdatesGetsNoLink: what it lacks is nowhere any more but in the
// records of the others, so only a new replica can take its place.
func TestSuccessorThatLostStableUpdatesGetsNoLink(t *testing.T) {
	head, h := newTestReplica(1, 10)
	v := head.Receive(0, 2, message(wire.OpChainWelcome, 1, 1, 9, 9, nil))
	if v != Malformed || head.Ready() {
		t.Fatalf("verdict %v, ready %v", v, head.Ready())
	}
	v = head.Receive(0, 2, message(wire.OpChainWelcome, 1, 1, 10, 10, nil))
	if v != Accepted || !head.Ready() {
		t.Fatalf("a whole successor: verdict %v, ready %v", v, head.Ready())
	}
	if len(h.applied) != 0 {
		t.Fatalf("applied %v", h.applied)
	}
}

func TestMessagesOfStrangersAreStrayed(t *testing.T) {
	tail, h := newTestReplica(2, 0)
	sent := len(h.sent)
	for op := wire.OpChainUpdate; op <= wire.OpChainSnapshot; op++ {
		if v := tail.Receive(0, 3, message(op, 1, 1, 1, 1, nil)); v != Strayed {
			t.Errorf("%v: verdict %v", op, v)
		}
		later := message(op, 1, 1, 1, 1, nil)
		later.Epoch = 2
		if v := tail.Receive(0, 1, later); v != Stale {
			t.Errorf("%v of another epoch: verdict %v", op, v)
		}
	}
	if len(h.sent) != sent {
		t.Errorf("answers %v", h.sent[sent:])
	}
}

// newLearner returns a replica that follows the chain of node 1.
func newLearner(window int) (*Replica, *recorder) {
	h := &recorder{}
	config := Config{Self: 2, Incarnation: 1, SubRange: 1, Window: window, Timing: DefaultTiming}
	r := NewLearner(config, h)
	r.Configure(0, 1, kv.Chain{1}, 2)
	return r, h
}

// TestLearnerBeginsWithTheFirstHelloAndAgainWhenItsUpdatesAreForgotten: below the mark of a HELLO the
// tail has no updates any more.
func TestLearnerBeginsWithTheFirstHelloAndAgainWhenItsUpdatesAreForgotten(t *testing.T) {
	d, h := newLearner(8)
	for _, c := range []struct {
		seq, mark kv.Seq
		verdict   Verdict
		applied   kv.Seq
	}{
		{5, 6, Malformed, 0}, {5, 3, Accepted, 5}, {7, 5, Accepted, 5}, {9, 6, Accepted, 9},
		{5, 3, Accepted, 9},
	} {
		v := d.Receive(0, 1, message(wire.OpChainHello, 1, 0, c.seq, c.mark, nil))
		if v != c.verdict || d.Applied() != c.applied || d.Stable() != c.applied {
			t.Errorf("hello of %d from %d: verdict %v, applied %d, stable %d, want %v, %d", c.seq, c.mark,
				v, d.Applied(), d.Stable(), c.verdict, c.applied)
		}
	}
	if want := []string{"restart 5", "restart 9"}; !slices.Equal(h.told, want) {
		t.Errorf("told %v, want %v", h.told, want)
	}
}

// TestMemberBelowTheMarkOfAHelloIsLost: nobody can send it what it lacks.
func TestMemberBelowTheMarkOfAHelloIsLost(t *testing.T) {
	tail, h := newTestReplica(2, 5)
	for mark, want := range map[kv.Seq]int{5: 0, 6: 1} {
		h.told = nil
		tail.Receive(0, 1, message(wire.OpChainHello, 1, 0, 9, mark, nil))
		if len(h.told) != want {
			t.Errorf("mark %d: told %v", mark, h.told)
		}
	}
}

// TestFetchOfForgottenUpdatesTellsTheMemberThatItIsLost: the successor answers with where its log
// begins.
func TestFetchOfForgottenUpdatesTellsTheMemberThatItIsLost(t *testing.T) {
	head, h := newTestReplica(1, 5)
	head.Receive(0, 2, message(wire.OpChainWelcome, 1, 1, 9, 9, nil))
	head.Receive(0, 2, message(wire.OpChainEntries, 1, 1, 8, 0, nil))
	if want := []string{"lost"}; !slices.Equal(h.told, want) || head.Ready() {
		t.Errorf("told %v, want %v; ready %v", h.told, want, head.Ready())
	}
}

// TestTailKeepsWhatItsLearnerLacksUpToAWindow: and no longer, because no update waits for it.
func TestTailKeepsWhatItsLearnerLacksUpToAWindow(t *testing.T) {
	h := &recorder{}
	config := Config{Self: 1, Incarnation: 1, SubRange: 1, Window: 8, Timing: DefaultTiming,
		Volatile: true}
	tail := New(config, h, 0)
	tail.Configure(0, 1, kv.Chain{1}, 2)
	welcome := message(wire.OpChainWelcome, 1, 1, 0, 0, nil)
	if v := tail.Receive(0, 2, welcome); v != Accepted {
		t.Fatalf("welcome: %v", v)
	}
	for seq := kv.Seq(1); seq <= 20; seq++ {
		tail.Append(entries(1))
		tail.Flush(0)
		tail.Truncate(tail.Stable())
		if want := seq - min(seq, 8); tail.Base() != want {
			t.Fatalf("after update %d the log begins behind %d, want %d", seq, tail.Base(), want)
		}
	}
	if tail.MaySnapshot() {
		t.Error("the link with a learner that lags is still open")
	}
}

// TestSnapshotsPassOnlyBetweenTailAndLearner: members get what they lack as updates.
func TestSnapshotsPassOnlyBetweenTailAndLearner(t *testing.T) {
	head, _ := newTestReplica(1, 0)
	head.Receive(0, 2, message(wire.OpChainWelcome, 1, 1, 0, 0, nil))
	if v := head.Receive(0, 2, message(wire.OpChainPull, 1, 1, 0, 0, nil)); v != Malformed {
		t.Errorf("pull of a member: %v", v)
	}
	tail, _ := newTestReplica(2, 0)
	tail.Receive(0, 1, message(wire.OpChainHello, 1, 0, 0, 0, nil))
	if v := tail.Receive(0, 1, message(wire.OpChainSnapshot, 1, 1, 0, 0, nil)); v != Malformed {
		t.Errorf("snapshot for a member: %v", v)
	}
	if v := tail.Receive(0, 1, message(wire.OpChainSnapshot, 1, 9, 0, 0, nil)); v != Stale {
		t.Errorf("snapshot for another life: %v", v)
	}
}
