package v1model

import (
	"fmt"
	"maps"
	"slices"
)

// Members returns the members of an action profile by ascending id. They must not be changed.
func (s *Switch) Members(profile string) ([]*ProfileMember, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.profile(profile)
	if err != nil {
		return nil, err
	}
	var out []*ProfileMember
	for _, id := range slices.Sorted(maps.Keys(p.members)) {
		out = append(out, p.members[id].spec)
	}
	return out, nil
}

// Member returns a member of an action profile. It must not be changed.
func (s *Switch) Member(profile string, id uint32) (*ProfileMember, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.profile(profile)
	if err != nil {
		return nil, err
	}
	m, err := p.member(id)
	if err != nil {
		return nil, in(err, "action profile", profile)
	}
	return m.spec, nil
}

// Groups returns the groups of an action profile by ascending id. They must not be changed.
func (s *Switch) Groups(profile string) ([]*ProfileGroup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.profile(profile)
	if err != nil {
		return nil, err
	}
	var out []*ProfileGroup
	for _, id := range slices.Sorted(maps.Keys(p.groups)) {
		out = append(out, p.groups[id].spec)
	}
	return out, nil
}

// Group returns a group of an action profile. It must not be changed.
func (s *Switch) Group(profile string, id uint32) (*ProfileGroup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.profile(profile)
	if err != nil {
		return nil, err
	}
	g, err := p.group(id)
	if err != nil {
		return nil, in(err, "action profile", profile)
	}
	return g.spec, nil
}

// SetProfileLimits sets what the compiled program does not say about an action profile. It is
// forgotten with the program. What is in the profile already is not checked again.
func (s *Switch) SetProfileLimits(profile string, l ProfileLimits) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.profile(profile)
	if err != nil {
		return err
	}
	if l.MaxGroupSize < 0 || l.MaxMemberWeight < 0 {
		return in(fmt.Errorf("%w: negative limit: %+v", ErrInvalid, l), "action profile", profile)
	}
	p.limits = l
	return nil
}

// SetPort tells that a port went up or down, for the choices that watch it and for backup replicas.
// Ports are up until told otherwise, and keep what they were told when the program changes.
func (s *Switch) SetPort(port uint16, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down[port] == !up {
		return
	}
	if delete(s.down, port); !up {
		s.down[port] = true
	}
	u := s.begin()
	for _, p := range s.profiles {
		for place, c := range p.choosers {
			if c.watches(port) {
				u.editProfile(p).SetGroup(place, c.choicesUp(s.down))
			}
		}
	}
	if u.fallBack() || u.profiles != nil {
		u.commit()
	}
}
