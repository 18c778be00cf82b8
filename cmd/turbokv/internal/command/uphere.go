package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/kv"
)

// upHere runs all parts in this process.
func (a *app) upHere(ctx context.Context, plan layout.Plan, d kv.Durability) (err error) {
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
	defer func() { err = errors.Join(err, c.Close(), withdraw(plan)) }()
	if err := prepare(startCtx, plan.Controller(), d); err != nil {
		return err
	}
	if err := a.announce(plan); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-c.Done():
	}
	return nil
}

// openPorts opens all or none.
func openPorts(specs []port.Spec) (map[uint16]port.Port, error) {
	ports := make(map[uint16]port.Port)
	for _, spec := range specs {
		p, err := spec.Open()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("switch port %v: %w", spec, err), closePorts(ports))
		}
		ports[spec.Number] = p
	}
	return ports, nil
}

func closePorts(ports map[uint16]port.Port) error {
	var errs []error
	for _, p := range ports {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
