package v1model

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/bmv2/engine"
)

// target is what an entry of a table with a profile points at: one of them is set.
type target struct {
	member  *member
	group   *group
	oneShot *oneShot
}

// oneShot is a group and its members that belong to an entry.
type oneShot struct {
	chooser
	members []*engine.Member // one for each action
}

// refer checks what an entry points at, brings it into its only form, and finds it.
func (p *profile) refer(m *engine.Machine, r ActionRef) (ActionRef, target, error) {
	var t target
	var err error
	if r.Kind != RefOneShot && len(r.OneShot) > 0 || r.Kind == RefOneShot && r.ID != 0 {
		return r, t, fmt.Errorf("%w: want an id or one-shot actions, not both", ErrInvalid)
	}
	switch r.Kind {
	case RefMember:
		t.member, err = p.member(r.ID)
	case RefGroup:
		if t.group, err = p.group(r.ID); p.decl.Selector == nil {
			err = errNoSelector
		}
	case RefOneShot:
		r.OneShot, t.oneShot, err = p.oneShot(m, r.OneShot)
	default:
		err = fmt.Errorf("%w: the table has action profile %q, want a member, a group or a one-shot",
			ErrInvalid, p.decl.Name)
	}
	return r, t, err
}

// oneShot checks the actions of a one-shot, brings them into their only form, and compiles them.
func (p *profile) oneShot(m *engine.Machine, list []WeightedAction,
) ([]WeightedAction, *oneShot, error) {
	if p.decl.Selector == nil {
		return nil, nil, errNoSelector
	}
	if len(p.members) > 0 || len(p.groups) > 0 {
		return nil, nil, errMixed
	}
	list, o := slices.Clone(list), &oneShot{}
	for i := range list {
		a := &list[i]
		live, params, err := p.compile(m, uint32(i+1), a.Action, a.Params)
		if err != nil {
			return nil, nil, err
		}
		a.Params = params
		o.members = append(o.members, live)
	}
	return list, o, nil
}

// point has a new entry point at its target, in place of an old entry if there is one. On error it
// has changed nothing.
func (u *update) point(s *store, st, old *stored) error {
	p := s.profile
	if p == nil {
		return nil
	}
	var ref engine.Ref
	switch t := st.target; {
	case t.member != nil:
		change(u, &t.member.entries, t.member.entries+1)
		ref.Place = t.member.places[0]
	case t.group != nil:
		change(u, &t.group.entries, t.group.entries+1)
		ref = engine.Ref{Group: true, Place: t.group.place}
	default:
		if err := u.fire(p, st, old); err != nil {
			return err
		}
		ref = engine.Ref{Group: true, Place: t.oneShot.place}
	}
	st.live = st.live.Refer(ref)
	if old != nil {
		u.unpoint(s, old)
	}
	return nil
}

// fire makes the group and the members of a one-shot.
func (u *update) fire(p *profile, st, old *stored) error {
	var replaced chooser
	if old != nil && old.target.oneShot != nil {
		replaced = old.target.oneShot.chooser
	}
	list, o := st.entry.Ref.OneShot, st.target.oneShot
	var weights []int
	for _, a := range list {
		weights = append(weights, a.Weight)
	}
	if err := p.admit(weights, p.limits.MaxGroupSize, replaced); err != nil {
		return err
	}
	var next chooser
	for i, a := range list {
		for range a.Weight {
			place := u.take(&p.memberPlaces)
			u.editProfile(p).SetMember(place, o.members[i])
			next.choices = append(next.choices, choice{place, a.Watch})
		}
		next.size, next.weight = next.size+1, next.weight+a.Weight
	}
	o.place = u.take(&p.groupPlaces)
	next.place = o.place
	change(u, &p.oneShots, p.oneShots+1)
	u.setChooser(p, &o.chooser, next)
	return nil
}

// unpoint takes back what point did for an entry that goes.
func (u *update) unpoint(s *store, old *stored) {
	p := s.profile
	if p == nil {
		return
	}
	switch t := old.target; {
	case t.member != nil:
		change(u, &t.member.entries, t.member.entries-1)
	case t.group != nil:
		change(u, &t.group.entries, t.group.entries-1)
	default:
		u.removeChooser(p, &t.oneShot.chooser)
		for _, c := range t.oneShot.choices {
			u.freeMember(p, c.place)
		}
		change(u, &p.oneShots, p.oneShots-1)
	}
}
