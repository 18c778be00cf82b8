package command

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	switchmetrics "github.com/turbokv/turbokv/bmv2/metrics"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/storagenode"
	nodemetrics "github.com/turbokv/turbokv/storagenode/metrics"
)

// upHere runs all parts in this process.
func (a *app) upHere(
	ctx context.Context, plan layout.Plan, d kv.Durability, self *upSelf,
) (err error) {
	defer func() { err = errors.Join(err, self.stop()) }()
	makeRoomForSyncs(d)
	ports, err := openPorts(port.Opener{}, plan.GatewayPorts())
	if err != nil {
		return err
	}
	log := a.logger("cluster")
	startCtx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	c, err := cluster.Start(startCtx, cluster.Config{
		Nodes: plan.Nodes, DataDir: plan.DataDir, P4Runtime: plan.P4Runtime(),
		Controller: plan.Controller(), Ports: ports,
		Events: cluster.Events{Controller: func(e controller.Event) { log.Debug(e.String()) }},
	})
	if err != nil {
		return errors.Join(err, closePorts(ports))
	}
	self.serve(ctx, hereAdder(c, plan))
	defer func() { err = errors.Join(err, self.stop(), c.Close(), withdraw(plan)) }()
	if err := self.openConsole(ctx, a, plan, hereMetrics(c)); err != nil {
		return err
	}
	if err := prepare(startCtx, plan.Controller(), d); err != nil {
		return err
	}
	if err := a.announce(plan, self); err != nil {
		return err
	}
	a.warn(ctx, plan.Controller())
	select {
	case <-ctx.Done():
	case <-c.Done():
	}
	return nil
}

// hereMetrics gathers the metrics of all parts in this process.
func hereMetrics(c *cluster.Cluster) prometheus.Gatherer {
	r := prometheus.NewRegistry()
	r.MustRegister(switchmetrics.New(c.Switch()), nodemetrics.New(func() (all []*storagenode.Node) {
		for _, n := range c.Nodes() {
			all = append(all, n)
		}
		return all
	}))
	return r
}
