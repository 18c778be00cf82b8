package differ

import (
	"math/big"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// Members and groups that each action profile gets.
const (
	profileMembers = 4
	profileGroups  = 2
)

// behaviour returns what an entry of a table does: an action, or a choice of its profile.
func (f *filler) behaviour(t *p4config.Table) *p4v1.TableAction {
	if t.GetImplementationId() == 0 {
		return f.action(t, p4config.ActionRef_DEFAULT_ONLY)
	}
	profile := f.profileOf(t.GetImplementationId())
	if profile.GetWithSelector() && f.r.IntN(3) > 0 {
		if f.r.IntN(4) == 0 {
			return f.oneShot(t)
		}
		return &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileGroupId{
			ActionProfileGroupId: 1 + f.r.Uint32N(profileGroups)}}
	}
	return &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileMemberId{
		ActionProfileMemberId: 1 + f.r.Uint32N(profileMembers)}}
}

func (f *filler) oneShot(t *p4config.Table) *p4v1.TableAction {
	set := &p4v1.ActionProfileActionSet{}
	for range 1 + f.r.IntN(3) {
		if a := f.action(t, p4config.ActionRef_DEFAULT_ONLY); a != nil {
			set.ActionProfileActions = append(set.ActionProfileActions,
				&p4v1.ActionProfileAction{Action: a.GetAction(), Weight: 1 + f.r.Int32N(3)})
		}
	}
	return &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileActionSet{ActionProfileActionSet: set}}
}

func (f *filler) profileOf(id uint32) *p4config.ActionProfile {
	for _, p := range f.info.GetActionProfiles() {
		if p.GetPreamble().GetId() == id {
			return p
		}
	}
	return nil
}

// action returns one of a table's actions that may stand where the scope is not the one given.
func (f *filler) action(t *p4config.Table, not p4config.ActionRef_Scope) *p4v1.TableAction {
	var able []uint32
	for _, ref := range t.GetActionRefs() {
		if ref.GetScope() != not {
			able = append(able, ref.GetId())
		}
	}
	if len(able) == 0 {
		return nil
	}
	id := able[f.r.IntN(len(able))]
	for _, a := range f.info.GetActions() {
		if a.GetPreamble().GetId() == id {
			return &p4v1.TableAction{Type: &p4v1.TableAction_Action{Action: f.call(a)}}
		}
	}
	return nil
}

// call returns an action with arguments.
func (f *filler) call(a *p4config.Action) *p4v1.Action {
	out := &p4v1.Action{ActionId: a.GetPreamble().GetId()}
	for _, p := range a.GetParams() {
		out.Params = append(out.Params, &p4v1.Action_Param{
			ParamId: p.GetId(), Value: octets(f.argument(int(p.GetBitwidth())))})
	}
	return out
}

// argument returns a value for a parameter: those as wide as a port mostly name one.
func (f *filler) argument(width int) *big.Int {
	switch {
	case width == 9 && f.r.IntN(8) == 0:
		return big.NewInt(cpuPort)
	case width == 9 && f.r.IntN(8) > 0:
		return big.NewInt(int64(anyPort(f.r)))
	case width == 16 && f.r.IntN(2) == 0:
		return big.NewInt(f.r.Int64N(4)) // a multicast group, perhaps
	}
	return anyValue(f.r, width)
}

// profiles returns the members and groups of all action profiles.
func (f *filler) profiles() (out []*p4v1.Update) {
	for _, p := range f.info.GetActionProfiles() {
		t := f.tableOf(p)
		if t == nil {
			continue
		}
		id := p.GetPreamble().GetId()
		for m := range uint32(profileMembers) {
			a := f.action(t, p4config.ActionRef_DEFAULT_ONLY)
			if a == nil {
				return out
			}
			out = append(out, insert(&p4v1.Entity{Entity: &p4v1.Entity_ActionProfileMember{
				ActionProfileMember: &p4v1.ActionProfileMember{
					ActionProfileId: id, MemberId: m + 1, Action: a.GetAction()}}}))
		}
		if p.GetWithSelector() {
			out = append(out, f.groups(id, p.GetSize())...)
		}
	}
	return out
}

// groups returns groups with at most size weights, which bound them by the specification. PI knows no
// bound.
func (f *filler) groups(profile uint32, size int64) (out []*p4v1.Update) {
	for g := range uint32(profileGroups) {
		group := &p4v1.ActionProfileGroup{ActionProfileId: profile, GroupId: g + 1, MaxSize: 16}
		for m := range uint32(profileMembers) {
			weight := 1 + f.r.Int32N(3)
			if (m == g || f.r.IntN(2) == 0) && int64(weight) <= size {
				size -= int64(weight)
				group.Members = append(group.Members, &p4v1.ActionProfileGroup_Member{
					MemberId: m + 1, Weight: weight})
			}
		}
		out = append(out, insert(&p4v1.Entity{
			Entity: &p4v1.Entity_ActionProfileGroup{ActionProfileGroup: group}}))
	}
	return out
}

// tableOf returns the first table that uses a profile.
func (f *filler) tableOf(p *p4config.ActionProfile) *p4config.Table {
	for _, t := range f.info.GetTables() {
		if t.GetImplementationId() == p.GetPreamble().GetId() {
			return t
		}
	}
	return nil
}

// meters returns configurations at which time plays no part: with a rate of nothing to speak of the
// first frames use up the burst.
func (f *filler) meters() (out []*p4v1.Update) {
	for _, m := range f.info.GetMeters() {
		for i := range min(m.GetSize(), 8) {
			if f.r.IntN(2) == 0 {
				out = append(out, modify(&p4v1.Entity{Entity: &p4v1.Entity_MeterEntry{
					MeterEntry: &p4v1.MeterEntry{MeterId: m.GetPreamble().GetId(),
						Index: &p4v1.Index{Index: i}, Config: f.meterConfig()}}}))
			}
		}
	}
	return out
}

func (f *filler) meterConfig() *p4v1.MeterConfig {
	burst := 1 + f.r.Int64N(3)
	return &p4v1.MeterConfig{Cir: 1, Cburst: burst, Pir: 1, Pburst: burst + f.r.Int64N(3)}
}
