package command

import (
	"context"
	"errors"
	"net/netip"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/controller"
	"github.com/turbokv/turbokv/topology"
)

// controllerFlags are the options of the controller.
type controllerFlags struct {
	listen      string
	p4runtime   string
	device      uint64
	topology    string
	store       string
	service     string
	addr        string
	expectNodes int
	http        string
	noBalance   bool
}

func (a *app) controllerCommand() *cobra.Command {
	var f controllerFlags
	c := &cobra.Command{
		Use:     "controller",
		GroupID: groupCluster,
		Short:   "Run the controller",
		Long: `Run the controller until it is interrupted. It loads the P4 program into the switch
over P4Runtime, places sub-ranges on storage nodes, keeps the tables of the switch
right, and serves the commands keyspace and status. The switch may be turbokv's own or
a simple_switch_grpc, started with --cpu-port 510. No request of a client passes
through the controller: the store serves without it.

With --topology it controls all switches of a topology file, racks and what joins them,
each at the P4Runtime address that the file gives as p4runtime, and distributes the
index over them: see turbokv index.`,
		Example: `  turbokv controller --p4runtime 127.0.0.1:9559 --listen 10.9.0.1:21590 --expect-nodes 5 \
      --store /var/lib/turbokv/controller.db --service 10.0.255.1 --addr 10.0.254.1:21580
  turbokv controller --topology topology.json --expect-nodes 9 --service 10.255.0.1 --addr 10.254.0.1:21580`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, one := range []string{"p4runtime", "device-id"} {
				if f.topology != "" && cmd.Flags().Changed(one) {
					return usagef("--%s is of one switch: with --topology the file says it of each", one)
				}
			}
			return a.runController(cmd.Context(), f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:21590",
		"`address` of the gRPC service for nodes and operators")
	flags.StringVar(&f.p4runtime, "p4runtime", "127.0.0.1:9559",
		"`address` of the switch's P4Runtime service")
	flags.Uint64Var(&f.device, "device-id", 1, "P4Runtime device id of the switch")
	flags.StringVar(&f.topology, "topology", "",
		"`file` that says how switches and hosts hang together, when there are several switches")
	flags.StringVar(&f.store, "store", "controller.db", "`file` that keeps the directory, or etcd://host:port[,host:port]/prefix when several controllers "+
		"share one: they elect a leader, the others stand by")
	flags.StringVar(&f.service, "service", "", "IPv4 `address` to which clients send (required)")
	flags.StringVar(&f.addr, "addr", "",
		"own IPv4 `address` and port in the data network, from which keyspaces are published (required)")
	flags.IntVar(&f.expectNodes, "expect-nodes", 1,
		"place nothing before that many nodes have connected")
	flags.StringVar(&f.http, "http", "",
		"`address` of the web page, and of metrics for Prometheus at /metrics (default: none)")
	flags.BoolVar(&f.noBalance, "no-balance", false,
		"leave the levelling of load to operators, as for measurements of which nothing shall move")
	required(c, "service")
	required(c, "addr")
	return c
}

func (a *app) runController(ctx context.Context, f controllerFlags) error {
	service, err := netip.ParseAddr(f.service)
	if err != nil || !service.Is4() {
		return usagef("--service %q: must be an IPv4 address", f.service)
	}
	addr, err := parseAddr("addr", f.addr)
	if err != nil {
		return err
	}
	cfg, err := f.switches()
	if err != nil {
		return err
	}
	listener, err := listenHTTP("http", f.http)
	if err != nil {
		return err
	}
	console, err := a.console(ctx, listener, f.listen)
	if err != nil {
		return errors.Join(err, closeListener(listener))
	}
	log := a.logger("controller")
	log.Info("starting", "listen", f.listen, "p4runtime", f.p4runtime, "topology", f.topology)
	cfg.Store, cfg.Listen, cfg.Service, cfg.Address = f.store, f.listen, service, addr
	cfg.ExpectNodes, cfg.Policy.NoBalance = f.expectNodes, f.noBalance
	cfg.Events.Notify = func(e controller.Event) { log.Info(e.String()) }
	err = controller.Run(ctx, cfg)
	err = errors.Join(err, console.stop())
	log.Info("stopped")
	return err
}

// switches returns a configuration that says which switches there are.
func (f controllerFlags) switches() (c controller.Config, err error) {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if f.topology == "" {
		c.Switches = []controller.Switch{{Target: f.p4runtime, DeviceID: f.device, DialOptions: options}}
		return c, nil
	}
	text, err := os.ReadFile(f.topology)
	if err != nil {
		return c, usagef("--topology: %w", err)
	}
	if c.Topology, err = topology.Decode(text); err != nil {
		return c, usagef("--topology %s: %w", f.topology, err)
	}
	c.SwitchOptions = options
	return c, nil
}
