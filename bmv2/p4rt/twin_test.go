package p4rt

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
)

// twin is what a server should hold, as simple as can be: four kinds of things by small numbers.
type twin struct {
	entries map[uint16]byte     // counted_table: flow -> port
	members map[uint16]byte     // nexthops: member -> port
	refs    map[uint16]byte     // member_table: flow -> member
	groups  map[uint16][]uint32 // multicast group -> ports
	sets    []byte              // value set kinds
}

func newTwin() *twin {
	return &twin{map[uint16]byte{}, map[uint16]byte{}, map[uint16]byte{}, map[uint16][]uint32{}, nil}
}

func (w *twin) clone() *twin {
	return &twin{maps.Clone(w.entries), maps.Clone(w.members), maps.Clone(w.refs),
		maps.Clone(w.groups), slices.Clone(w.sets)}
}

// change is one random update.
type change struct {
	what byte // 'e', 'm', 'r', 'g' or 's'
	kind p4v1.Update_Type
	id   uint16
	to   byte
}

func randomChange(rng *rand.Rand) change {
	return change{"eeemmrrrggs"[rng.IntN(11)], p4v1.Update_Type(rng.IntN(4)), uint16(rng.IntN(11)),
		byte(rng.IntN(6))}
}

// update is the change as a controller sends it.
func (c change) update(r *rig) *p4v1.Update {
	match := key(exact(1, string([]byte{0, byte(c.id)})))
	var e *p4v1.Entity
	switch c.what {
	case 'e':
		e = tableEntity(r.direct("counted_table", match, "count_hit", string([]byte{c.to})))
	case 'm':
		e = r.member("nexthops", uint32(c.id), "send", string([]byte{c.to}))
	case 'r':
		e = r.refer("member_table", match, toMember(uint32(c.to)))
	case 'g':
		e = group(uint32(c.id), replica(uint32(c.to), 0), replica(uint32(c.to)+1, 0))
	case 's':
		e = r.valueSet("kinds", key(exact(1, string([]byte{c.to}))), key(exact(1, string([]byte{c.to + 1}))))
	}
	return &p4v1.Update{Type: c.kind, Entity: e}
}

// wrong is the code of a change that is wrong whatever the server holds.
func (c change) wrong() codes.Code {
	bad := c.kind == 0 || c.what == 's' && c.kind != p4v1.Update_MODIFY ||
		(c.what == 'm' || c.what == 'g') && c.id == 0 ||
		c.what == 'r' && c.to == 0 && c.kind != p4v1.Update_DELETE
	if bad {
		return codes.InvalidArgument
	}
	return codes.OK
}

// apply carries a change out on the twin and returns its code.
func (w *twin) apply(c change) codes.Code {
	if code := c.wrong(); code != codes.OK {
		return code
	}
	switch c.what {
	case 'e':
		return put(w.entries, c, 8, c.to, nil)
	case 'm':
		return put(w.members, c, 4, c.to, func() codes.Code {
			for _, to := range w.refs {
				if c.kind == p4v1.Update_DELETE && uint16(to) == c.id {
					return codes.FailedPrecondition
				}
			}
			return codes.OK
		})
	case 'r':
		_, there := w.members[uint16(c.to)]
		if c.kind == p4v1.Update_INSERT && !there { // looked at before all else
			return codes.NotFound
		}
		return put(w.refs, c, 8, c.to, func() codes.Code {
			if c.kind == p4v1.Update_MODIFY && !there {
				return codes.NotFound
			}
			return codes.OK
		})
	case 'g':
		return put(w.groups, c, 1<<15, []uint32{uint32(c.to), uint32(c.to) + 1}, nil)
	}
	w.sets = []byte{c.to, c.to + 1}
	return codes.OK
}

// put is an update of a container of limited size; more may object to one that is otherwise fine.
func put[T any](in map[uint16]T, c change, size int, to T, more func() codes.Code) codes.Code {
	_, there := in[c.id]
	switch {
	case c.kind == p4v1.Update_INSERT && there:
		return codes.AlreadyExists
	case c.kind != p4v1.Update_INSERT && !there:
		return codes.NotFound
	case c.kind == p4v1.Update_INSERT && len(in) >= size:
		return codes.ResourceExhausted
	}
	if more != nil {
		if code := more(); code != codes.OK {
			return code
		}
	}
	if c.kind == p4v1.Update_DELETE {
		delete(in, c.id)
	} else {
		in[c.id] = to
	}
	return codes.OK
}

// batch returns the twin after a batch and the code of each change.
func (w *twin) batch(all []change, how p4v1.WriteRequest_Atomicity) (*twin, []codes.Code) {
	next := w.clone()
	outcomes := make([]codes.Code, len(all))
	failed := false
	if how != goOn {
		for i, c := range all {
			outcomes[i] = c.wrong()
			failed = failed || outcomes[i] != codes.OK
		}
	}
	for i, c := range all {
		if failed && how != goOn {
			break
		}
		outcomes[i] = next.apply(c)
		failed = failed || outcomes[i] != codes.OK
	}
	if !failed || how == goOn {
		return next, outcomes
	}
	for i := range outcomes {
		if outcomes[i] == codes.OK {
			outcomes[i] = codes.Aborted
		}
	}
	return w, outcomes
}

// compare reads everything and compares it with the twin.
func (w *twin) compare(t *testing.T, r *rig) {
	t.Helper()
	got := newTwin()
	all, err := r.read(tableEntity(&p4v1.TableEntry{TableId: r.id("counted_table")}),
		tableEntity(&p4v1.TableEntry{TableId: r.id("member_table")}), r.member("nexthops", 0, ""),
		group(0), r.valueSet("kinds"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		switch e := e.GetEntity().(type) {
		case *p4v1.Entity_TableEntry:
			flow := uint16(e.TableEntry.GetMatch()[0].GetExact().GetValue()[0])
			if a := e.TableEntry.GetAction(); a.GetAction() != nil {
				got.entries[flow] = a.GetAction().GetParams()[0].GetValue()[0]
			} else {
				got.refs[flow] = byte(a.GetActionProfileMemberId())
			}
		case *p4v1.Entity_ActionProfileMember:
			got.members[uint16(e.ActionProfileMember.GetMemberId())] =
				e.ActionProfileMember.GetAction().GetParams()[0].GetValue()[0]
		case *p4v1.Entity_PacketReplicationEngineEntry:
			g := e.PacketReplicationEngineEntry.GetMulticastGroupEntry()
			for _, replica := range g.GetReplicas() {
				id := uint16(g.GetMulticastGroupId())
				got.groups[id] = append(got.groups[id], replica.GetEgressPort())
			}
		case *p4v1.Entity_ValueSetEntry:
			for _, m := range e.ValueSetEntry.GetMembers() {
				got.sets = append(got.sets, m.GetMatch()[0].GetExact().GetValue()[0])
			}
		}
	}
	if !maps.Equal(got.entries, w.entries) || !maps.Equal(got.members, w.members) ||
		!maps.Equal(got.refs, w.refs) || !maps.EqualFunc(got.groups, w.groups, slices.Equal) ||
		!slices.Equal(got.sets, w.sets) {
		t.Fatalf("the server holds\n%+v\nwant\n%+v", got, w)
	}
	for flow := range uint16(11) { // packets see the same
		want := 0
		port, there := w.entries[flow]
		if there {
			want = 1
		}
		if out := r.receive(5, keyed(1, flow)); len(out) != want || there && out[0].port != uint16(port) {
			t.Fatalf("flow %d: %v, want %d frame at port %d", flow, out, want, port)
		}
	}
}

// Random batches of all atomicities have the outcomes, and leave the state, that a twin without any
// of the machinery says.
func TestRandomBatches(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 5))
		r, w := newRig(t).withEntities(), newTwin()
		for step := range 60 {
			how := p4v1.WriteRequest_Atomicity(rng.IntN(3))
			all := make([]change, 1+rng.IntN(8))
			var updates []*p4v1.Update
			for i := range all {
				all[i] = randomChange(rng)
				updates = append(updates, all[i].update(r))
			}
			next, want := w.batch(all, how)
			got, err := r.batch(how, updates...)
			if err == nil {
				got = make([]codes.Code, len(all))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d, %v of %+v:\ngot  %v, %v\nwant %v", seed, step, how, all, got, err, want)
			}
			w = next
			w.compare(t, r)
		}
	}
}
