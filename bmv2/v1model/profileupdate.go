package v1model

import (
	"fmt"
	"maps"
	"slices"

	"github.com/turbokv/turbokv/bmv2/engine"
)

// editProfile returns the editor of a profile's snapshot in this batch.
func (u *update) editProfile(p *profile) *engine.ProfileEditor {
	if u.profiles == nil {
		u.profiles = map[*profile]*engine.ProfileEditor{}
	}
	if u.profiles[p] == nil {
		u.profiles[p] = p.live.Edit()
	}
	return u.profiles[p]
}

// commitProfiles gives the tables of each changed profile its new snapshot.
func (u *update) commitProfiles() {
	for p, e := range u.profiles {
		p.live = e.Done()
		for _, t := range p.decl.Tables {
			u.edit(u.sw.tables[t.Name]).WithProfile(p.live)
		}
	}
}

// change sets a value of the control plane's view until the batch is taken back.
func change[T any](u *update, at *T, to T) {
	if u.atomic {
		old := *at
		u.undo = append(u.undo, func() { *at = old })
	}
	*at = to
}

// put sets, and drop deletes, an element of a map.
func put[K comparable, V any](u *update, m map[K]V, k K, v V) {
	undoElement(u, m, k)
	m[k] = v
}

func drop[K comparable, V any](u *update, m map[K]V, k K) {
	undoElement(u, m, k)
	delete(m, k)
}

func undoElement[K comparable, V any](u *update, m map[K]V, k K) {
	if !u.atomic {
		return
	}
	old, was := m[k]
	u.undo = append(u.undo, func() {
		if delete(m, k); was {
			m[k] = old
		}
	})
}

func (u *update) take(p *places) int {
	i := p.take()
	if u.atomic {
		u.undo = append(u.undo, func() { p.free(i) })
	}
	return i
}

func (u *update) free(p *places, i int) {
	p.free(i)
	if u.atomic {
		u.undo = append(u.undo, func() { p.claim(i) })
	}
}

func (u *update) member(t OpType, e *ProfileMember) error {
	p, err := u.sw.profile(e.Profile)
	if err != nil {
		return err
	}
	if e.ID == 0 {
		return fmt.Errorf("%w: member id 0", ErrInvalid)
	}
	m := p.members[e.ID]
	if err := mayApply(t, m != nil); err != nil {
		return fmt.Errorf("member %d: %w", e.ID, err)
	}
	if t == OpDelete {
		err = u.removeMember(p, m)
	} else {
		err = u.setMember(p, m, e)
	}
	if err != nil {
		return fmt.Errorf("member %d: %w", e.ID, err)
	}
	return nil
}

// setMember inserts a member, or changes m.
func (u *update) setMember(p *profile, m *member, e *ProfileMember) error {
	if p.oneShots > 0 {
		return errMixed
	}
	if m == nil && len(p.members) >= p.decl.MaxSize {
		return fmt.Errorf("%w: %d members, the profile may have %d", ErrSize, len(p.members)+1,
			p.decl.MaxSize)
	}
	live, params, err := p.compile(u.next.rt.machine, e.ID, e.Action, e.Params)
	if err != nil {
		return err
	}
	clean := *e
	clean.Params = params
	if m == nil {
		m = &member{places: []int{u.take(&p.memberPlaces)}, weights: map[int]int{}}
		put(u, p.members, e.ID, m)
	}
	change(u, &m.spec, &clean)
	change(u, &m.live, live)
	for _, i := range m.places {
		u.editProfile(p).SetMember(i, live)
	}
	return nil
}

func (u *update) removeMember(p *profile, m *member) error {
	if m.groups > 0 || m.entries > 0 {
		return fmt.Errorf("%w by %d groups and %d entries", ErrInUse, m.groups, m.entries)
	}
	u.freeMember(p, m.places[0]) // the others went with the last group
	drop(u, p.members, m.spec.ID)
	return nil
}

func (u *update) freeMember(p *profile, place int) {
	u.free(&p.memberPlaces, place)
	u.editProfile(p).SetMember(place, nil)
}

func (u *update) profileGroup(t OpType, e *ProfileGroup) error {
	p, err := u.sw.profile(e.Profile)
	if err != nil {
		return err
	}
	if e.ID == 0 {
		return fmt.Errorf("%w: group id 0", ErrInvalid)
	}
	if p.decl.Selector == nil {
		return errNoSelector
	}
	g := p.groups[e.ID]
	if err = mayApply(t, g != nil); err == nil {
		if t == OpDelete {
			err = u.removeGroup(p, g)
		} else {
			err = u.setGroup(p, g, e)
		}
	}
	if err != nil {
		return fmt.Errorf("group %d: %w", e.ID, err)
	}
	return nil
}

var (
	errNoSelector = fmt.Errorf("%w: the profile has no selector, so it has members only", ErrInvalid)
	errMixed      = fmt.Errorf("%w: the tables of a profile have either one-shots or members and "+
		"groups", ErrInvalid)
)

// checkGroup checks what is to be inserted, or to replace g.
func (p *profile) checkGroup(g *group, e *ProfileGroup) error {
	if p.oneShots > 0 {
		return errMixed
	}
	bound := e.MaxSize
	switch most := p.limits.MaxGroupSize; {
	case e.MaxSize < 0 || most > 0 && e.MaxSize > most:
		return fmt.Errorf("%w: maximum size %d, want 0 to %s", ErrInvalid, e.MaxSize, limit(most))
	case g != nil && e.MaxSize != g.spec.MaxSize:
		return fmt.Errorf("%w: maximum size %d, it was inserted with %d", ErrInvalid, e.MaxSize,
			g.spec.MaxSize)
	case bound == 0:
		bound = most
	}
	seen, weights := map[uint32]bool{}, []int{}
	for _, m := range e.Members {
		if _, err := p.member(m.Member); err != nil {
			return err
		}
		if seen[m.Member] {
			return fmt.Errorf("%w: member %d twice, want a weight", ErrInvalid, m.Member)
		}
		seen[m.Member] = true
		weights = append(weights, m.Weight)
	}
	var old chooser
	if g != nil {
		old = g.chooser
	}
	return p.admit(weights, bound, old)
}

// setGroup inserts a group, or changes g.
func (u *update) setGroup(p *profile, g *group, e *ProfileGroup) error {
	if err := p.checkGroup(g, e); err != nil {
		return err
	}
	clean := *e
	clean.Members = slices.Clone(e.Members)
	if g == nil {
		g = &group{spec: &ProfileGroup{}}
		g.id, g.place = e.ID, u.take(&p.groupPlaces)
		put(u, p.groups, e.ID, g)
	}
	next := chooser{id: g.id, place: g.place}
	u.membership(p, g.spec.Members, clean.Members)
	for _, m := range clean.Members {
		for _, place := range p.members[m.Member].places[:m.Weight] {
			next.choices = append(next.choices, choice{place, m.Watch})
		}
		next.size, next.weight = next.size+1, next.weight+m.Weight
	}
	change(u, &g.spec, &clean)
	u.setChooser(p, &g.chooser, next)
	return nil
}

// membership moves the weights of members from an old to a new list of a group. A member has as
// many places as its largest weight needs, and at least one.
func (u *update) membership(p *profile, old, next []GroupMember) {
	was, is := weightsOf(old), weightsOf(next)
	ids := maps.Clone(was)
	maps.Copy(ids, is)
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		m := p.members[id]
		for len(m.places) < is[id] {
			place := u.take(&p.memberPlaces)
			u.editProfile(p).SetMember(place, m.live)
			change(u, &m.places, append(slices.Clone(m.places), place))
		}
		u.weigh(m, was[id], -1)
		u.weigh(m, is[id], +1)
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		m := p.members[id]
		most := 1
		for w := range m.weights {
			most = max(most, w)
		}
		for n := len(m.places) - 1; n >= most; n-- {
			u.freeMember(p, m.places[n])
			change(u, &m.places, m.places[:n])
		}
	}
}

func weightsOf(list []GroupMember) map[uint32]int {
	out := map[uint32]int{}
	for _, m := range list {
		out[m.Member] = m.Weight
	}
	return out
}

// weigh counts one group more or less that has a member with a weight.
func (u *update) weigh(m *member, weight, by int) {
	if weight == 0 {
		return
	}
	change(u, &m.groups, m.groups+by)
	if n := m.weights[weight] + by; n > 0 {
		put(u, m.weights, weight, n)
	} else {
		drop(u, m.weights, weight)
	}
}

// setChooser replaces what a chooser offers.
func (u *update) setChooser(p *profile, c *chooser, next chooser) {
	next.sort()
	change(u, &p.weight, p.weight+next.weight-c.weight)
	change(u, &p.size, p.size+next.size-c.size)
	change(u, c, next)
	put(u, p.choosers, c.place, c)
	u.editProfile(p).SetGroup(c.place, c.choicesUp(u.sw.down))
}

func (u *update) removeChooser(p *profile, c *chooser) {
	change(u, &p.weight, p.weight-c.weight)
	change(u, &p.size, p.size-c.size)
	drop(u, p.choosers, c.place)
	u.free(&p.groupPlaces, c.place)
	u.editProfile(p).SetGroup(c.place, nil)
}

func (u *update) removeGroup(p *profile, g *group) error {
	if g.entries > 0 {
		return fmt.Errorf("%w by %d entries", ErrInUse, g.entries)
	}
	u.removeChooser(p, &g.chooser)
	u.membership(p, g.spec.Members, nil)
	drop(u, p.groups, g.spec.ID)
	return nil
}
