package serverlib_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib/enginetest"
	"github.com/turbokv/turbokv/wire"
)

// TestTraces plays the scripts of testdata: what is said between clients, nodes and disks, packet
// by packet. A line does one thing; the commands are in trace.commands, the requests of clients
// ("c1 put key value", with options such as seq=3) in trace.request.
//
//	go test ./serverlib -run TestTraces -rewrite
func TestTraces(t *testing.T) {
	runScripts(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		tr := &trace{t: t}
		return tr.line
	})
}

// trace is a cluster whose every packet, sync and tick the script decides.
type trace struct {
	t       *testing.T
	nodes   map[kv.NodeID]*node
	a       kv.Assignment
	others  map[kv.SubRangeID]kv.Assignment // sub-ranges that were split off
	since   map[kv.NodeID]kv.Epoch          // of nodes that joined later
	off     netip.AddrPort                  // a node that nothing reaches
	now     time.Duration
	queue   []datagram
	drops   []string // starts of descriptions of packets to be lost, once each
	holds   []string // the same for packets to be kept back until the command release
	held    []datagram
	manual  bool // syncs complete only by the command sync
	clients map[int]*request
	out     strings.Builder
}

// line executes one line and returns what happened.
func (tr *trace) line(line string) string {
	tr.out.Reset()
	words := strings.Fields(line)
	if n, ok := number("c", words[0]); ok {
		tr.request(n, words[1], words[2:])
		return tr.out.String()
	}
	run, ok := tr.commands()[words[0]]
	if !ok {
		tr.t.Fatalf("%q: no such command", line)
	}
	run(words[1:])
	return tr.out.String()
}

func (tr *trace) commands() map[string]func(args []string) {
	return map[string]func(args []string){
		"start":     tr.start,
		"settle":    func([]string) { tr.settle() },
		"deliver":   func([]string) { tr.deliver() },
		"drop":      func(args []string) { tr.drops = append(tr.drops, strings.Join(args, " ")) },
		"hold":      func(args []string) { tr.holds = append(tr.holds, strings.Join(args, " ")) },
		"release":   func([]string) { tr.queue, tr.held = append(tr.queue, tr.held...), nil },
		"repeat":    tr.repeat,
		"syncs":     func(args []string) { tr.manual = args[0] == "manual" },
		"sync":      func(args []string) { tr.sync(tr.node(args[0])) },
		"crash":     tr.crash,
		"boot":      tr.boot,
		"tick":      tr.tick,
		"configure": tr.configure,
		"revoke":    tr.revoke,
		"break":     func(args []string) { tr.node(args[0]).disk.Break(errors.New("the disk is gone")) },
		"report":    func([]string) { tr.report() },
		"records":   tr.records,
		"split":     tr.split,
		"freeze":    tr.freeze,
		"merge":     tr.merge,
		"tell":      tr.tell,
		"chain":     tr.setChain,
		"learn":     tr.learn,
		"promote":   tr.promote,
		"since":     tr.setSince,
		"hash":      tr.hash,
		"puts":      tr.puts,
		"cut":       func(args []string) { tr.off = tr.node(args[0]).addr() },
		"mend":      func([]string) { tr.off = netip.AddrPort{} },
	}
}

func (tr *trace) printf(format string, args ...any) { fmt.Fprintf(&tr.out, format+"\n", args...) }

// number parses "n3" or "c3".
func number(prefix, word string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimPrefix(word, prefix))
	return n, err == nil && strings.HasPrefix(word, prefix)
}

// option parses "name=value" among words.
func option(words []string, name string, otherwise int) int {
	for _, w := range words {
		if value, ok := strings.CutPrefix(w, name+"="); ok {
			n, err := strconv.Atoi(value)
			if err != nil {
				panic(err)
			}
			return n
		}
	}
	return otherwise
}

func (tr *trace) node(word string) *node {
	n, ok := number("n", word)
	if !ok || tr.nodes[nodeID(n)] == nil {
		tr.t.Fatalf("%q: no such node", word)
	}
	return tr.nodes[nodeID(n)]
}

// chain parses a list of nodes, which may end with options.
func (tr *trace) chain(words []string) (c kv.Chain) {
	for _, w := range words {
		if n, ok := number("n", w); ok {
			c = append(c, nodeID(n))
		}
	}
	return c
}

// start boots and configures a chain: "start sync n1 n2 n3".
func (tr *trace) start(args []string) {
	d, err := kv.ParseDurability(args[0])
	if err != nil {
		tr.t.Fatal(err)
	}
	*tr = trace{
		t: tr.t, nodes: map[kv.NodeID]*node{}, clients: map[int]*request{},
		since: map[kv.NodeID]kv.Epoch{},
	}
	tr.a = assignment(1, d, tr.chain(args[1:]))
	for _, id := range tr.a.Chain {
		tr.add(id)
	}
	tr.others = map[kv.SubRangeID]kv.Assignment{}
	tr.assign(tr.a)
}

// add boots a node if it is new.
func (tr *trace) add(id kv.NodeID) {
	if tr.nodes[id] != nil {
		return
	}
	tr.nodes[id] = newNode(id)
	if err := tr.nodes[id].boot(); err != nil {
		tr.t.Fatal(err)
	}
}

// assign gives an assignment to its members and learner that are up, and syncs their disks.
func (tr *trace) assign(a kv.Assignment) {
	for _, id := range a.Chain {
		tr.assignTo(tr.nodes[id], a)
	}
	if a.Learner != 0 {
		tr.assignTo(tr.nodes[a.Learner], a)
	}
}

func (tr *trace) assignTo(n *node, a kv.Assignment) {
	if n.server == nil {
		return
	}
	a.Since = tr.since[n.id]
	if err := n.server.Configure(tr.now, a); err != nil {
		tr.printf("%s: %v", tr.name(n.id.Addr().As4()), err)
		return
	}
	if err := n.disk.Sync(); err != nil {
		tr.t.Fatal(err)
	}
	n.server.Saved(tr.now)
	tr.flush(n)
}

// configure changes the chain: "configure n1 n3"; options are epoch and create.
func (tr *trace) configure(args []string) {
	next := tr.a
	next.Chain, next.Create = tr.chain(args), option(args, "create", 0) == 1
	next.Epoch = kv.Epoch(option(args, "epoch", int(tr.a.Epoch)+1))
	tr.assign(next)
	tr.a = next
}

// revoke takes a sub-range from a node: "revoke n2 epoch=2", "revoke n2 epoch=2 of=8".
func (tr *trace) revoke(args []string) {
	id := kv.SubRangeID(option(args, "of", int(subRange)))
	err := tr.node(args[0]).server.Revoke(tr.now, id, kv.Epoch(option(args, "epoch", 0)))
	if err != nil {
		tr.printf("%v", err)
	}
}

// name prints an address as n1 or c1.
func (tr *trace) name(ip [4]byte) string {
	if ip[2] == 0 {
		return fmt.Sprintf("n%d", ip[3])
	}
	return fmt.Sprintf("c%d", ip[3])
}

func (tr *trace) describe(d datagram) string {
	s := fmt.Sprintf("%s>%s ", tr.name(d.from.Addr().As4()), tr.name(d.to.Addr().As4()))
	switch {
	case d.packet.Op().Class() == wire.ClassChain:
		return s + describeChain(d.packet)
	case d.packet.Flags()&wire.FlagReply != 0:
		return s + fmt.Sprintf("%v#%d %s", d.packet.Op(), d.packet.Sequence(), printable(describe(d.packet)))
	}
	return s + fmt.Sprintf("%v#%d", d.packet.Op(), d.packet.Sequence())
}

// printable writes control characters, as numbers have them, in hexadecimal.
func printable(s string) (out string) {
	for _, b := range []byte(s) {
		if b < ' ' {
			out += fmt.Sprintf("\\x%02x", b)
		} else {
			out += string(rune(b))
		}
	}
	return out
}

// flush puts what a node sends into the queue.
func (tr *trace) flush(n *node) { tr.queue = append(tr.queue, n.flush(tr.now)...) }

// deliver carries the packets that are on their way, one batch to each node, and not those that
// they cause.
func (tr *trace) deliver() {
	round := tr.queue
	tr.queue = nil
	for _, d := range round {
		tr.carry(d)
	}
	for _, n := range sortedNodes(tr.nodes) {
		tr.flush(n)
	}
}

func (tr *trace) carry(d datagram) {
	text := tr.describe(d)
	switch {
	case take(&tr.drops, text):
		tr.printf("%s -- lost", text)
		return
	case take(&tr.holds, text):
		tr.held = append(tr.held, d)
		tr.printf("%s -- held", text)
		return
	}
	n := tr.nodes[kv.NodeIDOf(d.to.Addr())]
	if tr.off.IsValid() && (d.to == tr.off || d.from == tr.off) {
		return
	}
	if n != nil && n.server == nil {
		tr.printf("%s -- down", text)
		return
	}
	tr.printf("%s", text)
	if n != nil {
		n.server.Deliver(tr.now, d.from, d.packet)
	}
}

// take removes the first of the starts that text has.
func take(starts *[]string, text string) bool {
	i := slices.IndexFunc(*starts, func(start string) bool { return strings.HasPrefix(text, start) })
	if i < 0 {
		return false
	}
	*starts = slices.Delete(*starts, i, i+1)
	return true
}

// settle carries packets and, unless they are manual, completes syncs until nothing is left.
func (tr *trace) settle() {
	for range 200 {
		switch {
		case len(tr.queue) > 0:
			tr.deliver()
		case !tr.syncOne():
			return
		}
	}
	tr.t.Fatalf("the chain does not settle:\n%s", tr.out.String())
}

func (tr *trace) syncOne() bool {
	for _, n := range sortedNodes(tr.nodes) {
		if !tr.manual && n.server != nil && n.syncing {
			tr.sync(n)
			return true
		}
	}
	return false
}

func (tr *trace) sync(n *node) {
	name := tr.name(n.id.Addr().As4())
	if !n.syncing {
		tr.printf("%s has nothing to sync", name)
		return
	}
	tr.printf("%s synced", name)
	n.finishSync(tr.now)
	tr.flush(n)
}

// repeat puts the packets on their way there twice.
func (tr *trace) repeat([]string) { tr.queue = append(tr.queue, tr.queue...) }

// crash ends a node's life: "crash n1 keep=1" keeps one batch that was not synced.
func (tr *trace) crash(args []string) { tr.node(args[0]).crash(option(args, "keep", 0)) }

func (tr *trace) boot(args []string) {
	n := tr.node(args[0])
	if err := n.boot(); err != nil {
		tr.printf("%v", err)
		return
	}
	tr.flush(n)
}

// tick lets time pass, millisecond by millisecond, and everything settle in each: "tick 10".
func (tr *trace) tick(args []string) {
	ms, err := strconv.Atoi(args[0])
	if err != nil {
		tr.t.Fatal(err)
	}
	for range ms {
		tr.now += time.Millisecond
		for _, n := range sortedNodes(tr.nodes) {
			if n.server != nil {
				n.server.Tick(tr.now)
				tr.flush(n)
			}
		}
		tr.settle()
	}
}

func (tr *trace) report() {
	for _, n := range sortedNodes(tr.nodes) {
		name := tr.name(n.id.Addr().As4())
		if n.server == nil {
			tr.printf("%s down", name)
			continue
		}
		reports := n.server.Report()
		if len(reports) == 0 {
			tr.printf("%s has nothing", name)
		}
		for _, r := range reports {
			of := ""
			if r.SubRange != subRange {
				of = fmt.Sprintf("of=%d ", r.SubRange)
			}
			tr.printf("%s %s%v epoch=%d applied=%d durable=%d stable=%d sessions=%d", name, of, r.State,
				r.Epoch, r.Applied, r.Durable, r.Stable, r.Sessions)
		}
	}
}

// records lists what a node's engines hold: "records n1 d" for rows of one kind.
func (tr *trace) records(args []string) {
	n := tr.node(args[0])
	start := []byte(args[1])
	for _, m := range []*enginetest.Mem{n.memory, n.disk} {
		err := m.Scan(start, []byte{start[0] + 1}, func(k, v []byte) bool {
			tr.printf("%q = %q", k, v)
			return true
		})
		if err != nil {
			tr.t.Fatal(err)
		}
	}
}

var operations = map[string]wire.Op{
	"get": wire.OpGet, "put": wire.OpPut, "del": wire.OpDelete, "cas": wire.OpCAS,
	"incr": wire.OpIncrement, "scan": wire.OpScan,
}

// request sends a client's request: "c1 put k v", "c1 cas k v version=2", "c1 incr k 3",
// "c1 again" to repeat the last one. The sequence counts up and is the lowest outstanding, unless
// seq and lowest say otherwise; epoch and to lead the packet astray.
func (tr *trace) request(client int, verb string, args []string) {
	last := tr.clients[client]
	if last == nil {
		last = &request{client: kv.ClientID(1000 + client)}
		tr.clients[client] = last
	}
	if verb != "again" {
		tr.fill(last, verb, args)
	}
	stamped := tr.at(last.key)
	stamped.Epoch = kv.Epoch(option(args, "epoch", int(stamped.Epoch)))
	d := last.send(stamped, client)
	if to := option(args, "to", 0); to != 0 {
		d.to = tr.nodes[nodeID(to)].addr()
	}
	tr.queue = append(tr.queue, d)
}

func (tr *trace) fill(r *request, verb string, args []string) {
	op, ok := operations[verb]
	if !ok {
		tr.t.Fatalf("%q: must be one of %v or again", verb, slices.Sorted(maps.Keys(operations)))
	}
	seq := kv.RequestSeq(option(args, "seq", int(r.seq)+1))
	*r = request{
		op: op, client: r.client, seq: seq, lowest: kv.RequestSeq(option(args, "lowest", int(seq))),
		version: kv.Version(option(args, "version", 0)), delta: int64(option(args, "by", 1)),
	}
	isOption := func(w string) bool { return strings.Contains(w, "=") }
	plain := slices.DeleteFunc(slices.Clone(args), isOption)
	if len(plain) > 0 {
		r.key = plain[0]
	}
	if len(plain) > 1 {
		r.value = plain[1]
	}
}
