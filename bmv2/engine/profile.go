package engine

import (
	"fmt"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// Profile is an immutable snapshot of an action profile. Its owner numbers members and groups with
// small numbers, places, which are not what a controller calls them.
type Profile struct {
	members vector[*Member]
	groups  vector[*Group]
}

// Member is an action that entries and groups point at. The tables of a profile have their own
// instances of its actions, so there is one compiled action for each of them.
type Member struct {
	ID  uint32 // for whoever follows packets
	run []*Entry
}

// Group is a choice of members. A packet whose hash is h takes Choices[h mod len(Choices)], a
// place; with no choices it takes none.
type Group struct {
	ID      uint32 // for whoever follows packets
	Choices []uint32
}

// Ref is what an entry of a table with a profile points at: the place of a member or of a group.
type Ref struct {
	Group bool
	Place int
}

// NewMember compiles a member of a profile: an action that all of its tables have, by name.
func (m *Machine) NewMember(p *bmv2.ActionProfile, id uint32, action string, params [][]byte,
) (*Member, error) {
	out := &Member{ID: id}
	for _, t := range p.Tables {
		a := t.Action(action)
		if a == nil {
			return nil, fmt.Errorf("table %q has no action %q", t.Name, action)
		}
		e, err := m.newAction(m.spec(t), EntrySpec{Action: a, Params: params})
		if err != nil {
			return nil, err
		}
		out.run = append(out.run, e)
	}
	return out, nil
}

// ProfileEditor makes a new snapshot of a profile. It must not be used after Done.
type ProfileEditor struct {
	members vectorEditor[*Member]
	groups  vectorEditor[*Group]
}

// Edit returns an editor that begins with p.
func (p *Profile) Edit() *ProfileEditor {
	return &ProfileEditor{p.members.edit(), p.groups.edit()}
}

// Done returns the snapshot.
func (e *ProfileEditor) Done() *Profile { return &Profile{e.members.list, e.groups.list} }

// SetMember puts a member at a place; nil clears it.
func (e *ProfileEditor) SetMember(place int, m *Member) { e.members.set(place, m) }

// SetGroup puts a group at a place; nil clears it.
func (e *ProfileEditor) SetGroup(place int, g *Group) { e.groups.set(place, g) }

// WithProfile has the entries of a table point into another snapshot of its profile.
func (ed *Editor) WithProfile(p *Profile) { ed.t.profile = p }

// choose follows a reference. It returns nil for an empty group.
func (s *tableSpec) choose(st *State, t *Table, r Ref) *Entry {
	if m := s.member(st, t, r); m != nil {
		return m.run[s.profileTable]
	}
	return nil
}

func (s *tableSpec) member(st *State, t *Table, r Ref) *Member {
	p := t.profile
	if !r.Group {
		return p.members.at(r.Place)
	}
	choices := p.groups.at(r.Place).Choices
	if len(choices) == 0 {
		return nil
	}
	// simple_switch keeps 32 bits of the hash.
	return p.members.at(int(choices[uint32(s.selector(st))%uint32(len(choices))]))
}

// applyIndirect does what apply does for a table with a profile. A packet that hits an entry whose
// group is empty meets no action, and goes on as after a hit.
func (n *node) applyIndirect(st *State) *node {
	t := st.Tables[n.table.index]
	e, next := n.table.lookup(st, t), n.hit
	if e == nil {
		if e = t.def; e == nil {
			return n.no
		}
		next = n.miss
	} else {
		if e.direct != nil {
			n.table.direct.hit(st, e.direct)
		}
		if e = n.table.choose(st, t, e.ref); e == nil {
			return n.yes
		}
	}
	if e.run(st); st.exited {
		return nil
	}
	return next[e.slot]
}

// indirection compiles how a table finds its members.
func (c *compiler) indirection(s *tableSpec) error {
	p := s.t.Profile
	s.profileTable = slices.Index(p.Tables, s.t)
	s.selector = func(*State) uint64 { return 0 }
	if p.Selector == nil {
		return nil
	}
	var err error
	s.selector, err = c.calculation(&bmv2.Calculation{Name: p.Name, Algo: p.Selector.Algo,
		Input: p.Selector.Input})
	return err
}
