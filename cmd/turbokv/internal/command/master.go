package command

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/coordinate/coordinator"
)

// masterFlags are the options of a master.
type masterFlags struct {
	addr       string
	network    string
	controller string
}

func (a *app) masterCommand() *cobra.Command {
	var f masterFlags
	c := &cobra.Command{
		Use:     "master",
		GroupID: groupMeasure,
		Short:   "Run a master, which clients of master-driven coordination ask where to send",
		Long: `Run a master until it is interrupted: one of the ways to coordinate that turbokv compare
compares with the switch. Clients ask it before each request to which node it must go,
and it answers with the sub-range, the epoch and the chain that the switch would stamp.
No record passes through it.`,
		Example: `  turbokv master --addr 10.0.1.200:21581 --controller 10.253.0.1:21590`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.master(cmd.Context(), f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.addr, "addr", "", "IPv4 `address` and port in the data network (required)")
	flags.StringVar(&f.network, "network", "udp",
		"udp for a socket of the kernel, or tunnel:LOCAL,PEER for a cable to a switch port")
	flags.StringVar(&f.controller, "controller", "",
		"`address` of the controller, or of several with commas between (required)")
	for _, name := range []string{"addr", "controller"} {
		required(c, name)
	}
	return c
}

func (a *app) master(ctx context.Context, f masterFlags) error {
	addr, err := parseAddr("addr", f.addr)
	if err != nil {
		return err
	}
	cache, closeCache, err := partitionMap(ctx, f.controller)
	if err != nil {
		return err
	}
	conn, err := openConn(f.network, addr)
	if err != nil {
		return errors.Join(err, closeCache())
	}
	a.logger("master "+addr.Addr().String()).Info("answers", "addr", addr)
	return errors.Join(coordinator.Master(ctx, conn, cache), closeCache())
}

// partitionMap is a partition map that is kept fresh from a controller, until it is closed.
func partitionMap(
	ctx context.Context, controller string,
) (cache *coordinator.Cache, closeAll func() error, err error) {
	client, err := dialAdmin(controller)
	if err != nil {
		return nil, nil, err
	}
	cache = coordinator.NewCache(ctx, coordinator.FromController(client))
	return cache, func() error {
		cache.Close()
		return client.Close()
	}, nil
}
