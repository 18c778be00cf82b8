package p4rt

import (
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func (r *rig) member(profile string, id uint32, action string, params ...string) *p4v1.Entity {
	m := &p4v1.ActionProfileMember{ActionProfileId: r.id(profile), MemberId: id}
	if action != "" {
		m.Action = r.action(action, params...)
	}
	return &p4v1.Entity{Entity: &p4v1.Entity_ActionProfileMember{ActionProfileMember: m}}
}

func (r *rig) group(id uint32, maxSize int32, members ...*p4v1.ActionProfileGroup_Member) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_ActionProfileGroup{ActionProfileGroup: &p4v1.ActionProfileGroup{
		ActionProfileId: r.id("paths"), GroupId: id, MaxSize: maxSize, Members: members}}}
}

func weighted(member uint32, weight int32, watch string) *p4v1.ActionProfileGroup_Member {
	m := &p4v1.ActionProfileGroup_Member{MemberId: member, Weight: weight}
	if watch != "" {
		m.WatchKind = &p4v1.ActionProfileGroup_Member_WatchPort{WatchPort: []byte(watch)}
	}
	return m
}

// refer builds an entry of an indirect table.
func (r *rig) refer(table string, match []*p4v1.FieldMatch, a *p4v1.TableAction) *p4v1.Entity {
	return tableEntity(&p4v1.TableEntry{TableId: r.id(table), Match: match, Action: a})
}

func toMember(id uint32) *p4v1.TableAction {
	return &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileMemberId{ActionProfileMemberId: id}}
}

func toGroup(id uint32) *p4v1.TableAction {
	return &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileGroupId{ActionProfileGroupId: id}}
}

// oneShot builds a set of actions that send to ports, each with its weight; change may be nil.
func (r *rig) oneShot(ports map[string]int32, change func(*p4v1.ActionProfileActionSet)) *p4v1.TableAction {
	set := &p4v1.ActionProfileActionSet{}
	for _, port := range []string{"\x01", "\x02", "\x03", "\x04"} {
		if weight, ok := ports[port]; ok {
			set.ActionProfileActions = append(set.ActionProfileActions,
				&p4v1.ActionProfileAction{Action: r.action("send", port), Weight: weight})
		}
	}
	if change != nil {
		change(set)
	}
	return &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileActionSet{ActionProfileActionSet: set}}
}

// keyed returns a frame of the program with all entities.
func keyed(kind byte, flow uint16) []byte {
	return []byte{kind, byte(flow >> 8), byte(flow), 0}
}

// portsOf sends frames of a kind over some flows and counts where they leave.
func (r *rig) portsOf(kind byte, flows ...uint16) map[uint16]int {
	ports := make(map[uint16]int)
	for _, flow := range flows {
		for _, f := range r.receive(5, keyed(kind, flow)) {
			ports[f.port]++
		}
	}
	return ports
}

type refusal struct {
	update *p4v1.Update
	want   codes.Code
}

func (r *rig) mustRefuse(all map[string]refusal) {
	r.t.Helper()
	for name, c := range all {
		if got := r.write(c.update)[0]; got != c.want {
			r.t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestProfileMembers(t *testing.T) {
	r := newRig(t).withEntities()
	one, two := r.member("nexthops", 1, "send", "\x01"), r.member("nexthops", 2, "send", "\x02")
	entry := r.refer("member_table", key(exact(1, "\x07")), toMember(1))
	r.mustWrite(insert(one), insert(two))
	r.mustWrite(insert(entry))
	r.mustRead(r.member("nexthops", 0, ""), one, two)
	r.mustRead(r.member("nexthops", 2, ""), two)
	r.mustRead(&p4v1.Entity{Entity: &p4v1.Entity_ActionProfileMember{
		ActionProfileMember: &p4v1.ActionProfileMember{}}}, one, two)
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: r.id("member_table")}), entry)
	if got := r.portsOf(3, 7); got[1] != 1 {
		t.Errorf("a member sent to %v, want port 1", got)
	}
	r.mustWrite(modify(r.member("nexthops", 1, "send", "\x04")))
	if got := r.portsOf(3, 7); got[4] != 1 {
		t.Errorf("a modified member sent to %v, want port 4", got)
	}
	r.mustRefuse(map[string]refusal{
		"again":             {insert(one), codes.AlreadyExists},
		"unknown":           {modify(r.member("nexthops", 9, "send", "\x01")), codes.NotFound},
		"delete of unknown": {remove(r.member("nexthops", 9, "")), codes.NotFound},
		"no action":         {insert(r.member("nexthops", 3, "")), codes.InvalidArgument},
		"foreign action":    {insert(r.member("nexthops", 3, "police", "\x01")), codes.InvalidArgument},
		"id 0":              {insert(r.member("nexthops", 0, "send", "\x01")), codes.InvalidArgument},
		"in use":            {remove(r.member("nexthops", 1, "")), codes.FailedPrecondition},
		"unknown member": {insert(r.refer("member_table", key(exact(1, "\x08")), toMember(9))),
			codes.NotFound},
		"a group without selector": {insert(r.refer("member_table", key(exact(1, "\x08")), toGroup(1))),
			codes.InvalidArgument},
		"an action of its own": {insert(tableEntity(
			r.direct("member_table", key(exact(1, "\x08")), "send", "\x01"))), codes.InvalidArgument},
		"member of a direct table": {insert(r.refer("counted_table", key(exact(1, "\x08")), toMember(1))),
			codes.InvalidArgument},
	})
	r.mustWrite(insert(r.member("nexthops", 3, "drop")), insert(r.member("nexthops", 4, "drop")))
	r.mustRefuse(map[string]refusal{
		"full": {insert(r.member("nexthops", 5, "drop")), codes.ResourceExhausted}})
	r.mustWrite(remove(entry))
	r.mustWrite(remove(r.member("nexthops", 1, "")))
}

func TestProfileGroups(t *testing.T) {
	r := newRig(t).withEntities()
	for i, port := range []string{"\x01", "\x02", "\x03"} {
		r.mustWrite(insert(r.member("paths", uint32(i+1), "send", port)))
	}
	pair := r.group(1, 4, weighted(1, 1, ""), weighted(2, 2, "\x02"))
	r.mustWrite(insert(pair))
	entry := r.refer("path_table", nil, toGroup(1))
	r.mustWrite(insert(entry))
	r.mustRead(r.group(0, 0), pair)
	r.mustRead(r.group(1, 0), pair)
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: r.id("path_table")}), entry)
	flows := make([]uint16, 200)
	for i := range flows {
		flows[i] = uint16(31 * i)
	}
	if got := r.portsOf(4, flows...); got[1]+got[2] != 200 || got[2] <= got[1] || got[1] == 0 {
		t.Errorf("ports of a group with weights 1 and 2: %v", got)
	}
	r.sw.SetPort(2, false)
	if got := r.portsOf(4, flows...); got[1] != 200 {
		t.Errorf("with port 2 down: %v", got)
	}
	old := weighted(1, 1, "")
	old.WatchKind = &p4v1.ActionProfileGroup_Member_Watch{Watch: 2} // the deprecated form
	r.mustWrite(modify(r.group(1, 4, old, weighted(3, 1, ""))))
	if got := r.portsOf(4, flows...); got[3] != 200 {
		t.Errorf("with port 2 down, watched in the old form: %v", got)
	}
	r.sw.SetPort(2, true)
	r.mustWrite(modify(r.group(1, 4, weighted(3, 1, ""))))
	if got := r.portsOf(4, flows...); got[3] != 200 {
		t.Errorf("after a change of members: %v", got)
	}
	many := r.group(3, 0, weighted(1, 4, ""))
	r.mustRefuse(map[string]refusal{
		"again":           {insert(pair), codes.AlreadyExists},
		"unknown":         {modify(r.group(9, 0)), codes.NotFound},
		"gone":            {remove(r.group(9, 0)), codes.NotFound},
		"id 0":            {insert(r.group(0, 0)), codes.InvalidArgument},
		"in use":          {remove(r.group(1, 0)), codes.FailedPrecondition},
		"member in use":   {remove(r.member("paths", 3, "")), codes.FailedPrecondition},
		"unknown member":  {insert(r.group(2, 0, weighted(9, 1, ""))), codes.NotFound},
		"member twice":    {insert(r.group(2, 0, weighted(1, 1, ""), weighted(1, 1, ""))), codes.InvalidArgument},
		"no weight":       {insert(r.group(2, 0, weighted(1, 0, ""))), codes.InvalidArgument},
		"port too large":  {insert(r.group(2, 0, weighted(1, 1, "\x02\x00"))), codes.InvalidArgument},
		"max_size":        {insert(r.group(2, 5)), codes.InvalidArgument},
		"other max_size":  {modify(r.group(1, 3, weighted(3, 1, ""))), codes.InvalidArgument},
		"more than fit":   {insert(r.group(2, 2, weighted(1, 3, ""))), codes.ResourceExhausted},
		"no such profile": {insert(withProfile(many, 5)), codes.InvalidArgument},
		"no selector":     {insert(withProfile(many, r.id("nexthops"))), codes.InvalidArgument},
		"one-shot too": {insert(r.refer("path_table", key(lpm(1, "\x01\x00", 8)),
			r.oneShot(map[string]int32{"\x01": 1}, nil))), codes.InvalidArgument},
		"unknown group": {insert(r.refer("path_table", key(lpm(1, "\x01\x00", 8)), toGroup(9))),
			codes.NotFound},
	})
	r.mustWrite(remove(entry))
	r.mustWrite(remove(r.group(1, 0)))
	r.mustRead(r.group(0, 0))
}

func withProfile(group *p4v1.Entity, id uint32) *p4v1.Entity {
	g := proto.Clone(group).(*p4v1.Entity)
	g.GetActionProfileGroup().ActionProfileId = id
	return g
}

func TestOneShots(t *testing.T) {
	r := newRig(t).withEntities()
	watch := func(set *p4v1.ActionProfileActionSet) {
		set.ActionProfileActions[0].WatchKind = &p4v1.ActionProfileAction_WatchPort{WatchPort: []byte{1}}
		set.ActionSelectionMode = p4v1.ActionProfileActionSet_HASH
	}
	entry := r.refer("path_table", nil, r.oneShot(map[string]int32{"\x01": 1, "\x02": 2}, watch))
	r.mustWrite(insert(entry))
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: r.id("path_table")}), entry)
	r.mustRead(r.member("paths", 0, "")) // its members are its own
	r.mustRead(r.group(0, 0))
	flows := make([]uint16, 100)
	for i := range flows {
		flows[i] = uint16(77 * i)
	}
	if got := r.portsOf(4, flows...); got[1] == 0 || got[2] <= got[1] {
		t.Errorf("ports of a one-shot with weights 1 and 2: %v", got)
	}
	r.sw.SetPort(1, false)
	if got := r.portsOf(4, flows...); got[2] != 100 {
		t.Errorf("with port 1 down: %v", got)
	}
	refused := func(ports map[string]int32, change func(*p4v1.ActionProfileActionSet)) *p4v1.Update {
		return insert(r.refer("path_table", key(lpm(1, "\x01\x00", 8)), r.oneShot(ports, change)))
	}
	r.mustRefuse(map[string]refusal{
		"no weight": {refused(map[string]int32{"\x01": 0}, nil), codes.InvalidArgument},
		"too many":  {refused(map[string]int32{"\x01": 3, "\x02": 2}, nil), codes.InvalidArgument},
		"random": {refused(nil, func(set *p4v1.ActionProfileActionSet) {
			set.ActionSelectionMode = p4v1.ActionProfileActionSet_RANDOM
		}), codes.Unimplemented},
		"other sizes": {refused(nil, func(set *p4v1.ActionProfileActionSet) {
			set.SizeSemantics = p4v1.ActionProfileActionSet_SUM_OF_MEMBERS
		}), codes.Unimplemented},
		"group action": {refused(nil, func(set *p4v1.ActionProfileActionSet) {
			set.ProtoReflect().SetUnknown([]byte{0x22, 0x00}) // a field of a later version
		}), codes.Unimplemented},
		"foreign action": {refused(map[string]int32{"\x01": 1}, func(set *p4v1.ActionProfileActionSet) {
			set.ActionProfileActions[0].Action = r.action("police", "\x01")
		}), codes.InvalidArgument},
		"a member too": {insert(r.member("paths", 1, "send", "\x01")), codes.InvalidArgument},
	})
	r.mustWrite(remove(entry))
	r.mustWrite(insert(r.member("paths", 1, "send", "\x01")))
}

func (r *rig) mustRefuseAs(want codes.Code, all map[string]*p4v1.Update) {
	r.t.Helper()
	for name, u := range all {
		r.mustRefuse(map[string]refusal{name: {u, want}})
	}
}
