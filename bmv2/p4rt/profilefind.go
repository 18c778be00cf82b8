package p4rt

import (
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// members finds one member, those of one profile, or all.
func (v *view) members(e *p4v1.ActionProfileMember) (finding, error) {
	list, err := v.p.profiles.wanted(e.GetActionProfileId(), v.allowed)
	if err != nil {
		return nil, err
	}
	return each(list, func(f *profile) (finding, error) {
		found, err := v.p.sw.Members(f.name)
		if err != nil {
			return nil, fromEngine(err)
		}
		if id := e.GetMemberId(); id != 0 {
			m, err := v.p.sw.Member(f.name, id)
			if err != nil {
				return nil, fromEngine(err)
			}
			found = []*v1model.ProfileMember{m}
		}
		return emitAll(found, func(_ int, m *v1model.ProfileMember) *p4v1.Entity {
			return &p4v1.Entity{Entity: &p4v1.Entity_ActionProfileMember{
				ActionProfileMember: &p4v1.ActionProfileMember{ActionProfileId: f.id, MemberId: m.ID,
					Action: f.tables[0].directAction(m.Action, m.Params)}}}
		}), nil
	})
}

// groups finds one group, those of one profile, or all.
func (v *view) groups(e *p4v1.ActionProfileGroup) (finding, error) {
	list, err := v.p.profiles.wanted(e.GetActionProfileId(), v.allowed)
	if err != nil {
		return nil, err
	}
	return each(list, func(f *profile) (finding, error) {
		if !f.selector {
			if e.GetActionProfileId() != 0 {
				return nil, invalid("action profile %q has no selector and so no groups", f.name)
			}
			return nil, nil
		}
		found, err := v.p.sw.Groups(f.name)
		if err != nil {
			return nil, fromEngine(err)
		}
		if id := e.GetGroupId(); id != 0 {
			g, err := v.p.sw.Group(f.name, id)
			if err != nil {
				return nil, fromEngine(err)
			}
			found = []*v1model.ProfileGroup{g}
		}
		return emitAll(found, func(_ int, g *v1model.ProfileGroup) *p4v1.Entity {
			message, _ := g.Meta.(*p4v1.ActionProfileGroup)
			return &p4v1.Entity{Entity: &p4v1.Entity_ActionProfileGroup{ActionProfileGroup: message}}
		}), nil
	})
}
