package serverlib_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/serverlib/enginetest"
	"github.com/turbokv/turbokv/wire"
)

// The tests' cluster: one sub-range on nodes 10.0.0.1 and so on, clients at 10.0.1.x.
const (
	subRange kv.SubRangeID = 7
	keyspace kv.KeyspaceID = 3
)

func nodeID(i int) kv.NodeID { return kv.NodeID(10<<24 | i) }

func clientAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), 4000)
}

func chainOf(nodes ...int) (c kv.Chain) {
	for _, n := range nodes {
		c = append(c, nodeID(n))
	}
	return c
}

func assignment(epoch kv.Epoch, d kv.Durability, c kv.Chain) kv.Assignment {
	return kv.Assignment{
		SubRange: subRange, Epoch: epoch, Keyspace: keyspace, Partitioner: kv.RangePartitioned,
		Durability: d, Interval: kv.FullInterval, Chain: c, Create: epoch == 1,
	}
}

// datagram is one packet on its way.
type datagram struct {
	from, to netip.AddrPort
	packet   wire.Packet
}

// node is one storage node with its disk. Its server is nil while it is down.
type node struct {
	id          kv.NodeID
	server      *serverlib.Server
	disk        *enginetest.Mem
	memory      *enginetest.Mem
	incarnation uint64
	syncing     bool
	token       uint64
	syncMark    int // what the disk had been given when the sync began
	states      []serverlib.State
}

func newNode(id kv.NodeID) *node { return &node{id: id, disk: enginetest.NewMem()} }

func (n *node) addr() netip.AddrPort { return netip.AddrPortFrom(n.id.Addr(), wire.Port) }

// limits are small, so that tests meet them.
var limits = serverlib.Limits{Window: 64, Sessions: 8, SessionResults: 16, SessionIdle: time.Minute}

// boot starts the node's next life on what its disk has.
func (n *node) boot() error {
	n.incarnation++
	n.syncing = false
	n.states = nil
	n.memory = enginetest.NewMem()
	var err error
	n.server, err = serverlib.New(serverlib.Config{
		Node: n.id, Incarnation: n.incarnation, Volatile: n.memory, Durable: n.disk,
		Limits: limits,
		Events: serverlib.Events{StateChanged: func(_ kv.SubRangeID, s serverlib.State) {
			n.states = append(n.states, s)
		}},
	})
	return err
}

// crash ends the node's life; the disk keeps what was synced and the keep oldest other batches.
func (n *node) crash(keep int) {
	n.server = nil
	n.disk.Crash(keep)
}

// flush collects the output of the server and begins the sync that it asks for.
func (n *node) flush(now time.Duration) (out []datagram) {
	if n.server == nil {
		return nil
	}
	o := n.server.Flush(now)
	for _, s := range o.Sends {
		out = append(out, datagram{n.addr(), s.To, bytes.Clone(s.Payload)})
	}
	if o.NeedSync {
		n.syncing, n.token, n.syncMark = true, o.SyncToken, n.disk.Applied()
	}
	return out
}

// finishSync completes the sync that is running.
func (n *node) finishSync(now time.Duration) {
	n.syncing = false
	err := n.disk.SyncTo(n.syncMark)
	n.server.Synced(now, n.token, err)
}

// report returns the report on the tests' sub-range.
func (n *node) report() serverlib.Report {
	if n.server != nil {
		for _, r := range n.server.Report() {
			if r.SubRange == subRange {
				return r
			}
		}
	}
	return serverlib.Report{}
}

// records lists all records of the node, of both engines.
func (n *node) records() string {
	var out []byte
	for _, m := range []*enginetest.Mem{n.memory, n.disk} {
		_ = m.Scan([]byte("d"), []byte("e"), func(k, v []byte) bool { // Mem does not fail
			out = fmt.Appendf(out, "%q=%q ", k, v)
			return true
		})
	}
	return string(out)
}

// request describes a client's request.
type request struct {
	op          wire.Op
	key, value  string
	delta       int64
	version     kv.Version
	client      kv.ClientID
	seq, lowest kv.RequestSeq
}

// packet builds the request as the switch forwards it in an epoch.
func (r request) packet(a kv.Assignment, addr netip.AddrPort) wire.Packet {
	p := wire.Append(nil, r.op)
	value := []byte(r.value)
	if r.op == wire.OpIncrement {
		value = wire.AppendNumber(nil, r.delta)
	}
	if r.op == wire.OpScan {
		p = wire.ScanRequest{Start: []byte(r.key), End: []byte(r.value)}.Append(p)
	} else {
		p = wire.AppendKeyed(p, []byte(r.key), value)
	}
	q := wire.Packet(p)
	q.SetKeyspace(a.Keyspace)
	q.SetRequest(r.client, r.seq, r.lowest)
	q.SetRecordVersion(r.version)
	q.SetClientAddr(addr)
	q.SetSubRange(a.SubRange, a.Epoch)
	q.SetIndexKey(a.Partitioner.IndexKey([]byte(r.key)))
	q.SetEndIndexKey(a.Interval.Last)
	position := 0
	if r.op.Class() == wire.ClassRead {
		position = len(a.Chain) - 1
	}
	q.SetChain(a.Chain, position)
	q.Seal()
	return q
}

// send returns the datagram of a request to the node that serves it.
func (r request) send(a kv.Assignment, client int) datagram {
	p := r.packet(a, clientAddr(client))
	to := a.Chain[p.ChainPosition()]
	return datagram{clientAddr(client), netip.AddrPortFrom(to.Addr(), wire.Port), p}
}

// describe prints a reply's outcome.
func describe(p wire.Packet) string {
	s := p.Status().String()
	if v := p.RecordVersion(); v != 0 {
		s += fmt.Sprintf(" version=%d", v)
	}
	if p.Op() == wire.OpScan && p.Status() == wire.StatusOK {
		err := p.ScanRecords(func(r wire.ScanRecord) {
			s += fmt.Sprintf(" %s=%s@%d", r.Key, r.Value, r.Version)
		})
		if err != nil {
			s += " " + err.Error()
		}
		if p.Flags()&wire.FlagMore != 0 {
			s += " more"
		}
		return s
	}
	if n, ok := wire.Number(p.Payload()); ok && p.Op() == wire.OpIncrement {
		return s + fmt.Sprintf(" value=%d", n)
	}
	if len(p.Payload()) > 0 {
		s += fmt.Sprintf(" value=%s", p.Payload())
	}
	return s
}

// describeChain prints a message between nodes.
func describeChain(p wire.Packet) string {
	f, rest, err := p.Chain()
	if err != nil {
		return err.Error()
	}
	s := chainNames[p.Op()]
	if f.SubRange != subRange {
		s += fmt.Sprintf(" of=%d", f.SubRange)
	}
	s += fmt.Sprintf(" epoch=%d life=%d>%d", f.Epoch, f.Sender, f.Receiver)
	switch p.Op() {
	case wire.OpChainUpdate, wire.OpChainEntries:
		n, ok := wire.CountChainEntries(rest)
		if !ok {
			return s + " malformed"
		}
		if n > 0 {
			s += fmt.Sprintf(" seq=%d..%d", f.Seq, f.Seq+kv.Seq(n)-1)
		}
		if p.Op() == wire.OpChainUpdate {
			s += fmt.Sprintf(" durable=%d", f.Mark)
		}
		return s
	case wire.OpChainAck:
		s += fmt.Sprintf(" applied=%d stable=%d", f.Seq, f.Mark)
		if gap := wire.ChainGap(rest); gap > 0 {
			s += fmt.Sprintf(" gap=%d", gap)
		}
		return s
	case wire.OpChainFetch:
		return s + fmt.Sprintf(" from=%d", f.Seq)
	case wire.OpChainPull:
		return s + fmt.Sprintf(" applied=%d from=%s", f.Seq, describeCursor(wire.Cursor(rest)))
	case wire.OpChainSnapshot:
		return s + fmt.Sprintf(" state=%d%s", f.Seq, describePiece(rest))
	}
	s += fmt.Sprintf(" applied=%d", f.Seq)
	if wire.ChainBehind(rest) {
		s += " behind"
	}
	return s
}

func describeCursor(c wire.Cursor) string {
	client, request, inSessions := c.Session()
	switch {
	case len(c) == 0:
		return "start"
	case c.End():
		return "end"
	case inSessions:
		return fmt.Sprintf("session/%d/%d", client, request)
	}
	return printable(string(c.Place()))
}

// describePiece prints the rows of a snapshot.
func describePiece(rest []byte) (s string) {
	_, flags, rows, ok := wire.CutSnapshot(rest)
	for ok && len(rows) > 0 {
		var r wire.SnapshotRow
		switch r, rows, ok = wire.CutSnapshotRow(rows); r.Kind {
		case wire.RowSession:
			s += fmt.Sprintf(" session/%d", r.Client)
		case wire.RowResult:
			s += fmt.Sprintf(" result/%d/%d", r.Client, r.Request)
		case wire.RowRecord:
			s += printable(fmt.Sprintf(" %s@%d", r.Key, r.Version))
		}
	}
	if !ok {
		return s + " malformed"
	}
	return s + []string{"", " pause", " last", " odd"}[flags]
}

var chainNames = map[wire.Op]string{
	wire.OpChainUpdate: "UPDATE", wire.OpChainAck: "ACK", wire.OpChainHello: "HELLO",
	wire.OpChainWelcome: "WELCOME", wire.OpChainFetch: "FETCH", wire.OpChainEntries: "ENTRIES",
	wire.OpChainReady: "READY", wire.OpChainPull: "PULL", wire.OpChainSnapshot: "SNAPSHOT",
}

// sortedNodes returns nodes by id.
func sortedNodes(m map[kv.NodeID]*node) []*node {
	return slices.SortedFunc(maps.Values(m), func(a, b *node) int { return cmp.Compare(a.id, b.id) })
}
