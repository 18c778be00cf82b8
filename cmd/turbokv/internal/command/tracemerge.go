package command

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/turbokv/turbokv/bmv2/trace"
)

const (
	// settle is how long a line waits for older ones of other switches.
	settle = 100 * time.Millisecond
	// traceRetry is the pause before a switch that went away is tried again.
	traceRetry = time.Second
	// traceQueue is how many lines wait to be printed; switches lose what is beyond.
	traceQueue = 1024
)

// traceMerger reads the traces of several switches and puts them in the order of time.
type traceMerger struct {
	sources  []traceSource
	query    url.Values
	patience time.Duration // for the first connection to all
	count    int           // lines to print; 0: all
	warn     func(text string)

	lines   chan tracedLine
	waiting []tracedLine
	printed int
}

type tracedLine struct {
	source  string
	arrived time.Time
	trace.Line
}

// errEnough ends a trace after its last packet.
var errEnough = errors.New("enough packets")

// run calls emit for each line until the context ends, or there are enough.
func (m *traceMerger) run(ctx context.Context, emit func(source string, line trace.Line) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	m.lines = make(chan tracedLine, traceQueue)
	following := make(chan string, len(m.sources))
	var group sync.WaitGroup
	for _, s := range m.sources {
		group.Go(func() {
			if err := m.follow(ctx, s, following); err != nil {
				cancel(err)
			}
		})
	}
	defer group.Wait()
	defer cancel(nil)
	if err := m.connected(ctx, following); err != nil {
		return err
	}
	return m.merge(ctx, emit)
}

// connected waits until all switches follow packets.
func (m *traceMerger) connected(ctx context.Context, following <-chan string) error {
	late := time.NewTimer(m.patience)
	defer late.Stop()
	for range m.sources {
		select {
		case <-following:
		case <-late.C:
			return fmt.Errorf("not all %d switches answer within %v", len(m.sources), m.patience)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	m.warn(fmt.Sprintf("following packets at %d switches; ctrl-C ends", len(m.sources)))
	return nil
}

// follow reads one switch. One that refuses, or is away from the beginning, is an error; one that goes
// away later is tried again, because switches may be started again.
func (m *traceMerger) follow(ctx context.Context, s traceSource, following chan<- string) error {
	once := false
	ready := func() {
		if once {
			m.warn(fmt.Sprintf("switch %s is back", s.name))
			return
		}
		once = true
		following <- s.name
	}
	for away := false; ; {
		err := trace.Follow(ctx, s.address, m.query, ready, func(line trace.Line) error {
			away = false
			select {
			case m.lines <- tracedLine{s.name, time.Now(), line}:
			case <-ctx.Done():
			}
			return ctx.Err()
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case !once:
			return fmt.Errorf("switch %s: %w", s.name, err)
		case err == nil && m.query.Has("limit"):
			return nil
		case !away:
			m.warn(fmt.Sprintf("switch %s went away: %v", s.name, err))
			away = true
		}
		select {
		case <-time.After(traceRetry):
		case <-ctx.Done():
			return nil
		}
	}
}

// merge prints lines once none that is older can come any more.
func (m *traceMerger) merge(ctx context.Context, emit func(string, trace.Line) error) error {
	tick := time.NewTicker(settle / 4)
	defer tick.Stop()
	for {
		select {
		case x := <-m.lines:
			m.waiting = append(m.waiting, x)
			continue
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(m.flush(time.Now(), emit), context.Cause(ctx))
		}
		err := m.flush(time.Now().Add(-settle), emit)
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// flush emits the lines that arrived until then, by the time of the switch.
func (m *traceMerger) flush(until time.Time, emit func(string, trace.Line) error) error {
	slices.SortStableFunc(m.waiting, func(a, b tracedLine) int { return a.Time.Compare(b.Time) })
	for i, x := range m.waiting {
		if x.arrived.After(until) {
			m.waiting = slices.Delete(m.waiting, 0, i)
			return nil
		}
		if err := emit(x.source, x.Line); err != nil {
			return err
		}
		if m.printed++; m.printed == m.count {
			return errEnough
		}
	}
	m.waiting = m.waiting[:0]
	return nil
}
