package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/coordinate/coordinator"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode"
	"github.com/turbokv/turbokv/storagenode/engine"
	nodemetrics "github.com/turbokv/turbokv/storagenode/metrics"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// nodeFlags are the options of a storage node.
type nodeFlags struct {
	addr       string
	network    string
	dataDir    string
	engine     string
	controller string
	switchName string
	port       uint32
	metrics    string
	mac        string
	coordinate bool
}

func (a *app) nodeCommand() *cobra.Command {
	var f nodeFlags
	c := &cobra.Command{
		Use:     "node",
		GroupID: groupCluster,
		Short:   "Run a storage node",
		Long: `Run a storage node until it is interrupted. The node announces itself to the
controller and serves the sub-ranges that the controller assigns to it. With a data
directory it keeps them over a restart; without one it holds only keyspaces of
durability memory.`,
		Example: `  turbokv node --addr 10.0.0.1:21579 --port 1 --controller 10.9.0.1:21590 \
      --data-dir /var/lib/turbokv
  turbokv node --addr 10.0.0.1:21579 --network tunnel:127.0.0.1:22101,127.0.0.1:22001 \
      --port 1 --controller 127.0.0.1:21590`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.node(cmd.Context(), f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.addr, "addr", "", "IPv4 `address` and port in the data network (required)")
	flags.StringVar(&f.network, "network", "udp",
		"udp for a socket of the kernel, or tunnel:LOCAL,PEER for a cable to a switch port")
	flags.StringVar(&f.dataDir, "data-dir", "", "`directory` for what survives a restart")
	flags.StringVar(&f.engine, "engine", "", "storage engine in the data directory: pebble or bbolt")
	flags.StringVar(&f.controller, "controller", "",
		"`address` of the controller for nodes, or of several with commas between (required)")
	flags.StringVar(&f.switchName, "switch", "",
		"`name` of the switch that the node hangs on, if there are several")
	flags.Uint32Var(&f.port, "port", 0,
		"`number` of the switch port that the node hangs on (required)")
	flags.StringVar(&f.metrics, "metrics", "",
		"`address` that serves metrics for Prometheus at /metrics (default: none)")
	flags.StringVar(&f.mac, "mac", "",
		"Ethernet `address` of the interface in the data network (default: 02:54 and --addr)")
	flags.BoolVar(&f.coordinate, "coordinate", false, "also resolve requests that clients send to this "+
		"node and not to the service address: server-driven coordination, for turbokv compare")
	for _, name := range []string{"addr", "controller", "port"} {
		required(c, name)
	}
	return c
}

// required marks a flag; an unknown name is a programming error.
func required(c *cobra.Command, name string) {
	if err := c.MarkFlagRequired(name); err != nil {
		panic(err)
	}
}

func (a *app) node(ctx context.Context, f nodeFlags) (err error) {
	addr, err := parseAddr("addr", f.addr)
	if err != nil {
		return err
	}
	mac, err := f.ownMAC(addr.Addr())
	if err != nil {
		return err
	}
	kind, err := engine.ParseKind(f.engine)
	if err != nil {
		return usagef("--engine: %w", err)
	}
	listener, err := listenHTTP("metrics", f.metrics)
	if err != nil {
		return err
	}
	conn, closeMap, err := f.open(ctx, addr)
	if err != nil {
		return errors.Join(err, closeListener(listener))
	}
	defer func() { err = errors.Join(err, closeMap()) }()
	log := a.logger("node " + addr.Addr().String())
	node, err := storagenode.Start(ctx, storagenode.Config{
		Conn: conn, DataDir: f.dataDir, Engine: kind, Events: nodeEvents(log),
		Control: storagenode.Control{
			Target: f.controller, Switch: f.switchName, Port: f.port, MAC: mac,
			DialOptions: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
		},
	})
	if err != nil {
		return errors.Join(err, conn.Close(), closeListener(listener))
	}
	served := serveMetrics(ctx, listener, nodemetrics.New(func() []*storagenode.Node {
		return []*storagenode.Node{node}
	}))
	select {
	case <-ctx.Done():
	case <-node.Done():
	}
	err = errors.Join(served.stop(), node.Close())
	log.Info("stopped")
	return err
}

// ownMAC is the address to which the switch sends frames for the node.
func (f nodeFlags) ownMAC(addr netip.Addr) (wire.MAC, error) {
	if f.mac == "" {
		return transport.MACOf(addr), nil
	}
	mac, err := wire.ParseMAC(f.mac)
	if err != nil {
		return mac, usagef("--mac: %w", err)
	}
	return mac, nil
}

// open opens the node's socket; closeMap ends what --coordinate begins.
func (f nodeFlags) open(
	ctx context.Context, addr netip.AddrPort,
) (conn transport.Conn, closeMap func() error, err error) {
	inner, err := openConn(f.network, addr)
	if err != nil || !f.coordinate {
		return inner, func() error { return nil }, err
	}
	cache, closeMap, err := partitionMap(ctx, f.controller)
	if err != nil {
		return nil, nil, errors.Join(err, inner.Close())
	}
	if conn, err = coordinator.NewNode(inner, cache); err != nil {
		return nil, nil, errors.Join(err, closeMap(), inner.Close())
	}
	return conn, closeMap, nil
}

// openConn opens the socket that --network names.
func openConn(network string, addr netip.AddrPort) (transport.Conn, error) {
	if network == "udp" {
		return transport.ListenUDP(addr)
	}
	ends, ok := strings.CutPrefix(network, "tunnel:")
	local, peer, both := strings.Cut(ends, ",")
	if !ok || !both {
		return nil, usagef("--network %q: must be udp or tunnel:LOCAL,PEER", network)
	}
	from, err := parseAddr("network", local)
	if err != nil {
		return nil, err
	}
	to, err := parseAddr("network", peer)
	if err != nil {
		return nil, err
	}
	link, err := port.DialTunnel(from.String(), to.String())
	if err != nil {
		return nil, err
	}
	return transport.NewHost(link, transport.HostConfig{Addr: addr})
}

// nodeEvents logs what an operator may want to know. Of many vain attempts to reach the controller
// it logs the first.
func nodeEvents(log *slog.Logger) storagenode.Events {
	var away atomic.Bool
	return storagenode.Events{
		Connected: func(target string) {
			away.Store(false)
			log.Info("connected", "controller", target)
		},
		Disconnected: func(err error) {
			if !away.Swap(true) {
				log.Warn("no controller, trying again", "error", err)
			}
		},
		Assigned: func(s kv.Assignment, err error) {
			if err != nil {
				log.Warn("assignment refused", "sub_range", s.SubRange, "epoch", s.Epoch, "error", err)
				return
			}
			log.Debug("assigned", "sub_range", s.SubRange, "epoch", s.Epoch, "chain", fmt.Sprint(s.Chain))
		},
		Revoked: func(id kv.SubRangeID, epoch kv.Epoch, err error) {
			log.Info("revoked", "sub_range", id, "epoch", epoch, "error", err)
		},
		StateChanged: func(id kv.SubRangeID, state serverlib.State) {
			log.Debug("state", "sub_range", id, "state", state)
		},
		Failed: func(d kv.Durability, err error) {
			log.Error("engine failed", "durability", d, "error", err)
		},
	}
}
