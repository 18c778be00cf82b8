package v1model

import (
	"fmt"
	"time"

	"github.com/turbokv/turbokv/bmv2"
)

// Members returns the members of an action profile by ascending id. They must not be changed.
func (s *Switch) Members(profile string) ([]*ProfileMember, error) {
	return nil, s.unknownProfile(profile)
}

// Member returns a member of an action profile. It must not be changed.
func (s *Switch) Member(profile string, id uint32) (*ProfileMember, error) {
	return nil, s.unknownProfile(profile)
}

// Groups returns the groups of an action profile by ascending id. They must not be changed.
func (s *Switch) Groups(profile string) ([]*ProfileGroup, error) {
	return nil, s.unknownProfile(profile)
}

// Group returns a group of an action profile. It must not be changed.
func (s *Switch) Group(profile string, id uint32) (*ProfileGroup, error) {
	return nil, s.unknownProfile(profile)
}

// SetProfileLimits sets what the compiled program does not say about an action profile; call it before
// the profile has groups.
func (s *Switch) SetProfileLimits(profile string, l ProfileLimits) error {
	return s.unknownProfile(profile)
}

func (s *Switch) unknownProfile(profile string) error {
	return fmt.Errorf("%w: action profile %q", ErrUnknown, profile)
}

// SetPort tells that a port went up or down, for the choices that watch it. Ports are up until told
// otherwise, and keep what they were told when the program changes.
func (s *Switch) SetPort(port uint16, up bool) {}

// Meter returns the configuration of a cell of an indirect meter array; nil: none, all is green.
func (s *Switch) Meter(name string, index int) (*MeterConfig, error) {
	return nil, fmt.Errorf("%w: indirect meter %q", ErrUnknown, name)
}

// DirectMeter returns the configuration of the meter of the table entry with the match and priority
// of e; nil: none, all is green.
func (s *Switch) DirectMeter(e *Entry) (*MeterConfig, error) {
	return nil, fmt.Errorf("%w: table %q has no direct meter", ErrUnknown, e.Table)
}

// TimeSinceHit returns how long ago a packet hit the table entry with the match and priority of e;
// before the first one it counts from the insertion.
func (s *Switch) TimeSinceHit(e *Entry) (time.Duration, error) {
	return 0, fmt.Errorf("%w: table %q has no idle timeouts", ErrInvalid, e.Table)
}

// Expired returns the entries that have not been hit for their idle timeout, and begins to count
// anew for them: each is returned once per timeout that passes without a hit.
func (s *Switch) Expired() []*Entry { return nil }

// stateful refuses what does not work yet.
func stateful(p *bmv2.Program) error {
	if len(p.Meters) > 0 {
		return &bmv2.UnsupportedError{Construct: fmt.Sprintf("meter %q", p.Meters[0].Name)}
	}
	if len(p.Profiles) > 0 {
		return &bmv2.UnsupportedError{Construct: fmt.Sprintf("action profile %q", p.Profiles[0].Name)}
	}
	for _, t := range p.Tables() {
		if t.IdleTimeout {
			return &bmv2.UnsupportedError{Construct: "support_timeout", Where: "table " + t.Name}
		}
	}
	return nil
}
