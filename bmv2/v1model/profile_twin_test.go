package v1model_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// twin is a slow model of the profile "paths" and its table: plain values that are copied for each
// batch, and a search through everything for each packet.
type twin struct {
	members map[uint32]twinMember
	groups  map[uint32]twinGroup
	entries map[byte]twinEntry // by flow
	taken   map[int]bool       // places
	down    map[uint16]bool
}

type twinMember struct {
	port   byte
	places []int
}

type twinGroup struct {
	maxSize int
	members []v1model.GroupMember
}

type twinEntry struct {
	ref    v1model.ActionRef
	places [][]int // of the actions of a one-shot
}

func newTwin() *twin {
	return &twin{map[uint32]twinMember{}, map[uint32]twinGroup{}, map[byte]twinEntry{}, map[int]bool{},
		map[uint16]bool{}}
}

func (x *twin) clone() *twin {
	return &twin{maps.Clone(x.members), maps.Clone(x.groups), maps.Clone(x.entries), maps.Clone(x.taken),
		maps.Clone(x.down)}
}

func (x *twin) take() int {
	for i := 0; ; i++ {
		if !x.taken[i] {
			x.taken[i] = true
			return i
		}
	}
}

const twinSize = 8 // of the profile in stateful.p4

func (x *twin) weight() (sum int) {
	for _, g := range x.groups {
		for _, m := range g.members {
			sum += m.Weight
		}
	}
	for _, e := range x.entries {
		for _, a := range e.ref.OneShot {
			sum += a.Weight
		}
	}
	return sum
}

func (x *twin) oneShots() bool {
	for _, e := range x.entries {
		if e.ref.Kind == v1model.RefOneShot {
			return true
		}
	}
	return false
}

// apply does what an operation should do. On error the twin is not to be used any more.
func (x *twin) apply(op v1model.Op) error {
	switch e := op.Entity.(type) {
	case *v1model.ProfileMember:
		return x.member(op.Type, e)
	case *v1model.ProfileGroup:
		return x.group(op.Type, e)
	}
	return x.entry(op.Type, op.Entity.(*v1model.Entry))
}

func mayDo(t v1model.OpType, exists bool) error {
	if t == v1model.OpInsert && exists {
		return v1model.ErrExists
	}
	if t != v1model.OpInsert && !exists {
		return v1model.ErrNotFound
	}
	return nil
}

func (x *twin) member(t v1model.OpType, e *v1model.ProfileMember) error {
	old, exists := x.members[e.ID]
	if err := mayDo(t, exists); err != nil {
		return err
	}
	if t == v1model.OpDelete {
		for _, g := range x.groups {
			for _, m := range g.members {
				if m.Member == e.ID {
					return v1model.ErrInUse
				}
			}
		}
		for _, entry := range x.entries {
			if entry.ref.Kind == v1model.RefMember && entry.ref.ID == e.ID {
				return v1model.ErrInUse
			}
		}
		delete(x.members, e.ID)
		delete(x.taken, old.places[0])
		return nil
	}
	if x.oneShots() {
		return v1model.ErrInvalid
	}
	if !exists && len(x.members) >= twinSize {
		return v1model.ErrSize
	}
	if !exists {
		old.places = []int{x.take()}
	}
	old.port = e.Params[0][0]
	x.members[e.ID] = old
	return nil
}

func (x *twin) group(t v1model.OpType, e *v1model.ProfileGroup) error {
	old, exists := x.groups[e.ID]
	if err := mayDo(t, exists); err != nil {
		return err
	}
	if t == v1model.OpDelete {
		for _, entry := range x.entries {
			if entry.ref.Kind == v1model.RefGroup && entry.ref.ID == e.ID {
				return v1model.ErrInUse
			}
		}
		delete(x.groups, e.ID)
		x.settle()
		return nil
	}
	if x.oneShots() || exists && e.MaxSize != old.maxSize {
		return v1model.ErrInvalid
	}
	sum := 0
	for i, m := range e.Members {
		if _, ok := x.members[m.Member]; !ok {
			return v1model.ErrNotFound
		}
		for _, before := range e.Members[:i] {
			if before.Member == m.Member {
				return v1model.ErrInvalid
			}
		}
	}
	for _, m := range e.Members {
		if sum += m.Weight; m.Weight < 1 {
			return v1model.ErrInvalid
		}
	}
	x.groups[e.ID] = twinGroup{e.MaxSize, e.Members}
	if e.MaxSize > 0 && sum > e.MaxSize || x.weight() > twinSize {
		return v1model.ErrSize
	}
	x.settle()
	return nil
}

// settle gives each member as many places as its largest weight needs: first what is missing, then
// what is too much goes.
func (x *twin) settle() {
	need := map[uint32]int{}
	for _, g := range x.groups {
		for _, m := range g.members {
			need[m.Member] = max(need[m.Member], m.Weight)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(x.members)) {
		m := x.members[id]
		m.places = slices.Clone(m.places)
		for len(m.places) < need[id] {
			m.places = append(m.places, x.take())
		}
		x.members[id] = m
	}
	for id, m := range x.members {
		for len(m.places) > max(1, need[id]) {
			delete(x.taken, m.places[len(m.places)-1])
			m.places = m.places[:len(m.places)-1]
		}
		x.members[id] = m
	}
}

func (x *twin) entry(t v1model.OpType, e *v1model.Entry) error {
	flow := e.Match[0].Value[0]
	old, exists := x.entries[flow]
	if t != v1model.OpInsert && !exists {
		return v1model.ErrNotFound
	}
	if t == v1model.OpDelete {
		x.release(old)
		delete(x.entries, flow)
		return nil
	}
	var ok bool
	switch e.Ref.Kind {
	case v1model.RefMember:
		_, ok = x.members[e.Ref.ID]
	case v1model.RefGroup:
		_, ok = x.groups[e.Ref.ID]
	default:
		if ok = true; len(x.members)+len(x.groups) > 0 {
			return v1model.ErrInvalid
		}
	}
	switch {
	case !ok:
		return v1model.ErrNotFound
	case t == v1model.OpInsert && exists:
		return v1model.ErrExists
	}
	next := twinEntry{ref: e.Ref}
	for _, a := range e.Ref.OneShot {
		if a.Weight < 1 {
			return v1model.ErrInvalid
		}
	}
	x.entries[flow] = next
	if e.Ref.Kind == v1model.RefOneShot && x.weight() > twinSize {
		return v1model.ErrSize
	}
	for _, a := range e.Ref.OneShot {
		var places []int
		for range a.Weight {
			places = append(places, x.take())
		}
		next.places = append(next.places, places)
	}
	x.entries[flow] = next
	x.release(old)
	return nil
}

func (x *twin) release(e twinEntry) {
	for _, list := range e.places {
		for _, p := range list {
			delete(x.taken, p)
		}
	}
}

// port tells where a packet leaves.
func (x *twin) port(flow byte, hash uint16) byte {
	e, hit := x.entries[flow]
	if !hit {
		return 0
	}
	if e.ref.Kind == v1model.RefMember {
		return x.members[e.ref.ID].port
	}
	at := map[int]byte{} // port by place
	for i, a := range e.ref.OneShot {
		for _, p := range e.places[i] {
			if !a.Watch.Set || !x.down[a.Watch.Port] {
				at[p] = a.Params[0][0]
			}
		}
	}
	if e.ref.Kind == v1model.RefGroup {
		for _, m := range x.groups[e.ref.ID].members {
			for _, p := range x.members[m.Member].places[:m.Weight] {
				if !m.Watch.Set || !x.down[m.Watch.Port] {
					at[p] = x.members[m.Member].port
				}
			}
		}
	}
	order := slices.Sorted(maps.Keys(at))
	if len(order) == 0 {
		return 0
	}
	return at[order[int(slowCRC16([]byte{byte(hash >> 8), byte(hash), 0}))%len(order)]]
}

// slowCRC16 is CRC-16/ARC, bit by bit.
func slowCRC16(b []byte) (crc uint16) {
	for _, v := range b {
		crc ^= uint16(v)
		for range 8 {
			low := crc & 1
			if crc >>= 1; low == 1 {
				crc ^= 0xa001
			}
		}
	}
	return crc
}

// anyOp makes an operation that has a good chance to succeed.
func anyOp(r *rand.Rand) v1model.Op {
	types := []v1model.OpType{v1model.OpInsert, v1model.OpInsert, v1model.OpModify, v1model.OpDelete}
	op := v1model.Op{Type: types[r.IntN(len(types))]}
	watch := func() v1model.WatchPort {
		return v1model.WatchPort{Port: uint16(r.IntN(3)), Set: r.IntN(3) == 0}
	}
	weight := func() int { return max(r.IntN(4), min(1, r.IntN(20))) }
	id := uint32(1 + r.IntN(5))
	switch r.IntN(4) {
	case 0:
		op.Entity = member(paths, id, "send", byte(1+r.IntN(200)))
	case 1:
		g := profileGroup(id)
		g.MaxSize = 4 * r.IntN(2)
		for range r.IntN(4) {
			g.Members = append(g.Members, v1model.GroupMember{Member: uint32(1 + r.IntN(5)),
				Weight: weight(), Watch: watch()})
		}
		op.Entity = g
	default:
		e := pointing("selected_table", byte(1+r.IntN(4)), v1model.RefMember, id)
		switch r.IntN(4) {
		case 0:
			e.Ref.Kind = v1model.RefGroup
		case 1:
			e.Ref = v1model.ActionRef{Kind: v1model.RefOneShot}
			for range r.IntN(4) {
				e.Ref.OneShot = append(e.Ref.OneShot, v1model.WeightedAction{Action: "ingress.send",
					Params: [][]byte{{byte(1 + r.IntN(200))}}, Weight: weight(), Watch: watch()})
			}
		}
		op.Entity = e
	}
	return op
}

// TestProfilesAreTheirTwin does random batches, some of which fail and are taken back, to a switch
// and to the twin. Errors and ways of packets must be the same.
func TestProfilesAreTheirTwin(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 6
	}
	outcomes := map[error]int{}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 2))
		sw, x := newSwitch(t, "stateful", v1model.Config{}), newTwin()
		w := sw.NewWorker()
		for step := range 200 {
			x = twinStep(t, r, sw, x, outcomes)
			for range 8 {
				flow, hash := byte(1+r.IntN(4)), uint16(r.IntN(1<<16))
				want := fmt.Sprint(x.port(flow, hash))
				out := process(w, 0, stateful(kindSelected, flow, hash))
				if got := fmt.Sprint(out[0].port); got != want {
					t.Fatalf("seed %d, step %d: flow %d, hash %#x leaves by %s, want %s", seed, step, flow,
						hash, got, want)
				}
			}
		}
	}
	for _, e := range []error{nil, v1model.ErrExists, v1model.ErrNotFound, v1model.ErrInUse,
		v1model.ErrInvalid, v1model.ErrSize} {
		if outcomes[e] < 10 {
			t.Errorf("%v was seen %d times only", e, outcomes[e])
		}
	}
}

// twinStep does one batch, or tells that a port went up or down, and returns the twin after it.
func twinStep(t *testing.T, r *rand.Rand, sw *v1model.Switch, x *twin, outcomes map[error]int) *twin {
	t.Helper()
	if r.IntN(10) == 0 {
		port, up := uint16(r.IntN(3)), r.IntN(3) > 0
		sw.SetPort(port, up)
		x.down[port] = !up
		return x
	}
	var ops []v1model.Op
	for range 1 + r.IntN(4) {
		ops = append(ops, anyOp(r))
	}
	if r.IntN(2) == 0 {
		before := x
		x = x.clone()
		at, err := sw.UpdateAtomic(ops)
		for i, op := range ops {
			want := x.apply(op)
			outcomes[want]++
			if i == at || want != nil {
				check(t, op, err, want)
				return before
			}
		}
		check(t, v1model.Op{}, err, nil)
		return x
	}
	errs := sw.Update(ops)
	for i, op := range ops {
		next := x.clone()
		want := next.apply(op)
		if outcomes[want]++; want == nil {
			x = next
		}
		var err error
		if errs != nil {
			err = errs[i]
		}
		check(t, op, err, want)
	}
	return x
}

func check(t *testing.T, op v1model.Op, got, want error) {
	t.Helper()
	if (got == nil) != (want == nil) || !errors.Is(got, want) {
		t.Fatalf("%s %+v: %v, want %v", op.Type, op.Entity, got, want)
	}
}
