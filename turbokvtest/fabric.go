package turbokvtest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/wire"
)

// fabric is a switch: the real P4 program in the built-in switch, with what its P4Runtime server
// remembers. A reboot empties it; then it forwards nothing until a controller has given it the
// program again.
type fabric struct {
	name  string
	level int
	place place
	net   *network
	hosts map[uint16]*host // by port
	peers map[uint16]*link // by port

	up     bool
	life   uint64 // counts reboots
	live   *v1model.Switch
	worker *v1model.Worker
	// descends says that what is being processed is a request that came from above.
	descends bool
	rows     map[string]tables.Entry // installed, by key
	clones   []tables.CloneSession
	digest   []tables.Digest

	primary      uint64                          // election of the controller's session that may write
	toController func(port uint16, frame []byte) // packet-in, nil without a controller
	report       func(members []tables.Value)    // a digest, nil without a controller
}

// program is decoded once; it is immutable.
var program = sync.OnceValues(func() (*bmv2.Program, error) { return bmv2.Load(p4src.DeviceConfig()) })

func newFabric(s topology.Switch, at place, net *network) *fabric {
	f := &fabric{name: s.Name, level: s.Level, place: at, net: net, hosts: map[uint16]*host{},
		peers: map[uint16]*link{}}
	f.reboot()
	return f
}

// reboot empties the switch, which is down until somebody sets up.
func (f *fabric) reboot() {
	f.up, f.life, f.live, f.worker, f.primary = false, f.life+1, nil, nil, 0
	f.rows, f.clones, f.digest = map[string]tables.Entry{}, nil, nil
	f.toController, f.report = nil, nil
}

// load gives the switch its program, as SetForwardingPipelineConfig does.
func (f *fabric) load() error {
	prog, err := program()
	if err != nil {
		return err
	}
	f.live, err = v1model.NewSwitch(prog, v1model.Config{OnDigest: f.onDigest})
	if err != nil {
		return err
	}
	f.worker = f.live.NewWorker()
	return nil
}

func (f *fabric) onDigest(d v1model.Digest) {
	if f.report == nil || len(f.digest) == 0 || !named(d.List.Name, p4src.LearnDigest) {
		return
	}
	var members []tables.Value
	for _, v := range d.Values {
		members = append(members, tables.Bytes(v))
	}
	f.report(members)
}

// receive takes a frame from a cable.
func (f *fabric) receive(port uint16, frame []byte) {
	if f.up && f.worker != nil {
		f.descends = f.leadsUp(port) && unresolved(frame)
		f.worker.Process(port, frame, f.leave)
	}
}

// leadsUp reports whether a switch of a higher level hangs on a port.
func (f *fabric) leadsUp(port uint16) bool {
	l := f.peers[port]
	return l != nil && l.ends[1-l.from(f)].sw.level > f.level
}

// unresolved reports whether a frame is for the service address.
func unresolved(frame []byte) bool {
	const dst = wire.EthernetSize + 16
	return len(frame) >= dst+4 && [4]byte(frame[dst:]) == serviceAddr.Addr().As4()
}

// valleyFree judges a request that goes up: not if it came from above, but for the rest of a scan. Else
// it could go round for ever.
func (f *fabric) valleyFree(port uint16, frame []byte) {
	if !f.descends || !f.leadsUp(port) || !unresolved(frame) {
		return
	}
	_, payload, _ := wire.ParseFrame(frame)
	if p, err := wire.Parse(payload); err == nil && p.Op() != wire.OpScan {
		f.net.fail(fmt.Errorf("switch %s sends %v up that came from above", f.name, p.Op()))
	}
}

// leave sends a frame on.
func (f *fabric) leave(port uint16, frame []byte) {
	if h := f.hosts[port]; h != nil {
		f.net.leave(h, frame)
	} else if l := f.peers[port]; l != nil {
		f.valleyFree(port, frame)
		f.net.cross(l, f, slices.Clone(frame))
	} else if port == p4src.CPUPort && f.toController != nil {
		f.toController(binary.BigEndian.Uint16(frame)>>portShift, slices.Clone(frame[packetInSize:]))
	}
}

// The headers between the switch and its controller (p4src/include/headers.p4) have a port in their
// upper bits; a packet-out header may ask the switch to treat the frame as if received instead.
const (
	packetInSize = 2
	portShift    = 7
	submit       = 0x0040
)

// packetOut takes a frame of the controller as if it were a host's.
func (f *fabric) packetOut(frame []byte) { f.fromController(submit, frame) }

// sendBy has a frame of the controller leave by a port.
func (f *fabric) sendBy(port uint32, frame []byte) { f.fromController(uint16(port)<<portShift, frame) }

func (f *fabric) fromController(header uint16, frame []byte) {
	f.receive(p4src.CPUPort, append(binary.BigEndian.AppendUint16(nil, header), frame...))
}

// held returns all that is installed.
func (f *fabric) held() tables.State {
	s := tables.State{CloneSessions: slices.Clone(f.clones), Digests: slices.Clone(f.digest)}
	for _, key := range slices.Sorted(maps.Keys(f.rows)) {
		s.Entries = append(s.Entries, f.rows[key])
	}
	return s
}

// write carries out one update.
func (f *fabric) write(u tables.Update) error {
	switch {
	case u.Digest != nil:
		f.digest = append(f.digest, *u.Digest)
		return nil
	case u.CloneSession != nil:
		return f.writeClone(u)
	}
	entry, err := entryOf(f.live.Program(), *u.Entry)
	if err != nil {
		return err
	}
	if err := f.apply(u.Op, entry); err != nil {
		return fmt.Errorf("%v: %w", u, err)
	}
	if u.Op == tables.Delete {
		delete(f.rows, u.Entry.Key())
	} else {
		f.rows[u.Entry.Key()] = *u.Entry
	}
	return nil
}

func (f *fabric) writeClone(u tables.Update) error {
	if err := f.apply(u.Op, cloneSession(*u.CloneSession)); err != nil {
		return fmt.Errorf("%v: %w", u, err)
	}
	f.clones = append(f.clones, *u.CloneSession)
	return nil
}

func (f *fabric) apply(op tables.Operation, e v1model.Entity) error {
	types := map[tables.Operation]v1model.OpType{tables.Insert: v1model.OpInsert,
		tables.Modify: v1model.OpModify, tables.Delete: v1model.OpDelete}
	if errs := f.live.Update([]v1model.Op{{Type: types[op], Entity: e}}); errs != nil {
		return errs[0]
	}
	return nil
}

// counter reads the packets that a counter array, known by its alias, has for a sub-range.
func (f *fabric) counter(alias string, id kv.SubRangeID) uint64 {
	for _, c := range f.live.Program().Counters {
		if named(c.Name, alias) {
			v, err := f.live.ReadCounter(c.Name, int(id))
			if err != nil {
				f.net.fail(err)
			}
			return v.Packets
		}
	}
	panic("turbokvtest: no counter " + alias)
}

// named reports whether a full name of the program ends in the alias that P4Info gives.
func named(full, alias string) bool { return full == alias || strings.HasSuffix(full, "."+alias) }

func entryOf(p *bmv2.Program, e tables.Entry) (*v1model.Entry, error) {
	for _, t := range p.Tables() {
		if !named(t.Name, e.Table) {
			continue
		}
		for _, a := range t.Actions {
			if named(a.Name, e.Action) {
				return fill(t, a, e), nil
			}
		}
	}
	return nil, fmt.Errorf("no table %s with action %s", e.Table, e.Action)
}

func fill(t *bmv2.Table, a *bmv2.Action, e tables.Entry) *v1model.Entry {
	out := &v1model.Entry{Table: t.Name, Action: a.Name, Priority: e.Priority}
	for _, k := range t.Key {
		m := v1model.Match{Any: true}
		for _, f := range e.Match {
			if named(k.Name, f.Field) {
				m = v1model.Match{Value: pad(f.Value, k.Width), PrefixLen: f.Prefix}
			}
		}
		out.Match = append(out.Match, m)
	}
	for _, p := range a.Params {
		out.Params = append(out.Params, pad(e.Param(p.Name), p.Width))
	}
	return out
}

// pad returns a number in as many bytes as its field has.
func pad(v tables.Value, width int) []byte {
	b := make([]byte, (width+7)/8)
	if !v.Fill(b) {
		panic(fmt.Sprintf("turbokvtest: %v does not fit %d bits", v, width))
	}
	return b
}

func cloneSession(c tables.CloneSession) *v1model.CloneSession {
	out := &v1model.CloneSession{ID: uint16(c.ID)}
	for _, r := range c.Replicas {
		out.Replicas = append(out.Replicas,
			v1model.Replica{Port: uint16(r.Port), Instance: uint16(r.Instance)})
	}
	return out
}
