package command

import (
	"context"
	"errors"

	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/kv"
)

// upHere runs all parts in this process.
func (a *app) upHere(
	ctx context.Context, plan layout.Plan, d kv.Durability, self *upSelf,
) (err error) {
	defer func() { err = errors.Join(err, self.stop()) }()
	makeRoomForSyncs(d)
	ports, err := openPorts(plan.GatewayPorts())
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
	if err := prepare(startCtx, plan.Controller(), d); err != nil {
		return err
	}
	if err := a.announce(plan); err != nil {
		return err
	}
	a.warn(ctx, plan.Controller())
	select {
	case <-ctx.Done():
	case <-c.Done():
	}
	return nil
}
