package differ

import (
	"fmt"
	"math/rand/v2"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2"
)

// Case is one comparison: what is written to a fresh pipeline, and the frames that follow.
type Case struct {
	Updates []*p4v1.Update
	Frames  []Frame
}

// Subject is a program as a controller sends it.
type Subject struct {
	Name    string
	Config  *p4v1.ForwardingPipelineConfig
	Program *bmv2.Program
}

// NewSubject decodes the program of a config.
func NewSubject(name string, config *p4v1.ForwardingPipelineConfig) (*Subject, error) {
	p, err := bmv2.Load(config.GetP4DeviceConfig())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Subject{name, config, p}, nil
}

// newCase makes a case; the same random numbers make the same case.
func (s *Subject) newCase(r *rand.Rand, entries, frames int) *Case {
	q := newPool(r, s.Program)
	f := &filler{r: r, pool: q, program: s.Program, info: s.Config.GetP4Info()}
	c := &Case{Updates: f.updates(entries)}
	for range frames {
		c.Frames = append(c.Frames, Frame{anyPort(r), newFrame(r, q, s.Program)})
	}
	return c
}

// stateful reports whether frames change what later frames meet, on purpose.
func (s *Subject) stateful() bool {
	return len(s.Program.Registers) > 0 || len(s.Config.GetP4Info().GetMeters()) > 0 ||
		len(s.Config.GetP4Info().GetDirectMeters()) > 0
}
