package p4rt

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// APIVersion is the version of P4Runtime that the server tells its clients.
const APIVersion = "1.5.0"

// maxSamples bounds the digest messages that wait for their list.
const maxSamples = 4096

// Errors that clients see as the status of a call.
var (
	errNotPrimary = status.Error(codes.PermissionDenied, "Not primary")
	errNoPipeline = status.Error(codes.FailedPrecondition,
		"No forwarding pipeline config set for this device")
)

// Config connects a server to its switch.
type Config struct {
	// DeviceID is the device that controllers name in their requests. simple_switch_grpc has 0.
	DeviceID uint64
	// NewSwitch makes a switch for a program. Required.
	NewSwitch func(*bmv2.Program) (*v1model.Switch, error)
	// Activate puts a switch into service in place of the one before. It is called with all tables
	// filled. Required.
	Activate func(*v1model.Switch)
	// PacketOut sends a frame into the switch as if it had come in on the CPU port. It must not
	// wait; an error is reported to the controller. Nil: there is no CPU port.
	PacketOut func(frame []byte) error
	// Events reports what happens. Its functions must not wait.
	Events Events
}

// Events are the observations of a server; nil functions are not called.
type Events struct {
	// Primary reports that another controller is primary of the default role; "" when none is.
	Primary  func(electionID string)
	Pipeline func(program string) // a pipeline was put into service
}

// Stats are what a server counted since it was made.
type Stats struct {
	PacketIns     uint64 // frames sent to the primary
	PacketInDrops uint64 // frames without a primary, without room, or shorter than the header
	PacketOuts    uint64 // frames taken from the primary
	DigestLists   uint64 // lists sent to the primary
	DigestDrops   uint64 // samples without a primary or without room
	IdleEntries   uint64 // entries that the primary was told are idle
	Writes        uint64 // updates that succeeded
	WriteErrors   uint64 // updates that failed
}

// Server is the P4Runtime service of one switch.
type Server struct {
	p4v1.UnimplementedP4RuntimeServer
	cfg Config

	writing sync.RWMutex             // held while tables or the pipeline change
	saved   *pipeline                // not yet committed; guarded by writing
	control atomic.Pointer[pipeline] // what controllers read and write
	live    atomic.Pointer[pipeline] // what packets meet

	electing  sync.Mutex           // after writing, where both are held
	elections map[string]*election // by role; roles that ever had a primary are never forgotten
	streams   map[*controller]*stream
	spokesmen atomic.Pointer[[]spokesman] // primaries by role; never nil
	open      atomic.Int32                // streams

	learning sync.Mutex // guards the learners of all digests; held for short
	samples  chan sample
	relearn  chan struct{}

	reading chan struct{} // has an element for each Read that is under way
	waiting atomic.Int32  // Reads that are not yet

	stats liveStats
}

// liveStats is the live form of Stats.
type liveStats struct {
	packetIns, packetInDrops, packetOuts atomic.Uint64
	digestLists, digestDrops             atomic.Uint64
	idleEntries                          atomic.Uint64
	writes, writeErrors                  atomic.Uint64
}

// New returns a server without a pipeline.
func New(cfg Config) (*Server, error) {
	if cfg.NewSwitch == nil || cfg.Activate == nil {
		return nil, errors.New("p4runtime server: NewSwitch and Activate must be set")
	}
	s := &Server{
		cfg:       cfg,
		elections: make(map[string]*election),
		streams:   make(map[*controller]*stream),
		samples:   make(chan sample, maxSamples),
		relearn:   make(chan struct{}, 1),
		reading:   make(chan struct{}, maxReads),
	}
	s.spokesmen.Store(new([]spokesman))
	return s, nil
}

// Register adds the service to a gRPC server, which should have ServerOptions.
func (s *Server) Register(g grpc.ServiceRegistrar) {
	p4v1.RegisterP4RuntimeServer(g, s)
}

// Stats returns the present counts.
func (s *Server) Stats() Stats {
	return Stats{
		PacketIns:     s.stats.packetIns.Load(),
		PacketInDrops: s.stats.packetInDrops.Load(),
		PacketOuts:    s.stats.packetOuts.Load(),
		DigestLists:   s.stats.digestLists.Load(),
		DigestDrops:   s.stats.digestDrops.Load(),
		IdleEntries:   s.stats.idleEntries.Load(),
		Writes:        s.stats.writes.Load(),
		WriteErrors:   s.stats.writeErrors.Load(),
	}
}

// Capabilities implements the service.
func (s *Server) Capabilities(
	_ context.Context, r *p4v1.CapabilitiesRequest,
) (*p4v1.CapabilitiesResponse, error) {
	if id := r.GetDeviceId(); id != 0 && id != s.cfg.DeviceID {
		return nil, s.unknownDevice(id)
	}
	return &p4v1.CapabilitiesResponse{P4RuntimeApiVersion: APIVersion}, nil
}

// pipelineFor returns the pipeline that a request is about.
func (s *Server) pipelineFor(device uint64) (*pipeline, error) {
	if device != s.cfg.DeviceID {
		return nil, s.unknownDevice(device)
	}
	p := s.control.Load()
	if p == nil {
		return nil, errNoPipeline
	}
	return p, nil
}

func (s *Server) unknownDevice(id uint64) error {
	return status.Errorf(codes.NotFound, "no device %d here, only %d", id, s.cfg.DeviceID)
}

// PacketIn takes a frame that left the switch at the CPU port and sends it to the primary, or to
// those of all roles that receive packets. It copies the frame and never waits.
func (s *Server) PacketIn(frame []byte) {
	p := s.live.Load()
	if p == nil || len(*s.spokesmen.Load()) == 0 {
		s.stats.packetInDrops.Add(1)
		return
	}
	m, ok := p.packetIn.decode(frame)
	if !ok || !s.tell(&p4v1.StreamMessageResponse{
		Update: &p4v1.StreamMessageResponse_Packet{Packet: m},
	}, func(sc *scope) bool { return sc.takes(m) }) {
		s.stats.packetInDrops.Add(1)
		return
	}
	s.stats.packetIns.Add(1)
}

// packetOut sends a packet of the controller into the switch.
func (s *Server) packetOut(m *p4v1.PacketOut) error {
	p := s.live.Load()
	if p == nil {
		return errNoPipeline
	}
	frame, err := p.packetOut.encode(m)
	if err != nil {
		return err
	}
	if s.cfg.PacketOut == nil {
		return status.Error(codes.FailedPrecondition, "the switch has no CPU port")
	}
	if err := s.cfg.PacketOut(frame); err != nil {
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	s.stats.packetOuts.Add(1)
	return nil
}
