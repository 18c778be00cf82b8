package v1model

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// profile is the control plane's view of an action profile.
//
// Which member of a group a packet takes is decided by the hash of the packet and by the order of
// the members. The order is that of simple_switch_grpc with its P4Runtime server: each member has a
// place, the lowest one free when it was inserted; a weight w gives it w places, shared by all
// groups; and a group is in the order of the places. Places are what package engine works with,
// too.
type profile struct {
	decl    *bmv2.ActionProfile
	limits  ProfileLimits
	live    *engine.Profile
	members map[uint32]*member
	groups  map[uint32]*group
	// choosers are all groups, those of one-shots included, by place.
	choosers map[int]*chooser
	oneShots int
	weight   int // sum over all choosers
	size     int // members of all choosers

	memberPlaces, groupPlaces places
}

// member is a member as the control plane wrote it and as packets use it.
type member struct {
	spec    *ProfileMember
	live    *engine.Member
	places  []int
	groups  int         // that have it
	weights map[int]int // how many groups have it with a weight
	entries int         // that point at it
}

// group is a group as the control plane wrote it.
type group struct {
	chooser
	spec    *ProfileGroup
	entries int // that point at it
}

// chooser is what packets choose from: a group, or what an entry has instead of one.
type chooser struct {
	id           uint32 // of the group; 0: it belongs to an entry
	place        int
	choices      []choice
	size, weight int
}

// choice is one of the equal choices of a chooser.
type choice struct {
	place int // of the member
	watch WatchPort
}

// maxGroupWeight bounds the sum of the weights of a group, and maxProfileWeight that of a profile,
// whatever the program allows: each unit of weight takes memory.
const (
	maxGroupWeight   = 1 << 16
	maxProfileWeight = 1 << 22
)

func newProfiles(prog *bmv2.Program) map[string]*profile {
	out := map[string]*profile{}
	for _, d := range prog.Profiles {
		out[d.Name] = &profile{decl: d, live: &engine.Profile{}, members: map[uint32]*member{},
			groups: map[uint32]*group{}, choosers: map[int]*chooser{}}
	}
	return out
}

// profile returns an action profile by name. The lock must be held.
func (s *Switch) profile(name string) (*profile, error) {
	if p := s.profiles[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%w: action profile %q, the program has %s", ErrUnknown, name,
		strings.Join(slices.Sorted(maps.Keys(s.profiles)), ", "))
}

func (p *profile) member(id uint32) (*member, error) {
	if m := p.members[id]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("member %d: %w", id, ErrNotFound)
}

func (p *profile) group(id uint32) (*group, error) {
	if g := p.groups[id]; g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("group %d: %w", id, ErrNotFound)
}

// compile checks the action of a member and compiles it.
func (p *profile) compile(m *engine.Machine, id uint32, action string, params [][]byte,
) (*engine.Member, [][]byte, error) {
	if len(p.decl.Tables) == 0 {
		return nil, nil, fmt.Errorf("%w: action %q, no table uses the profile", ErrUnknown, action)
	}
	var clean [][]byte
	for _, t := range p.decl.Tables {
		var err error
		if _, clean, err = normalizeAction(t, action, params); err != nil {
			return nil, nil, fmt.Errorf("table %q: %w", t.Name, err)
		}
	}
	live, err := m.NewMember(p.decl, id, action, clean)
	return live, clean, err
}

// admit checks the weights of a choice that is to replace one of the size and weight of old.
func (p *profile) admit(weights []int, bound int, old chooser) error {
	size, weight := len(weights), 0
	for _, w := range weights {
		if w < 1 || p.limits.MaxMemberWeight > 0 && w > p.limits.MaxMemberWeight {
			return fmt.Errorf("%w: weight %d, want 1 to %s", ErrInvalid, w,
				limit(p.limits.MaxMemberWeight))
		}
		if weight += min(w, maxGroupWeight+1); weight > maxGroupWeight {
			return fmt.Errorf("%w: the weights of a group add up to more than %d", ErrSize,
				maxGroupWeight)
		}
	}
	kind, mine, all := "weights", weight, p.weight-old.weight
	if p.limits.ByMembers {
		kind, mine, all = "members", size, p.size-old.size
	}
	switch {
	case bound > 0 && mine > bound:
		return fmt.Errorf("%w: %d %s, the group may have %d", ErrSize, mine, kind, bound)
	case all+mine > p.decl.MaxSize:
		return fmt.Errorf("%w: %d %s in all groups, the profile may have %d", ErrSize, all+mine, kind,
			p.decl.MaxSize)
	case p.weight-old.weight+weight > maxProfileWeight:
		return fmt.Errorf("%w: the weights of all groups add up to more than %d", ErrSize,
			maxProfileWeight)
	}
	return nil
}

func limit(n int) string {
	if n == 0 {
		return "any number"
	}
	return fmt.Sprint(n)
}

// choicesUp returns the places that a chooser offers, as ports are.
func (c *chooser) choicesUp(down map[uint16]bool) *engine.Group {
	g := &engine.Group{ID: c.id}
	for _, x := range c.choices {
		if !x.watch.Set || !down[x.watch.Port] {
			g.Choices = append(g.Choices, uint32(x.place))
		}
	}
	return g
}

func (c *chooser) watches(port uint16) bool {
	return slices.ContainsFunc(c.choices, func(x choice) bool {
		return x.watch == WatchPort{port, true}
	})
}

func (c *chooser) sort() {
	slices.SortFunc(c.choices, func(a, b choice) int { return cmp.Compare(a.place, b.place) })
}

// places hands out small numbers, the lowest free one first.
type places struct {
	used []uint64 // bits
	from int      // words before it are full
}

func (p *places) take() int {
	for ; p.from < len(p.used); p.from++ {
		if w := p.used[p.from]; w != ^uint64(0) {
			i := 64*p.from + bits.TrailingZeros64(^w)
			p.claim(i)
			return i
		}
	}
	p.used = append(p.used, 0)
	return p.take()
}

func (p *places) claim(i int) { p.used[i/64] |= 1 << (i % 64) }

func (p *places) free(i int) {
	p.used[i/64] &^= 1 << (i % 64)
	p.from = min(p.from, i/64)
}
