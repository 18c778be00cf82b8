package differ

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// Defaults of Options.
const (
	DefaultCases   = 10
	DefaultFrames  = 60
	DefaultEntries = 4
)

// Options say how much is compared.
type Options struct {
	// Path is the program simple_switch_grpc. "": found on PATH.
	Path string
	// Seed decides everything.
	Seed uint64
	// Cases is the number of times that a pipeline is filled anew. 0: DefaultCases.
	Cases int
	// Frames is the number of frames of a case. 0: DefaultFrames.
	Frames int
	// Entries is about the number of entries of a table. 0: DefaultEntries.
	Entries int
	// MaxFound ends the comparison of a program after so many differences. 0: 3.
	MaxFound int
}

func (o Options) withDefaults() Options {
	if o.Path == "" {
		o.Path = SimpleSwitch
	}
	if o.Cases == 0 {
		o.Cases = DefaultCases
	}
	if o.Frames == 0 {
		o.Frames = DefaultFrames
	}
	if o.Entries == 0 {
		o.Entries = DefaultEntries
	}
	if o.MaxFound == 0 {
		o.MaxFound = 3
	}
	return o
}

// Stats counts what was done.
type Stats struct {
	Cases   int `json:"cases"`
	Frames  int `json:"frames"`  // compared
	Updates int `json:"updates"` // written to both
	Wild    int `json:"wild"`    // frames left out: they loop, fail an assertion or cause too many frames
	Crashes int `json:"crashes"` // frames left out: they end the process of simple_switch_grpc
	// Open counts differences in what P4 leaves open, the fields of invalid headers.
	Open   int `json:"open"`
	Unsure int `json:"unsure"` // differences that did not show again
}

// String is a sentence.
func (s Stats) String() string {
	return fmt.Sprintf("%d cases, %d updates and %d packets compared; packets left out: %d that loop or fail, "+
		"%d that end %s; differences left out: %d of undefined values, %d that did not show again",
		s.Cases, s.Updates, s.Frames, s.Wild, s.Crashes, SimpleSwitch, s.Open, s.Unsure)
}

func (s Stats) since(t Stats) Stats {
	return Stats{s.Cases - t.Cases, s.Frames - t.Frames, s.Updates - t.Updates, s.Wild - t.Wild,
		s.Crashes - t.Crashes, s.Open - t.Open, s.Unsure - t.Unsure}
}

// Difference is something that the two switches do differently.
type Difference struct {
	Subject string
	Seed    uint64 // of the case
	Kind    string
	Text    string
	Case    *Case // as little as is needed
}

// String describes the difference and its inputs.
func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, seed %d, %s:\n%s\nwith", d.Subject, d.Seed, d.Kind, d.Text)
	for _, u := range d.Case.Updates {
		fmt.Fprintf(&b, "\n  %s", line(u))
	}
	for _, f := range d.Case.Frames {
		fmt.Fprintf(&b, "\n  packet %d %x", f.Port, f.Bytes)
	}
	return b.String()
}

// Fuzzer compares programs, one after the other, with one process of simple_switch_grpc.
type Fuzzer struct {
	opt   Options
	open  func(ctx context.Context) (device, error)
	real  device
	ctl   *controller
	Stats Stats
}

// NewFuzzer returns a fuzzer, which must be closed.
func NewFuzzer(opt Options) *Fuzzer {
	opt = opt.withDefaults()
	open := func(ctx context.Context) (device, error) { return startReal(ctx, opt.Path) }
	return &Fuzzer{opt: opt, open: open}
}

// Close ends the process.
func (z *Fuzzer) Close() {
	if z.ctl != nil {
		z.ctl.close()
		z.ctl = nil
	}
	if z.real != nil {
		z.real.stop()
		z.real = nil
	}
}

// Run compares a program. The error is that of the comparison itself, such as a program that one of
// the switches refuses.
func (z *Fuzzer) Run(ctx context.Context, s *Subject) (found []Difference, err error) {
	for i := range z.opt.Cases {
		seed := z.opt.Seed + uint64(i)
		d, err := z.one(ctx, s, seed)
		if err != nil {
			return found, fmt.Errorf("%s, seed %d: %w", s.Name, seed, err)
		}
		found = append(found, d...)
		if len(found) >= z.opt.MaxFound || ctx.Err() != nil {
			break
		}
	}
	return found, ctx.Err()
}

// one compares one case.
func (z *Fuzzer) one(ctx context.Context, s *Subject, seed uint64) ([]Difference, error) {
	r := rand.New(rand.NewPCG(seed, 0))
	c := s.newCase(r, z.opt.Entries, z.opt.Frames)
	step := frameBatch
	if s.stateful() {
		step = 1
	}
	findings, err := z.play(ctx, s, c, step)
	if err != nil {
		return nil, err
	}
	z.Stats.Cases++
	z.Stats.Frames += len(c.Frames)
	z.Stats.Updates += len(c.Updates)
	for _, f := range findings {
		small, again, err := z.confirm(ctx, s, c, f)
		if err != nil {
			return nil, err
		}
		if small != nil {
			return []Difference{{s.Name, seed, again.kind, again.text, small}}, nil
		}
	}
	return nil, nil
}

// frameBatch is the number of frames that are under way at once in programs without state: what they
// cause must find room in the queues.
const frameBatch = 16

// maxCrashes is the number of frames that may end the process in one case.
const maxCrashes = 8

// play runs a case on both switches. Frames that cannot be compared are taken out of it.
func (z *Fuzzer) play(ctx context.Context, s *Subject, c *Case, step int) ([]finding, error) {
	for crashes := 0; ; {
		mine, err := s.runBuiltin(ctx, rand.New(rand.NewPCG(1, 2)), c)
		if err != nil {
			return nil, err
		}
		z.Stats.Wild += mine.wild
		theirs, at, err := z.runReal(ctx, s, c, step, len(mine.heard))
		switch {
		case err == nil:
			return s.compare(c, mine, theirs), nil
		case !errors.Is(err, errGone) || at < 0 || ctx.Err() != nil:
			z.Close()
			return nil, err
		}
		z.Close()
		if step > 1 { // look for the frame one by one
			step = 1
			continue
		}
		c.Frames = slices.Delete(c.Frames, at, at+1)
		z.Stats.Crashes++
		if crashes++; crashes == maxCrashes {
			c.Frames = c.Frames[:at]
		}
	}
}

// hang bounds how long the real switch may take for a batch.
const hang = 10 * time.Second

// runReal runs a case on the real switch. When the process ends, it returns the index of the first
// frame that it did not answer, or -1.
func (z *Fuzzer) runReal(ctx context.Context, s *Subject, c *Case, step, heard int) (
	out *outcome, at int, err error) {
	if err := z.start(ctx); err != nil {
		return nil, -1, err
	}
	if err := z.ctl.setPipeline(ctx, s.Config); err != nil {
		return nil, -1, fmt.Errorf("%s: %w", SimpleSwitch, err)
	}
	out = &outcome{}
	if out.writes, err = z.ctl.write(ctx, c.Updates); err != nil {
		return nil, -1, fmt.Errorf("%s: %w", SimpleSwitch, err)
	}
	defer z.forget(ctx, c.Updates)
	for at = 0; at < len(c.Frames); at += step {
		batch := c.Frames[at:min(at+step, len(c.Frames))]
		limited, cancel := context.WithTimeout(ctx, hang)
		caused, err := z.real.inject(limited, batch)
		cancel()
		if err != nil {
			return nil, at, err
		}
		out.frames = append(out.frames, caused...)
	}
	out.heard = z.ctl.take(heard, time.Second)
	out.state, err = s.readState(ctx, z.ctl)
	return out, -1, err
}

func (z *Fuzzer) start(ctx context.Context) (err error) {
	if z.real != nil {
		return nil
	}
	d, err := z.open(ctx)
	if err != nil {
		return err
	}
	z.real = d
	z.ctl, err = control(z.real.client())
	return err
}

// forget deletes clone sessions and multicast groups, which outlive a pipeline in simple_switch.
func (z *Fuzzer) forget(ctx context.Context, updates []*p4v1.Update) {
	var gone []*p4v1.Update
	for _, u := range updates {
		e := u.GetEntity().GetPacketReplicationEngineEntry()
		if e != nil && u.GetType() == p4v1.Update_INSERT {
			gone = append(gone, &p4v1.Update{Type: p4v1.Update_DELETE, Entity: u.GetEntity()})
		}
	}
	if z.ctl != nil {
		_, _ = z.ctl.write(ctx, gone)
	}
}
