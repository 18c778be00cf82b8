package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/turbokv/turbokv/bench/switchbench/generator"
	"github.com/turbokv/turbokv/bench/switchbench/scenario"
)

// measure runs every scenario.
func (p *plan) measure(ctx context.Context, progress io.Writer) (*report, error) {
	r := newReport(p)
	var contenders []contender
	for _, name := range p.contenders {
		c, err := p.newContender(name)
		if err != nil {
			return nil, err
		}
		if _, err := exec.LookPath(c.words[0]); err != nil {
			r.skipped = append(r.skipped, fmt.Sprintf("%s is skipped: it is not on PATH", name))
			fmt.Fprintln(progress, r.skipped[len(r.skipped)-1])
			continue
		}
		contenders = append(contenders, c)
	}
	for _, s := range p.scenarios {
		fmt.Fprintf(progress, "%s: %s\n", s.Name, s.About)
		if err := p.scenario(ctx, s, contenders, r); err != nil {
			return nil, err
		}
	}
	r.end()
	return r, nil
}

// scenario runs one scenario with all contenders, which exist at the same time and take turns.
func (p *plan) scenario(ctx context.Context, s *scenario.Scenario, contenders []contender, r *report) (err error) {
	home, err := newPlace(p.generatorCPU)
	if err != nil {
		return err
	}
	defer home.close()
	alone, err := p.alone(home, s)
	if err != nil {
		return fmt.Errorf("generator: %w", err)
	}
	part := r.begin(s, alone)
	var benches []*bench
	for i, c := range contenders {
		b, err := p.startBench(ctx, c, i, s, home)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.stop()) }()
		b.line = part.add(c.name)
		benches = append(benches, b)
	}
	return p.turns(ctx, home, benches)
}

// turns measures one thing after another: each for all, in rounds.
func (p *plan) turns(ctx context.Context, home *place, benches []*bench) error {
	for _, step := range []func(*bench) error{p.floodOne, p.searchOne, p.timeOne} {
		for range p.rounds {
			for _, b := range benches {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err := home.do(func() error { return step(b) }); err != nil {
					return fmt.Errorf("%s: %w", b.line.name, err)
				}
			}
		}
	}
	return nil
}

// alone returns how many frames a second the generator sends when nobody takes them.
func (p *plan) alone(home *place, s *scenario.Scenario) (rate float64, err error) {
	void, err := newPlace(p.switchCPUs...)
	if err != nil {
		return 0, err
	}
	defer void.close()
	if err := cable(home, "void0", void, firstName); err != nil {
		return 0, err
	}
	err = home.do(func() error {
		g, err := generator.Open("void0", "void0")
		if err != nil {
			return err
		}
		g.Load(s.Frames)
		t, err := g.Offer(0, p.flood)
		rate = t.Offered()
		return errors.Join(err, g.Close())
	})
	return rate, err
}

// floodOne sends all that the generator can, and tells what a packet costs the contender.
func (p *plan) floodOne(b *bench) error {
	l := b.line
	before, err := cpuTime(b.cmd.Process.Pid)
	if err != nil {
		return err
	}
	t, err := b.source.Offer(0, p.flood)
	if err != nil {
		return err
	}
	after, err := cpuTime(b.cmd.Process.Pid)
	l.flood = append(l.flood, t.Rate())
	if t.Received > 0 { // on a machine with much other work there may be none
		l.cost = append(l.cost, float64(after-before)/float64(t.Received))
	}
	l.offered = max(l.offered, t.Offered())
	return err
}

// searchOne looks for the highest rate, up to what the generator can do and four times what came
// through a flood.
func (p *plan) searchOne(b *bench) error {
	l := b.line
	high := min(l.offered, 4*median(l.flood))
	best, err := search(high, p.steps, func(rate float64) (float64, bool, error) {
		t, err := b.source.Offer(rate, p.trial)
		return t.Offered(), t.Loss() <= bearable, err
	})
	l.lossless = append(l.lossless, best)
	return err
}

func (p *plan) timeOne(b *bench) error {
	l := b.line
	low, err := b.source.Time(lowRate, p.timing)
	if err != nil {
		return err
	}
	half, err := b.source.Time(max(median(l.lossless)/2, lowRate), p.timing)
	l.low, l.half = append(l.low, low), append(l.half, half)
	return err
}
