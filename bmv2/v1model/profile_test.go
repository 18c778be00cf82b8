package v1model_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// Names of stateful.p4.
const (
	nexthops = "ingress.nexthops"
	paths    = "ingress.paths"
)

// Kinds of packets of stateful.p4: what they ask for.
const (
	kindPacketMeter = 1 + iota
	kindByteMeter
	kindMetered
	kindIndirect
	kindSecond
	kindSelected
	kindAging
)

// stateful is a frame of stateful.p4.
func stateful(kind, flow byte, hash uint16) []byte {
	return []byte{kind, flow, byte(hash >> 8), byte(hash), 0, 0}
}

// answer tells what came out for one frame: port, color, next; or "dropped".
func answer(w *v1model.Worker, f []byte) string {
	out := process(w, 0, f)
	if len(out) == 0 {
		return "dropped"
	}
	return fmt.Sprintf("%d %d %d", out[0].port, out[0].frame[4], out[0].frame[5])
}

func member(profile string, id uint32, action string, params ...byte) *v1model.ProfileMember {
	m := &v1model.ProfileMember{Profile: profile, ID: id, Action: "ingress." + action}
	for _, p := range params {
		m.Params = append(m.Params, []byte{p})
	}
	return m
}

func profileGroup(id uint32, members ...v1model.GroupMember) *v1model.ProfileGroup {
	return &v1model.ProfileGroup{Profile: paths, ID: id, Members: members}
}

// pointing is an entry of a table of stateful.p4.
func pointing(table string, flow byte, kind v1model.RefKind, id uint32) *v1model.Entry {
	e := &v1model.Entry{Table: "ingress." + table, Match: []v1model.Match{{Value: []byte{flow}}},
		Ref: v1model.ActionRef{Kind: kind, ID: id}}
	if table == "second_table" {
		e.Match[0].PrefixLen = 8
	}
	return e
}

func insert(list ...v1model.Entity) (ops []v1model.Op) {
	for _, e := range list {
		ops = append(ops, v1model.Op{Type: v1model.OpInsert, Entity: e})
	}
	return ops
}

func modify(e v1model.Entity) v1model.Op { return v1model.Op{Type: v1model.OpModify, Entity: e} }
func remove(e v1model.Entity) v1model.Op { return v1model.Op{Type: v1model.OpDelete, Entity: e} }

// apply does operations of which each succeeds.
func apply(t *testing.T, sw *v1model.Switch, ops ...v1model.Op) {
	t.Helper()
	if i, err := sw.UpdateAtomic(ops); err != nil {
		t.Fatalf("operation %d: %v", i, err)
	}
}

func TestMemberActsForAllItsEntries(t *testing.T) {
	sw := newSwitch(t, "stateful", v1model.Config{})
	w := sw.NewWorker()
	apply(t, sw, insert(member(nexthops, 7, "send", 3),
		pointing("indirect_table", 1, v1model.RefMember, 7),
		pointing("indirect_table", 2, v1model.RefMember, 7),
		pointing("second_table", 1, v1model.RefMember, 7))...)
	for _, c := range []struct {
		kind, flow byte
		before     string
		after      string
	}{
		{kindIndirect, 1, "3 255 0", "4 255 9"},
		{kindIndirect, 2, "3 255 0", "4 255 9"},
		{kindIndirect, 3, "0 0 0", "0 0 0"}, // a miss: p4c gives such tables no default action
		{kindSecond, 1, "3 1 0", "4 2 9"},   // what follows depends on the action
	} {
		if got := answer(w, stateful(c.kind, c.flow, 0)); got != c.before {
			t.Errorf("kind %d, flow %d: %s, want %s", c.kind, c.flow, got, c.before)
		}
	}
	apply(t, sw, modify(member(nexthops, 7, "mark", 4, 9)))
	if got := answer(w, stateful(kindIndirect, 1, 0)); got != "4 255 9" {
		t.Errorf("after the change: %s", got)
	}
	if got := answer(w, stateful(kindSecond, 1, 0)); got != "4 2 9" {
		t.Errorf("the other table after the change: %s", got)
	}
	hits, err := sw.DirectCounter(pointing("indirect_table", 1, 0, 0))
	if err != nil || hits.Packets != 2 {
		t.Errorf("direct counter %+v, %v", hits, err)
	}
}

// shares sends packets with all hashes of one byte and counts where they leave.
func shares(w *v1model.Worker, flow byte) map[string]int {
	out := map[string]int{}
	for h := range uint16(256) {
		out[strings.Fields(answer(w, stateful(kindSelected, flow, h)))[0]]++
	}
	return out
}

func TestGroupSpreadsByWeight(t *testing.T) {
	sw := newSwitch(t, "stateful", v1model.Config{})
	w := sw.NewWorker()
	apply(t, sw, insert(member(paths, 1, "send", 1), member(paths, 2, "send", 2),
		profileGroup(5, v1model.GroupMember{Member: 1, Weight: 1}, v1model.GroupMember{Member: 2, Weight: 3}),
		pointing("selected_table", 1, v1model.RefGroup, 5),
		pointing("selected_table", 2, v1model.RefMember, 2))...)
	got := shares(w, 1)
	if got["1"]+got["2"] != 256 || got["1"] < 48 || got["1"] > 80 {
		t.Errorf("weights 1 and 3: %v", got)
	}
	if got := shares(w, 2); got["2"] != 256 {
		t.Errorf("an entry with a member: %v", got)
	}
}

func TestWatchedPortTakesItsChoicesOut(t *testing.T) {
	sw := newSwitch(t, "stateful", v1model.Config{})
	w := sw.NewWorker()
	watch := func(port uint16) v1model.WatchPort { return v1model.WatchPort{Port: port, Set: true} }
	shot := &v1model.Entry{Table: "ingress.selected_table", Match: []v1model.Match{{Value: []byte{1}}},
		Ref: v1model.ActionRef{Kind: v1model.RefOneShot, OneShot: []v1model.WeightedAction{
			{Action: "ingress.send", Params: [][]byte{{1}}, Weight: 1, Watch: watch(1)},
			{Action: "ingress.send", Params: [][]byte{{2}}, Weight: 1, Watch: watch(2)},
		}}}
	apply(t, sw, insert(shot)...)
	if got := shares(w, 1); got["1"] == 0 || got["2"] == 0 {
		t.Fatalf("both up: %v", got)
	}
	sw.SetPort(1, false)
	if got := shares(w, 1); got["2"] != 256 {
		t.Errorf("port 1 down: %v", got)
	}
	sw.SetPort(2, false)
	// Nothing to choose from: the packet meets no action, and goes on behind the table.
	if got := answer(w, stateful(kindSelected, 1, 0)); got != "0 0 0" {
		t.Errorf("both down: %s", got)
	}
	must(t, sw.SetProgram(load(t, "stateful")))
	apply(t, sw, insert(shot)...)
	sw.SetPort(1, true)
	if got := shares(w, 1); got["1"] != 256 {
		t.Errorf("a new program, port 1 up: %v", got)
	}
	if got, err := sw.Entry(shot); err != nil || !reflect.DeepEqual(got.Ref.OneShot[1].Watch, watch(2)) {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestProfileRefusals(t *testing.T) {
	sw := newSwitch(t, "stateful", v1model.Config{})
	one := v1model.GroupMember{Member: 1, Weight: 1}
	apply(t, sw, insert(member(nexthops, 1, "drop"), member(nexthops, 2, "drop"), member(paths, 1, "drop"),
		member(paths, 2, "drop"), profileGroup(1, one),
		&v1model.ProfileGroup{Profile: paths, ID: 2, MaxSize: 2, Members: []v1model.GroupMember{one}},
		pointing("indirect_table", 1, v1model.RefMember, 1),
		pointing("selected_table", 1, v1model.RefGroup, 1),
		pointing("selected_table", 2, v1model.RefMember, 2))...)
	must(t, sw.SetProfileLimits(paths, v1model.ProfileLimits{MaxGroupSize: 4, MaxMemberWeight: 3}))
	group := func(id uint32, size int, members ...v1model.GroupMember) *v1model.ProfileGroup {
		return &v1model.ProfileGroup{Profile: paths, ID: id, MaxSize: size, Members: members}
	}
	shot := pointing("selected_table", 9, v1model.RefOneShot, 0)
	stray := pointing("indirect_table", 9, v1model.RefMember, 1)
	stray.Action = "ingress.drop"
	for _, c := range []struct {
		op   v1model.Op
		want error
		text string
	}{
		{insert(member("nope", 1, "drop"))[0], v1model.ErrUnknown, "the program has ingress.nexthops, "},
		{insert(member(nexthops, 0, "drop"))[0], v1model.ErrInvalid, "member id 0"},
		{insert(member(nexthops, 1, "drop"))[0], v1model.ErrExists, "member 1"},
		{insert(member(nexthops, 3, "police"))[0], v1model.ErrUnknown, "ingress.police"},
		{insert(member(nexthops, 3, "send"))[0], v1model.ErrInvalid, "0 parameters"},
		{insert(member(nexthops, 3, "NoAction"))[0], v1model.ErrUnknown, "NoAction"},
		{modify(member(nexthops, 3, "drop")), v1model.ErrNotFound, "member 3"},
		{remove(member(nexthops, 3, "drop")), v1model.ErrNotFound, "member 3"},
		{remove(member(nexthops, 1, "")), v1model.ErrInUse, "0 groups and 1 entries"},
		{remove(member(paths, 1, "")), v1model.ErrInUse, "2 groups and 0 entries"},
		{remove(group(1, 0)), v1model.ErrInUse, "1 entries"},
		{insert(&v1model.ProfileGroup{Profile: nexthops, ID: 1})[0], v1model.ErrInvalid, "no selector"},
		{insert(group(0, 0))[0], v1model.ErrInvalid, "group id 0"},
		{insert(group(1, 0))[0], v1model.ErrExists, "group 1"},
		{insert(group(3, 5))[0], v1model.ErrInvalid, "want 0 to 4"},
		{insert(group(3, 0, one, one))[0], v1model.ErrInvalid, "member 1 twice"},
		{insert(group(3, 0, v1model.GroupMember{Member: 9, Weight: 1}))[0], v1model.ErrNotFound, "member 9"},
		{insert(group(3, 0, v1model.GroupMember{Member: 1}))[0], v1model.ErrInvalid, "weight 0"},
		{insert(group(3, 0, v1model.GroupMember{Member: 1, Weight: 4}))[0], v1model.ErrInvalid, "weight 4"},
		{modify(group(2, 3)), v1model.ErrInvalid, "it was inserted with 2"},
		{modify(group(2, 2, v1model.GroupMember{Member: 1, Weight: 3})), v1model.ErrSize, "the group may have 2"},
		{modify(group(3, 0)), v1model.ErrNotFound, "group 3"},
		{remove(group(3, 0)), v1model.ErrNotFound, "group 3"},
		{insert(pointing("indirect_table", 9, v1model.RefMember, 9))[0], v1model.ErrNotFound, "member 9"},
		{insert(pointing("indirect_table", 9, v1model.RefGroup, 1))[0], v1model.ErrInvalid, "no selector"},
		{insert(pointing("selected_table", 9, v1model.RefGroup, 9))[0], v1model.ErrNotFound, "group 9"},
		{insert(pointing("selected_table", 9, v1model.RefNone, 0))[0], v1model.ErrInvalid, "ingress.paths"},
		{insert(pointing("aging_table", 9, v1model.RefMember, 1))[0], v1model.ErrInvalid, "no action profile"},
		{insert(stray)[0], v1model.ErrInvalid, "want a reference"},
		{insert(shot)[0], v1model.ErrInvalid, "either one-shots or members"},
	} {
		_, err := sw.UpdateAtomic([]v1model.Op{c.op})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s %+v: %v, want %v: %s", c.op.Type, c.op.Entity, err, c.want, c.text)
		}
	}
	if got, err := sw.Members(nexthops); err != nil || len(got) != 2 || got[0].ID != 1 {
		t.Errorf("members %v, %v", got, err)
	}
	if got, err := sw.Group(paths, 2); err != nil || got.MaxSize != 2 || len(got.Members) != 1 {
		t.Errorf("group %+v, %v", got, err)
	}
}

func TestProfileSizes(t *testing.T) {
	sw := newSwitch(t, "stateful", v1model.Config{})
	for id := range uint32(8) {
		apply(t, sw, insert(member(nexthops, id+1, "drop"), member(paths, id+1, "drop"))...)
	}
	full := func(e v1model.Entity) {
		t.Helper()
		if _, err := sw.UpdateAtomic(insert(e)); !errors.Is(err, v1model.ErrSize) {
			t.Errorf("%+v: %v", e, err)
		}
	}
	full(member(nexthops, 9, "drop"))
	full(profileGroup(1, v1model.GroupMember{Member: 1, Weight: 9}))
	apply(t, sw, insert(profileGroup(1, v1model.GroupMember{Member: 1, Weight: 5}))...)
	full(profileGroup(2, v1model.GroupMember{Member: 1, Weight: 4}))
	must(t, sw.SetProfileLimits(paths, v1model.ProfileLimits{ByMembers: true}))
	apply(t, sw, insert(profileGroup(2, v1model.GroupMember{Member: 1, Weight: 4}))...)
	full(profileGroup(3, v1model.GroupMember{Member: 2, Weight: 1 << 17}))
}
