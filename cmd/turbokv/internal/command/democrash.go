package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/suite"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/workload"
)

// crashReport is what came of the node that the demo stops under load. Durations are nanoseconds in
// JSON, from the moment at which it stopped.
type crashReport struct {
	Node     string        `json:"node"`
	Chains   int           `json:"chains"` // that it was a member of
	Evicted  time.Duration `json:"evicted_ns"`
	Repaired time.Duration `json:"repaired_ns"`
	Returned bool          `json:"returned"` // it had to come back for that: there was no other node
}

// String says it on one line.
func (r crashReport) String() string {
	how := "on the other nodes"
	if r.Returned {
		how = "with the same node, which came back empty"
	}
	return fmt.Sprintf("node %s stopped under load: out of all its %d chains after %d ms; all replicas "+
		"there again after %.1f s, %s", r.Node, r.Chains, r.Evicted.Milliseconds(), r.Repaired.Seconds(),
		how)
}

// Bounds of the crash, and how often its progress is looked at.
const (
	crashMax  = 2 * time.Minute
	crashPoll = 5 * time.Millisecond
)

// crashVictim is the number of the node that is stopped, from 0.
const crashVictim = 1

// demoCrash runs YCSB A, stops a node in the middle of it, and waits until the controller has mended
// the chains. A cluster of one node has none to spare: then there is no report.
func (a *app) demoCrash(
	ctx context.Context, c embedded, run *suite.Suite, f demoFlags,
) (*crashReport, error) {
	if f.nodes < 2 {
		return nil, nil
	}
	mix, err := workload.ParseMix("A")
	if err != nil {
		return nil, err
	}
	mix.Name += ", a node stops"
	mended := make(chan error, 1)
	var r *crashReport
	go func() {
		sleep(ctx, f.duration/2)
		var err error
		r, err = stopAndMend(ctx, c)
		mended <- err
	}()
	err = run.Mix(ctx, mix)
	return r, errors.Join(err, <-mended)
}

// stopAndMend stops the node and returns when all chains are complete again and it is back.
func stopAndMend(ctx context.Context, c embedded) (*crashReport, error) {
	ctx, cancel := context.WithTimeout(ctx, crashMax)
	defer cancel()
	before, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	want := make(map[kv.SubRangeID]int) // length of each chain
	victim := kv.NodeIDOf(layout.NodeAddr(crashVictim).Addr())
	r := &crashReport{Node: victim.String()}
	longest := 0
	for _, s := range before.SubRanges {
		want[s.ID] = len(s.Chain)
		longest = max(longest, len(s.Chain))
		if s.Chain.Position(victim) >= 0 {
			r.Chains++
		}
	}
	stopped := time.Now()
	if err := c.StopNode(crashVictim); err != nil {
		return nil, err
	}
	err = awaitChains(ctx, c, func(s admin.SubRange) bool {
		return s.Chain.Position(victim) < 0 || want[s.ID] == 1
	})
	if err != nil {
		return nil, err
	}
	r.Evicted = time.Since(stopped)
	if r.Returned = longest >= len(before.Nodes); r.Returned {
		if err := c.StartNode(crashVictim); err != nil {
			return nil, err
		}
	}
	err = awaitChains(ctx, c, func(s admin.SubRange) bool { return len(s.Chain) >= want[s.ID] })
	if err != nil {
		return nil, err
	}
	r.Repaired = time.Since(stopped)
	if r.Returned {
		return r, nil
	}
	return r, c.StartNode(crashVictim)
}

// awaitChains returns when all sub-ranges are as wanted.
func awaitChains(ctx context.Context, c embedded, want func(admin.SubRange) bool) error {
	tick := time.NewTicker(crashPoll)
	defer tick.Stop()
	for {
		s, err := c.Status(ctx)
		if err == nil && !slices.ContainsFunc(s.SubRanges, func(r admin.SubRange) bool { return !want(r) }) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the chains are not mended: %w: %q", ctx.Err(), s.Problems)
		}
	}
}
