package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/outage"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/suite"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/workload"
)

// killer does one kill after the other.
type killer struct {
	lab    *faultLab
	load   *suite.Suite
	flags  faultFlags
	chains []admin.SubRange // as they were before the next kill
	watch  *outage.Watch
}

// incrementer is a client as package outage wants it.
type incrementer struct{ client *clientlib.Client }

// Read implements outage.Store.
func (i incrementer) Read(ctx context.Context, key []byte) error {
	_, err := i.client.Get(ctx, key)
	return err
}

// Increment implements outage.Store.
func (i incrementer) Increment(ctx context.Context, key []byte) (int64, error) {
	return i.client.Increment(ctx, key, 1)
}

// parts returns a key in every sub-range.
func (k *killer) parts() (out []outage.Part) {
	for _, r := range k.chains {
		for i := 0; ; i++ {
			key := []byte("probe-" + strconv.Itoa(i))
			if r.Interval.Contains(kv.HashPartitioned.IndexKey(key)) {
				out = append(out, outage.Part{Name: r.ID.String(), Key: key})
				break
			}
		}
	}
	return out
}

func splitPlus(s string) []string { return strings.Split(s, "+") }

// kill measures one kill under load, and brings the cluster back to what it was.
func (k *killer) kill(ctx context.Context, name string, what []string) (r killResult, err error) {
	r.Name = name
	if k.chains, err = k.lab.chains(ctx); err != nil {
		return r, err
	}
	load, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	loaded := make(chan error, 1)
	go func() { loaded <- k.runLoad(load) }()
	sleep(ctx, faultWarmUp)
	r.Before = worst(k.watch.Window())
	if what, err = k.lab.leading(ctx, what); err != nil {
		stopLoad()
		return r, errors.Join(err, <-loaded)
	}
	if err := k.disturb(ctx, what, &r); err != nil {
		stopLoad()
		return r, errors.Join(err, <-loaded)
	}
	k.byRole(k.watch.Window(), what, &r)
	for _, part := range what {
		if part == killSwitch {
			continue // it is back already
		}
		if err := k.lab.group.Restart(part); err != nil {
			stopLoad()
			return r, errors.Join(err, <-loaded)
		}
	}
	err = k.lab.await(ctx, "everybody is back", faultRepair, k.wellAgain)
	sleep(ctx, faultCoolDown)
	r.After = worst(k.watch.Window())
	stopLoad()
	return r, errors.Join(err, <-loaded)
}

// runLoad runs YCSB A until ctx is done, which is how it ends.
func (k *killer) runLoad(ctx context.Context) error {
	mix, err := workload.ParseMix("A")
	if err != nil {
		return err
	}
	err = k.load.Mix(ctx, mix)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// disturb kills and waits until the cluster has done what can be done without the killed part.
func (k *killer) disturb(ctx context.Context, what []string, r *killResult) error {
	killed := time.Now()
	for _, part := range what {
		if err := k.lab.group.Kill(part); err != nil {
			return err
		}
	}
	var gone []kv.NodeID
	for _, part := range what {
		switch {
		case part == killSwitch:
			if err := k.lab.group.Restart(part); err != nil {
				return err
			}
		case !strings.HasPrefix(part, killController):
			gone = append(gone, nodeNamed(part))
		}
	}
	if strings.HasPrefix(what[0], killController) {
		return k.awaitTakeOver(ctx, killed, r)
	}
	if len(gone) == 0 {
		return k.lab.await(ctx, "the cluster serves again", faultRepair, k.wellAgain)
	}
	err := k.lab.await(ctx, "the killed are out of the chains", faultRepair, func(s admin.Status) bool {
		return !anyChain(s, func(c kv.Chain) bool {
			return slices.ContainsFunc(gone, func(n kv.NodeID) bool { return c.Position(n) >= 0 })
		})
	})
	if err != nil {
		return err
	}
	r.Evicted = time.Since(killed)
	err = k.lab.await(ctx, "the chains are complete", faultRepair, func(s admin.Status) bool {
		return !anyChain(s, func(c kv.Chain) bool { return len(c) < replicationOfFaults })
	})
	r.Repaired = time.Since(killed)
	r.Moved = k.lostBytes(gone)
	return err
}

// awaitTakeOver waits for a standby, if there is one, and then for what nobody is to notice.
func (k *killer) awaitTakeOver(ctx context.Context, killed time.Time, r *killResult) error {
	if k.flags.controllers > 1 {
		if err := k.lab.await(ctx, "another controller leads", faultRepair, k.wellAgain); err != nil {
			return err
		}
		r.TakenOver = time.Since(killed)
	}
	sleep(ctx, faultWarmUp)
	return nil
}

// leading puts the name of the controller that leads in the place of "controller".
func (l *faultLab) leading(ctx context.Context, what []string) ([]string, error) {
	if l.plan.Controllers <= 1 {
		return what, nil
	}
	s, err := l.status(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.Index(strings.Split(l.plan.Controller(), ","), s.Leader)
	if at < 0 {
		return nil, fmt.Errorf("%q leads: no controller has that name", s.Leader)
	}
	out := slices.Clone(what)
	for i := range out {
		if out[i] == killController && at > 0 {
			out[i] += strconv.Itoa(at + 1)
		}
	}
	return out, nil
}

// lostBytes estimates what the repair had to copy: records are spread evenly.
func (k *killer) lostBytes(gone []kv.NodeID) uint64 {
	replicas := 0
	for _, r := range k.chains {
		for _, n := range gone {
			if r.Chain.Position(n) >= 0 {
				replicas++
			}
		}
	}
	record := uint64(workload.DefaultKeySize + k.flags.valueSize)
	return k.flags.records * record * uint64(replicas) / uint64(len(k.chains))
}

// wellAgain tells that every node is there, every chain complete, and the switch as it should be.
func (k *killer) wellAgain(s admin.Status) bool {
	for _, n := range s.Nodes {
		if !n.Online {
			return false
		}
	}
	return len(s.Nodes) == k.flags.nodes && len(s.Switches) > 0 && s.Switches[0].Synced &&
		!anyChain(s, func(c kv.Chain) bool { return len(c) < replicationOfFaults })
}

func anyChain(s admin.Status, f func(kv.Chain) bool) bool {
	return slices.ContainsFunc(s.SubRanges, func(r admin.SubRange) bool { return f(r.Chain) })
}

// nodeNamed is the address that package layout gives a node.
func nodeNamed(process string) kv.NodeID {
	i, err := strconv.Atoi(strings.TrimPrefix(process, killNode))
	if err != nil {
		panic(fmt.Sprintf("process %q is no node", process)) // names come from parseKill
	}
	return kv.NodeID(10<<24 | i)
}

// byRole groups the gaps by what the killed nodes did in each sub-range.
func (k *killer) byRole(gaps []outage.Gap, what []string, r *killResult) {
	for i, g := range gaps {
		role := k.roleIn(k.chains[i].Chain, what)
		at := slices.IndexFunc(r.Roles, func(o roleOutage) bool { return o.Role == role })
		if at < 0 {
			at = len(r.Roles)
			r.Roles = append(r.Roles, roleOutage{Role: role})
		}
		o := &r.Roles[at]
		o.SubRanges++
		o.reads, o.writes = append(o.reads, g.Read), append(o.writes, g.Write)
	}
	for i := range r.Roles {
		r.Roles[i].sum()
	}
	slices.SortFunc(r.Roles, func(a, b roleOutage) int { return strings.Compare(a.Role, b.Role) })
}

func (k *killer) roleIn(c kv.Chain, what []string) string {
	var roles []string
	for _, part := range what {
		if strings.HasPrefix(part, killController) || part == killSwitch {
			return "all"
		}
		switch at := c.Position(nodeNamed(part)); {
		case at < 0:
		case at == 0:
			roles = append(roles, "head")
		case at == len(c)-1:
			roles = append(roles, "tail")
		default:
			roles = append(roles, "middle")
		}
	}
	if len(roles) == 0 {
		return "not a member"
	}
	slices.Sort(roles)
	return strings.Join(roles, "+")
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
