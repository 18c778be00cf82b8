package command

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/upservice"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// addOutput is the JSON form of a node that has joined.
type addOutput struct {
	Node    string `json:"node"`
	State   string `json:"state"`
	Command string `json:"command,omitempty"` // that was to be run
}

// addFlags are the options of add.
type addFlags struct {
	adminFlags
	addr string
	port uint32
}

func (a *app) addCommand() *cobra.Command {
	var flags addFlags
	c := &cobra.Command{
		Use:     "add",
		GroupID: groupCluster,
		Short:   "Add one more storage node to the running cluster",
		Long: `Add one more storage node to the running cluster, and return when it has joined. A
cluster of "turbokv up" starts it by itself. Elsewhere the command prints the
"turbokv node" command to run on the new machine, and waits for the node: adapt --port
to the switch port that the machine hangs on. The new node gets its part of the load
from the balancer, or by "turbokv move".`,
		Example: `  turbokv add
  turbokv add --admin 10.9.0.1:21590 --addr 10.0.0.9 --port 9`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdminUntil(cmd.Context(), flags.adminFlags,
				func(ctx context.Context, c *admin.Client) error { return a.add(ctx, c, flags) })
		},
	}
	flags.add(c)
	c.Flags().StringVar(&flags.addr, "addr", "",
		"IPv4 `address` of a node that is started by hand (default: the one after the highest)")
	c.Flags().Uint32Var(&flags.port, "port", 0,
		"`number` of its switch port (default: the one after the highest)")
	return c
}

func (a *app) add(ctx context.Context, c *admin.Client, f addFlags) error {
	byHand := f.address != "" || f.addr != "" || f.port != 0
	if !byHand {
		file, err := clusterfile.Read(a.clusterPath)
		if err != nil {
			return err
		}
		if file.Up != "" {
			return a.addToUp(ctx, c, file.Up)
		}
	}
	return a.addByHand(ctx, c, f)
}

// addToUp has the `turbokv up` of the cluster start the node.
func (a *app) addToUp(ctx context.Context, c *admin.Client, up string) error {
	n, err := upservice.Add(ctx, up)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddr(n.Node)
	if err != nil {
		return fmt.Errorf("turbokv up at %s: node %q: %w", up, n.Node, err)
	}
	return a.awaitNode(ctx, c, addOutput{Node: addr.String()})
}

// addByHand prints the command that starts the node.
func (a *app) addByHand(ctx context.Context, c *admin.Client, f addFlags) error {
	s, err := a.status(ctx, c)
	if err != nil {
		return err
	}
	node, port, err := f.place(s)
	if err != nil {
		return err
	}
	controller, err := a.adminAddress(f.adminFlags)
	if err != nil {
		return err
	}
	command := fmt.Sprintf("turbokv node --addr %v --port %d --controller %s --data-dir node-%v",
		netip.AddrPortFrom(node.Addr(), wire.Port), port, controller, node)
	if a.output != outputJSON {
		fmt.Fprintf(a.Out, "Run on the new machine:\n\n  %s\n\n", command)
	} else {
		fmt.Fprintln(a.Err, command)
	}
	return a.awaitNode(ctx, c, addOutput{Node: node.String(), Command: command})
}

// place chooses the address and the switch port of a new node.
func (f addFlags) place(s admin.Status) (node kv.NodeID, port uint32, err error) {
	for _, n := range s.Nodes {
		node, port = max(node, n.ID), max(port, n.Port)
	}
	node, port = node+1, port+1
	if f.addr != "" {
		if node, err = parseNode(f.addr); err != nil {
			return 0, 0, err
		}
	}
	if f.port != 0 {
		port = f.port
	}
	if len(s.Nodes) == 0 && f.addr == "" {
		return 0, 0, usagef("the cluster has no node yet: choose --addr for the first one")
	}
	if n, ok := findNode(s, node); ok && n.Online {
		return 0, 0, usagef("node %v is there already", node)
	}
	return node, port, nil
}

// awaitNode returns when a node has a session with the controller.
func (a *app) awaitNode(ctx context.Context, c *admin.Client, out addOutput) error {
	node, err := parseNode(out.Node)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "waiting for node %v to join\n", node)
	err = a.await(ctx, c, func(s admin.Status) (bool, error) {
		n, ok := findNode(s, node)
		out.State = n.State
		return ok && n.Online, nil
	})
	if err != nil {
		return err
	}
	return a.print(out, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "node %v has joined\n", node)
		return err
	})
}
