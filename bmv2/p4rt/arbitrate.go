package p4rt

import (
	"maps"
	"slices"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// spokesman is the primary of a role: who hears of packets, digests and idle entries, and who may
// send packets.
type spokesman struct {
	*stream
	role  string
	scope *scope
}

// arbitrate handles a MasterArbitrationUpdate. Writes of the former primary that have started are
// finished before the new one hears of its role.
func (s *Server) arbitrate(c *stream, m *p4v1.MasterArbitrationUpdate) error {
	switch {
	case c.election == nil && m.GetDeviceId() != s.cfg.DeviceID:
		return s.unknownDevice(m.GetDeviceId())
	case m.GetDeviceId() != s.cfg.DeviceID:
		return status.Errorf(codes.FailedPrecondition, "the stream belongs to device %d", s.cfg.DeviceID)
	case c.election != nil && m.GetRole().GetName() != c.election.role.name:
		return status.Errorf(codes.FailedPrecondition,
			"the stream belongs to role %q; open another one to change it", c.election.role.name)
	}
	r, err := newRole(m.GetRole())
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.electing.Lock()
	defer s.electing.Unlock()
	if err := checkExclusive(r, s.elections); err != nil {
		return err
	}
	id := electionIDOf(m.GetElectionId())
	if c.election != nil {
		return c.election.update(&c.controller, id, r)
	}
	return s.join(c, id, r)
}

// join takes a stream into the election of its role.
func (s *Server) join(c *stream, id electionID, r role) error {
	e := s.elections[r.name]
	known := e != nil
	if !known {
		if len(s.elections) >= maxRoles {
			return status.Errorf(codes.ResourceExhausted, "there are %d roles already", maxRoles)
		}
		e = &election{device: s.cfg.DeviceID, role: role{name: r.name}, elected: s.publish}
	}
	s.elections[r.name], s.streams[&c.controller], c.election = e, c, e
	err := e.join(&c.controller, id, r)
	if err != nil {
		delete(s.streams, &c.controller)
		c.election = nil
	}
	if err != nil && !known {
		delete(s.elections, r.name)
	}
	return err
}

func (s *Server) leave(c *stream) {
	s.electing.Lock()
	defer s.electing.Unlock()
	if c.election == nil {
		return
	}
	delete(s.streams, &c.controller)
	c.election.leave(&c.controller)
	if e := c.election; len(e.controllers) == 0 && !e.past.set { // there is nothing to remember
		delete(s.elections, e.role.name)
	}
}

// publish makes the primaries of all roles known to those who send to them.
func (s *Server) publish() {
	var next []spokesman
	for _, name := range slices.Sorted(maps.Keys(s.elections)) {
		if e := s.elections[name]; e.leader != nil {
			next = append(next, spokesman{s.streams[e.leader], name, e.role.scope})
		}
	}
	before := s.spokesmen.Swap(&next)
	if s.cfg.Events.Primary != nil {
		s.reportPrimary(defaultSpokesman(*before), defaultSpokesman(next))
	}
}

// reportPrimary tells of a change of the default role's primary.
func (s *Server) reportPrimary(before, now *stream) {
	switch {
	case before == now:
	case now == nil:
		s.cfg.Events.Primary("")
	default:
		s.cfg.Events.Primary(now.id.String())
	}
}

func defaultSpokesman(all []spokesman) *stream {
	if len(all) > 0 && all[0].role == "" { // they are sorted by role
		return all[0].stream
	}
	return nil
}

// spokesman returns a stream's part in its role when it is primary there, or nil.
func (s *Server) spokesman(c *stream) *spokesman {
	all := *s.spokesmen.Load()
	for i := range all {
		if all[i].stream == c {
			return &all[i]
		}
	}
	return nil
}

// writer checks who sends a request and returns what that role may do. As in PI, everybody may
// write while no controller is connected and no id is given.
func (s *Server) writer(device uint64, role string, m *p4v1.Uint128) (*scope, error) {
	if device != s.cfg.DeviceID {
		return nil, s.unknownDevice(device)
	}
	s.electing.Lock()
	defer s.electing.Unlock()
	if len(s.streams) == 0 && m == nil && role == "" {
		return nil, nil
	}
	e := s.elections[role]
	switch {
	case e == nil && role != "":
		return nil, unknownRole(role)
	case e == nil || e.leader == nil || m == nil || e.leader.id != electionIDOf(m):
		return nil, errNotPrimary
	}
	return e.role.scope, nil
}

// reader returns what the role of a Read may see; no role sees everything.
func (s *Server) reader(role string) (*scope, error) {
	if role == "" {
		return nil, nil
	}
	s.electing.Lock()
	defer s.electing.Unlock()
	if e := s.elections[role]; e != nil {
		return e.role.scope, nil
	}
	return nil, unknownRole(role)
}

func unknownRole(name string) error {
	return status.Errorf(codes.NotFound, "no controller ever had the role %q", abbreviate(name))
}

// someRoom reports whether there is a primary that reads what it is told.
func (s *Server) someRoom() bool {
	return slices.ContainsFunc(*s.spokesmen.Load(), func(to spokesman) bool { return to.hasRoom() })
}

// tell queues a message for the primaries that want it; it tells whether one of them had room.
func (s *Server) tell(m *p4v1.StreamMessageResponse, wanted func(*scope) bool) bool {
	told := false
	r := newReport(m)
	for _, to := range *s.spokesmen.Load() {
		if wanted(to.scope) && to.report(r) {
			told = true
		}
	}
	return told
}
