package p4rt

import (
	"math"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/proto"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// member translates an update of an action profile member.
func (b *batch) member(kind p4v1.Update_Type, e *p4v1.ActionProfileMember) error {
	f, err := b.p.profiles.get(e.GetActionProfileId())
	if err != nil {
		return err
	}
	op, err := opType(kind)
	if err != nil {
		return err
	}
	m := &v1model.ProfileMember{Profile: f.name, ID: e.GetMemberId()}
	switch {
	case m.ID == 0:
		return invalid("action profile %q: 0 is no member id", f.name)
	case op == v1model.OpDelete:
		b.op(op, m)
		return nil
	case e.GetAction() == nil:
		return invalid("action profile %q: member %d has no action", f.name, m.ID)
	}
	if m.Action, m.Params, err = f.tables[0].direct(e.GetAction(), false); err != nil {
		return wrap(err, "action profile %q, member %d", f.name, m.ID)
	}
	b.op(op, m)
	return nil
}

// group translates an update of an action profile group. The message is kept with the group, so that
// a controller reads what it wrote.
func (b *batch) group(kind p4v1.Update_Type, e *p4v1.ActionProfileGroup) error {
	f, err := b.p.profiles.get(e.GetActionProfileId())
	if err != nil {
		return err
	}
	op, err := opType(kind)
	if err != nil {
		return err
	}
	g := &v1model.ProfileGroup{Profile: f.name, ID: e.GetGroupId()}
	switch {
	case g.ID == 0:
		return invalid("action profile %q: 0 is no group id", f.name)
	case !f.selector:
		return invalid("action profile %q has no selector and so no groups", f.name)
	case op == v1model.OpDelete:
		b.op(op, g)
		return nil
	case e.GetMaxSize() < 0 || f.maxGroupSize > 0 && int(e.GetMaxSize()) > f.maxGroupSize:
		return invalid("action profile %q, group %d: max_size %d, the program allows %d",
			f.name, g.ID, e.GetMaxSize(), f.maxGroupSize)
	}
	g.MaxSize = int(e.GetMaxSize())
	if g.Members, err = f.groupMembers(e.GetMembers()); err != nil {
		return wrap(err, "action profile %q, group %d", f.name, g.ID)
	}
	g.Meta = proto.Clone(e)
	b.op(op, g)
	return nil
}

func (f *profile) groupMembers(sent []*p4v1.ActionProfileGroup_Member) ([]v1model.GroupMember, error) {
	out := make([]v1model.GroupMember, len(sent))
	seen := make(map[uint32]bool, len(sent))
	for i, m := range sent {
		id := m.GetMemberId()
		if id == 0 || seen[id] {
			return nil, invalid("member %d is no member or appears twice", id)
		}
		seen[id] = true
		weight, err := f.weight(m.GetWeight())
		if err != nil {
			return nil, wrap(err, "member %d", id)
		}
		watch, err := groupWatch(m)
		if err != nil {
			return nil, wrap(err, "member %d", id)
		}
		out[i] = v1model.GroupMember{Member: id, Weight: weight, Watch: watch}
	}
	return out, nil
}

// weight checks a weight. Where controllers may not set any, all choices are as likely.
func (f *profile) weight(sent int32) (int, error) {
	switch {
	case f.noWeights && sent != 0:
		return 0, invalid("weight %d, but weights are disallowed", sent)
	case f.noWeights:
		return 1, nil
	case sent <= 0:
		return 0, invalid("weight %d is not in 1..%d", sent, math.MaxInt32)
	case f.byMembers && f.maxMemberWeight > 0 && int(sent) > f.maxMemberWeight:
		return 0, invalid("weight %d, the program allows %d", sent, f.maxMemberWeight)
	}
	return int(sent), nil
}

func groupWatch(m *p4v1.ActionProfileGroup_Member) (v1model.WatchPort, error) {
	switch kind := m.GetWatchKind().(type) {
	case *p4v1.ActionProfileGroup_Member_Watch:
		return watchNumber(kind.Watch)
	case *p4v1.ActionProfileGroup_Member_WatchPort:
		return watchPort(kind.WatchPort)
	}
	return v1model.WatchPort{}, nil
}

func actionWatch(a *p4v1.ActionProfileAction) (v1model.WatchPort, error) {
	switch kind := a.GetWatchKind().(type) {
	case *p4v1.ActionProfileAction_Watch:
		return watchNumber(kind.Watch)
	case *p4v1.ActionProfileAction_WatchPort:
		return watchPort(kind.WatchPort)
	}
	return v1model.WatchPort{}, nil
}

// watchNumber takes the deprecated field watch, in which 0 is no port.
func watchNumber(sent int32) (v1model.WatchPort, error) {
	switch {
	case sent < 0 || sent > maxPort:
		return v1model.WatchPort{}, invalid("watch port %d is not in 1..%d", sent, maxPort)
	case sent == 0:
		return v1model.WatchPort{}, nil
	}
	return v1model.WatchPort{Port: uint16(sent), Set: true}, nil
}

// watchPort takes a port as a byte string; empty means no port.
func watchPort(sent []byte) (v1model.WatchPort, error) {
	if len(sent) == 0 {
		return v1model.WatchPort{}, nil
	}
	port, err := portNumber(sent)
	return v1model.WatchPort{Port: port, Set: true}, err
}

// reference translates what an entry of an indirect table points at.
func (t *table) reference(sent *p4v1.TableAction) (ref v1model.ActionRef, err error) {
	f := t.profile
	switch kind := sent.GetType().(type) {
	case *p4v1.TableAction_ActionProfileMemberId:
		ref.Kind, ref.ID = v1model.RefMember, kind.ActionProfileMemberId
	case *p4v1.TableAction_ActionProfileGroupId:
		ref.Kind, ref.ID = v1model.RefGroup, kind.ActionProfileGroupId
	case *p4v1.TableAction_ActionProfileActionSet:
		ref.Kind = v1model.RefOneShot
		ref.OneShot, err = t.actionSet(kind.ActionProfileActionSet)
	default:
		return ref, invalid("table %q has action profile %q: its entries take a member, a group or an "+
			"action set, not %T", t.name, f.name, kind)
	}
	switch {
	case err != nil:
		return ref, wrap(err, "table %q", t.name)
	case ref.Kind != v1model.RefMember && !f.selector:
		return ref, invalid("table %q: action profile %q has no selector, so entries take a member",
			t.name, f.name)
	case ref.Kind != v1model.RefOneShot && ref.ID == 0:
		return ref, invalid("table %q: 0 is no member and no group", t.name)
	}
	return ref, nil
}

// actionSet translates a one-shot.
func (t *table) actionSet(set *p4v1.ActionProfileActionSet) ([]v1model.WeightedAction, error) {
	f := t.profile
	if err := f.checkModes(set); err != nil {
		return nil, err
	}
	out := make([]v1model.WeightedAction, len(set.GetActionProfileActions()))
	weights := 0
	for i, sent := range set.GetActionProfileActions() {
		var err error
		w := &out[i]
		if w.Weight, err = f.weight(sent.GetWeight()); err == nil {
			w.Watch, err = actionWatch(sent)
		}
		if err == nil {
			w.Action, w.Params, err = t.direct(sent.GetAction(), false)
		}
		if err != nil {
			return nil, wrap(err, "action %d of the set", i)
		}
		weights += w.Weight
	}
	size := weights
	if f.byMembers {
		size = len(out)
	}
	if f.maxGroupSize > 0 && size > f.maxGroupSize {
		return nil, invalid("the action set has size %d, the program allows %d", size, f.maxGroupSize)
	}
	return out, nil
}

// checkModes refuses ways of choosing that a selector of v1model does not have: it hashes, and
// counts sizes as the program says.
func (f *profile) checkModes(set *p4v1.ActionProfileActionSet) error {
	switch set.GetActionSelectionMode() {
	case p4v1.ActionProfileActionSet_DEFAULT_MODE_DETERMINED_BY_ACTION_SELECTOR,
		p4v1.ActionProfileActionSet_HASH:
	default:
		return unimplemented("action selection mode %v: the selector hashes", set.GetActionSelectionMode())
	}
	own := p4v1.ActionProfileActionSet_SUM_OF_WEIGHTS
	if f.byMembers {
		own = p4v1.ActionProfileActionSet_SUM_OF_MEMBERS
	}
	if s := set.GetSizeSemantics(); s != own &&
		s != p4v1.ActionProfileActionSet_DEFAULT_SIZE_DETERMINED_BY_ACTION_SELECTOR {
		return unimplemented("size semantics %v: those of the selector are %v", s, own)
	}
	if len(set.ProtoReflect().GetUnknown()) > 0 {
		return unimplemented("the action set has fields that this server does not know; " +
			"a group_action is not supported")
	}
	return nil
}

// referenceAction translates what an entry points at for a controller. One-shots are kept as they
// were written.
func referenceAction(ref v1model.ActionRef) *p4v1.TableAction {
	switch ref.Kind {
	case v1model.RefMember:
		return &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileMemberId{
			ActionProfileMemberId: ref.ID}}
	case v1model.RefGroup:
		return &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileGroupId{
			ActionProfileGroupId: ref.ID}}
	}
	return nil
}

// limits are what the switch cannot know from its program.
func (f *profile) limits() v1model.ProfileLimits {
	return v1model.ProfileLimits{MaxGroupSize: f.maxGroupSize, ByMembers: f.byMembers,
		MaxMemberWeight: f.maxMemberWeight}
}
