package differ

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// outcome is all that a case shows.
type outcome struct {
	writes []error
	frames [][]Frame // by frame of the case
	heard  []string  // packet-ins and digests
	state  []string  // what reading returns afterwards
}

// ours is the outcome on the built-in switch.
type ours struct {
	outcome
	others [][][]Frame // frames of the other variants
	wild   int         // frames that were taken out of the case
}

// wildAt tells which frame is wild.
type wildAt struct{ index int }

// Error implements error.
func (w wildAt) Error() string { return fmt.Sprintf("frame %d: %v", w.index, errWild) }

// runBuiltin runs a case on one variant of each kind. Wild frames are taken out of the case.
func (s *Subject) runBuiltin(ctx context.Context, r *rand.Rand, c *Case) (*ours, error) {
	wild := 0
	for {
		out, err := s.runVariants(ctx, r, c)
		var w wildAt
		if !errors.As(err, &w) {
			if out != nil {
				out.wild = wild
			}
			return out, err
		}
		c.Frames = slices.Delete(slices.Clone(c.Frames), w.index, w.index+1)
		wild++
	}
}

func (s *Subject) runVariants(ctx context.Context, r *rand.Rand, c *Case) (*ours, error) {
	first, err := s.runVariant(ctx, c, newVariant(r, clean))
	if err != nil {
		return nil, err
	}
	out := &ours{outcome: *first}
	for kind := stale; kind < variants; kind++ {
		frames, err := s.framesOf(ctx, c, newVariant(r, kind))
		if err != nil {
			return nil, err
		}
		out.others = append(out.others, frames)
	}
	return out, nil
}

// framesOf runs a case on a variant for its frames only.
func (s *Subject) framesOf(ctx context.Context, c *Case, v variant) ([][]Frame, error) {
	b, err := newBuiltin(v)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	if err := b.server.SetPipeline(s.Config); err != nil {
		return nil, fmt.Errorf("built-in switch: %w", err)
	}
	// What is refused is refused for all variants.
	_, _ = b.server.Write(ctx, &p4v1.WriteRequest{DeviceId: deviceID, Updates: c.Updates})
	return inOrder(b.inject(ctx, c.Frames))
}

// inOrder tells which frame is wild.
func inOrder(frames [][]Frame, err error) ([][]Frame, error) {
	if errors.Is(err, errWild) {
		return nil, wildAt{len(frames)}
	}
	return frames, err
}

// runVariant runs a case on a variant.
func (s *Subject) runVariant(ctx context.Context, c *Case, v variant) (*outcome, error) {
	b, err := newBuiltin(v)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	ctl, err := control(b.p4)
	if err != nil {
		return nil, err
	}
	defer ctl.close()
	if err := ctl.setPipeline(ctx, s.Config); err != nil {
		return nil, fmt.Errorf("built-in switch: %w", err)
	}
	out := &outcome{}
	if out.writes, err = ctl.write(ctx, c.Updates); err != nil {
		return nil, fmt.Errorf("built-in switch: %w", err)
	}
	if out.frames, err = inOrder(b.inject(ctx, c.Frames)); err != nil {
		return nil, err
	}
	out.heard = ctl.take(s.expected(b), 5*time.Second)
	out.state, err = s.readState(ctx, ctl)
	return out, err
}

// expected returns how many packet-ins and digests a switch sends.
func (s *Subject) expected(b *builtin) int {
	n := b.toCPU - int(b.server.Stats().PacketInDrops)
	if len(s.Config.GetP4Info().GetDigests()) > 0 {
		n += b.learnt
	}
	return n
}

// readState reads tables and counters. The result is nil when the switch cannot read them itself.
func (s *Subject) readState(ctx context.Context, c *controller) ([]string, error) {
	out := []string{}
	for _, t := range s.Config.GetP4Info().GetTables() {
		if known := s.Program.Table(t.GetPreamble().GetName()); known != nil && known.Const() {
			continue // PI gives the entries of the program other priorities than p4c
		}
		// Reading by one table, with the counters of its entries.
		lines, err := c.read(ctx, tableEntity(&p4v1.TableEntry{
			TableId: t.GetPreamble().GetId(), CounterData: directCounter(s, t.GetDirectResourceIds())}))
		if code := status.Code(err); code == codes.Internal || code == codes.Unknown {
			return nil, nil // PI loses track of tables whose keys are expressions, and of absent ones
		}
		if err != nil {
			return nil, err
		}
		out = append(out, lines...)
	}
	for _, k := range s.Config.GetP4Info().GetCounters() {
		lines, err := c.read(ctx, &p4v1.Entity{Entity: &p4v1.Entity_CounterEntry{
			CounterEntry: &p4v1.CounterEntry{CounterId: k.GetPreamble().GetId()}}})
		if err != nil {
			return nil, err
		}
		out = append(out, lines...)
	}
	return out, nil
}

// directCounter asks for the counter of entries, if they have one.
func directCounter(s *Subject, resources []uint32) *p4v1.CounterData {
	for _, c := range s.Config.GetP4Info().GetDirectCounters() {
		if slices.Contains(resources, c.GetPreamble().GetId()) {
			return &p4v1.CounterData{}
		}
	}
	return nil
}
