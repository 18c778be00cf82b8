package p4src_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// tree is a small fat tree of built-in switches with all sorts of entries in their partition tables,
// as if each had been told at another time: switches 0 to 3 are racks, 4 to 7 stand above two racks
// each, 8 and 9 above all. Port i leads down to the i-th neighbour below, port 10+i up.
// A client sits on port 100 of each rack, node 10.0.0.11 on port 101.
type tree struct {
	t        *testing.T
	switches [10]*builtInDevice
	peers    map[socket]socket
}

type socket struct {
	sw   int
	port uint16
}

var treeEdges = [][2]int{ // upper, lower
	{4, 0}, {4, 1}, {5, 0}, {5, 1}, {6, 2}, {6, 3}, {7, 2}, {7, 3},
	{8, 4}, {8, 6}, {9, 5}, {9, 7},
}

func levelOf(sw int) int { return []int{0, 0, 0, 0, 1, 1, 1, 1, 2, 2}[sw] }

func newTree(t *testing.T, random *rand.Rand) *tree {
	n := &tree{t: t, peers: map[socket]socket{}}
	for i := range n.switches {
		n.switches[i] = newBuiltIn(t)
		n.add(i, "service_table dst_addr:10.0.0.100 to_service()")
		if err := n.switches[i].cloneSession(p4src.ScanCloneSession, 510); err != nil {
			t.Fatal(err)
		}
	}
	var up, down [10]int
	for _, e := range treeEdges {
		below, above := uint16(down[e[0]]), uint16(10+up[e[1]])
		down[e[0]]++
		up[e[1]]++
		n.peers[socket{e[0], below}] = socket{e[1], above}
		n.peers[socket{e[1], above}] = socket{e[0], below}
		n.add(e[0], fmt.Sprintf("port_table ingress_port:%d from_below()", below))
		n.add(e[1], fmt.Sprintf("port_table ingress_port:%d from_above()", above))
	}
	for i := range n.switches {
		n.groups(i, up[i])
		n.partition(random, i, down[i])
	}
	return n
}

func (n *tree) add(sw int, line string) {
	n.t.Helper()
	r := run{device: n.switches[sw]}
	if err := r.execute(statement{verb: "add", rest: line}); err != nil {
		n.t.Fatal(err)
	}
}

// groups fills the group that leads up, and routes all but the node along it.
func (n *tree) groups(sw, up int) {
	group := p4src.GroupID(levelOf(sw), 0)
	for slot := range p4src.GroupSlots * min(up, 1) {
		n.add(sw, fmt.Sprintf("hop_table group:%d slot:%d hop(port:%d, dst_mac:2)", group, slot, 10+slot%up))
	}
	if levelOf(sw) == 0 {
		n.add(sw, "ipv4_table dst_addr:10.0.0.11/32 forward(port:101, dst_mac:1)")
	}
}

// partition cuts keyspace 1 into 16 prefixes, each with some action that a switch of this level
// may have, or none.
func (n *tree) partition(random *rand.Rand, sw, down int) {
	group := p4src.GroupID(levelOf(sw), 0)
	for i := range 16 {
		action := fmt.Sprintf("pass_up(group:%d)", group)
		switch level := levelOf(sw); {
		case random.IntN(8) == 0:
			continue
		case level == 0 && random.IntN(3) == 0:
			id := 1 + 16*sw + i
			action = fmt.Sprintf("set_sub_range(id:%d)", id)
			n.add(sw, fmt.Sprintf("sub_range_table id:%d serve(epoch:1, chain_length:1, node0:10.0.0.11, "+
				"node1:0, node2:0, node3:0, node4:0, node5:0, last_index_key:%#x, next_index_key:%#x, is_last:%d)",
				id, keyOf(i, 0xff), keyOf((i+1)%16, 0), i/15))
		case level == 2 || level == 1 && random.IntN(3) > 0:
			action = fmt.Sprintf("pass_down(port:%d, dst_mac:2)", random.IntN(down))
		}
		n.add(sw, fmt.Sprintf("partition_table keyspace:1 index_key:%#x/4 %s", keyOf(i, 0), action))
	}
}

// keyOf is an index key of the i-th sixteenth of the keyspace: its first or its last.
func keyOf(i int, fill byte) []byte {
	key := make([]byte, 16)
	for j := range key {
		key[j] = fill
	}
	key[0] = byte(i<<4) | fill&15
	return key
}

// end is how one piece of a request ended: at a node, or with an answer.
type end struct {
	key    byte // the first byte of its index key
	status wire.Status
}

// follow plays a frame and all that becomes of it. Each unresolved packet must climb and then
// descend, so it meets at most five switches before its sub-range, its answer or its drop.
func (n *tree) follow(at socket, frame []byte, climbed int, descending bool) (ends []end) {
	if climbed > 4 {
		n.t.Fatalf("a request has met more than five switches:\n%s", describe(frame))
	}
	_ = n.switches[at.sw].send(at.port, frame)
	out, _ := n.switches[at.sw].receive(0)
	for _, f := range out {
		request := wire.Packet(f.bytes[wire.FrameOverhead:])
		answered := request.Flags() == wire.FlagReply|wire.FlagFromSwitch
		to, between := n.peers[socket{at.sw, f.port}]
		switch {
		case answered && f.port != at.port:
			n.t.Fatalf("switch %d answers by port %d what came by %d", at.sw, f.port, at.port)
		case answered || f.port == 101:
			ends = append(ends, end{request.IndexKey()[0], request.Status()})
		case !between:
			n.t.Fatalf("switch %d sends by port %d, where nothing is", at.sw, f.port)
		default:
			rest := request.ScanBudget() != wire.Packet(frame[wire.FrameOverhead:]).ScanBudget()
			ends = append(ends, n.pass(at, to, f.bytes, climbed, descending, rest)...)
		}
	}
	return ends
}

func (n *tree) pass(at, to socket, frame []byte, climbed int, descending, rest bool) []end {
	up := levelOf(to.sw) > levelOf(at.sw)
	switch {
	case rest: // it sets out from here
		return n.follow(to, frame, 1, !up)
	case up && descending:
		n.t.Fatalf("switch %d sends up what came from above:\n%s", at.sw, describe(frame))
	}
	return n.follow(to, frame, climbed+1, !up)
}

// TestOldEntriesNeverSendInCircles plays requests and scans in trees whose switches contradict each
// other.
func TestOldEntriesNeverSendInCircles(t *testing.T) {
	var nodes, answers, pieces int
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 5))
		n := newTree(t, random)
		for range 200 {
			from := socket{random.IntN(4), 100}
			op, budget := "GET", 0
			if random.IntN(2) == 0 {
				op, budget = "SCAN", random.IntN(6)
			}
			frame, err := (&notation{}).parse(fmt.Sprintf(
				"tkv(op=%s index_key=%#x end_index_key=%#x scan_budget=%d udp.src=%d)", op,
				keyOf(random.IntN(16), 0), keyOf(15, 0xff), budget, 1024+random.IntN(60000)), true)
			if err != nil {
				t.Fatal(err)
			}
			ends := n.follow(from, frame, 0, false)
			if len(ends) > 1+budget {
				t.Fatalf("seed %d: %d pieces of a scan with budget %d", seed, len(ends), budget)
			}
			count(ends, &nodes, &answers, &pieces)
		}
	}
	if nodes < 500 || answers < 500 || pieces < 100 {
		t.Errorf("reached nodes %d times, answers %d times, and split %d scans: the trees are too dull",
			nodes, answers, pieces)
	}
}

func count(ends []end, nodes, answers, pieces *int) {
	for _, e := range ends {
		if e.status == wire.StatusOK {
			*nodes++
		} else {
			*answers++
		}
	}
	if len(ends) > 1 {
		*pieces++
	}
}
