package p4rt

import (
	"context"
	"iter"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// sample is a digest message on its way from a worker to its learner.
type sample struct {
	digest *digest
	bytes  []byte
}

// Digest takes a digest message of the switch; it is made for [v1model.Config]. It never waits:
// what finds no room in the queue is dropped and counted.
func (s *Server) Digest(d v1model.Digest) {
	p := s.live.Load()
	if p == nil {
		return
	}
	bound := p.digestOf[d.List]
	if bound == nil || !bound.enabled.Load() {
		return
	}
	size := 0
	for _, n := range bound.sizes {
		size += n
	}
	bytes := make([]byte, 0, size)
	for i, v := range d.Values {
		bytes = append(bytes, v[len(v)-bound.sizes[i]:]...)
	}
	select {
	case s.samples <- sample{bound, bytes}:
	default:
		s.stats.digestDrops.Add(1)
	}
}

// Run sends digests to the controller until the context ends. Without it, all else works.
func (s *Server) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case one := <-s.samples:
			s.learn(one)
		case <-timer.C:
			s.tick()
		case <-s.relearn:
		}
		if at, ok := s.deadline(); ok {
			timer.Reset(time.Until(at))
		}
	}
}

func (s *Server) learn(one sample) {
	s.learning.Lock()
	defer s.learning.Unlock()
	list, dropped := one.digest.learner.add(one.digest.message(one.bytes), string(one.bytes), time.Now())
	if dropped {
		s.stats.digestDrops.Add(1)
	}
	s.sendDigest(list)
}

func (s *Server) tick() {
	s.learning.Lock()
	defer s.learning.Unlock()
	for d := range s.digests() {
		s.sendDigest(d.learner.tick(time.Now()))
	}
}

func (s *Server) deadline() (first time.Time, ok bool) {
	s.learning.Lock()
	defer s.learning.Unlock()
	for d := range s.digests() {
		if at, due := d.learner.deadline(); due && (!ok || at.Before(first)) {
			first, ok = at, true
		}
	}
	return first, ok
}

// digests visits the digests in service and those that controllers configure, which differ while a
// pipeline is saved but not committed. Visiting one twice does no harm.
func (s *Server) digests() iter.Seq[*digest] {
	return func(yield func(*digest) bool) {
		live, control := s.live.Load(), s.control.Load()
		for _, p := range []*pipeline{live, control} {
			if p == nil {
				continue
			}
			for _, d := range p.digests.list {
				if !yield(d) {
					return
				}
			}
		}
	}
}

func (s *Server) sendDigest(list *p4v1.DigestList) {
	if list == nil {
		return
	}
	if s.tell(&p4v1.StreamMessageResponse{
		Update: &p4v1.StreamMessageResponse_Digest{Digest: list},
	}, func(sc *scope) bool { return sc.allows(list.GetDigestId()) }) {
		s.stats.digestLists.Add(1)
	} else {
		s.stats.digestDrops.Add(uint64(len(list.GetData())))
	}
}

// acknowledge handles an acknowledgement from a primary.
func (s *Server) acknowledge(allowed *scope, a *p4v1.DigestListAck) error {
	p := s.control.Load()
	if p == nil {
		return errNoPipeline
	}
	d, err := p.digests.get(a.GetDigestId())
	if err != nil {
		return err
	}
	if !allowed.allows(d.id) {
		return status.Errorf(codes.PermissionDenied, "the role does not have digest %q", d.name)
	}
	s.learning.Lock()
	defer s.learning.Unlock()
	d.learner.ack(a.GetListId())
	return nil
}

// configureDigest applies an update of a digest's configuration, and returns what takes it back.
func (s *Server) configureDigest(
	p *pipeline, kind p4v1.Update_Type, e *p4v1.DigestEntry,
) (undo func(), err error) {
	d, err := p.digests.get(e.GetDigestId())
	if err != nil {
		return nil, err
	}
	s.learning.Lock()
	defer s.learning.Unlock()
	before := d.learner
	if err := d.learner.configure(kind, proto.Clone(e).(*p4v1.DigestEntry)); err != nil {
		return nil, err
	}
	s.digestChanged(d)
	return func() {
		s.learning.Lock()
		defer s.learning.Unlock()
		d.learner = before
		s.digestChanged(d)
	}, nil
}

// digestChanged has workers and Run notice a new configuration.
func (s *Server) digestChanged(d *digest) {
	d.enabled.Store(d.learner.config != nil)
	select {
	case s.relearn <- struct{}{}:
	default: // Run looks at the deadlines soon anyway
	}
}

// digestConfig returns how a digest is configured, or nil.
func (s *Server) digestConfig(d *digest) *p4v1.DigestEntry {
	s.learning.Lock()
	defer s.learning.Unlock()
	return d.learner.config
}
