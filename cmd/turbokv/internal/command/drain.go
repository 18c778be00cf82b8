package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

// waitPoll is the time between two looks at something that is waited for.
const waitPoll = 200 * time.Millisecond

// nodeStateOutput is the JSON form of what became of a node.
type nodeStateOutput struct {
	Node  string `json:"node"`
	State string `json:"state"`
}

// parseNode reads an argument that names a node.
func parseNode(text string) (kv.NodeID, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || kv.NodeIDOf(a) == 0 {
		return 0, usagef("node %q: must be an IPv4 address as `turbokv nodes` shows it", text)
	}
	return kv.NodeIDOf(a), nil
}

func (a *app) drainCommand() *cobra.Command {
	var flags adminFlags
	var wait bool
	c := &cobra.Command{
		Use:     "drain NODE",
		GroupID: groupCluster,
		Short:   "Move everything away from a storage node, so that it can be stopped",
		Long: `Begin to move everything away from a storage node, which gets nothing new from now on.
Its sub-ranges are served all the time. With --wait, return when it carries nothing
and may be stopped; ctrl-C ends the waiting and not the draining, which "turbokv admit"
takes back. The exit code is 5 if there are not enough other nodes.`,
		Example: `  turbokv drain 10.0.0.3 --wait`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			node, err := parseNode(args[0])
			if err != nil {
				return err
			}
			return a.withAdminUntil(cmd.Context(), flags,
				func(ctx context.Context, c *admin.Client) error { return a.drain(ctx, c, node, wait) })
		},
	}
	flags.add(c)
	c.Flags().BoolVar(&wait, "wait", false, "return when the node carries nothing")
	c.ValidArgsFunction = a.oneNode
	return c
}

func (a *app) drain(ctx context.Context, c *admin.Client, node kv.NodeID, wait bool) error {
	err := a.once(ctx, func(ctx context.Context) error { return c.Drain(ctx, node) })
	if err != nil {
		return err
	}
	if !wait {
		return a.printDone(nodeStateOutput{node.String(), "draining"})
	}
	last := -1
	err = a.await(ctx, c, func(s admin.Status) (bool, error) {
		n, ok := findNode(s, node)
		if !ok {
			return false, fmt.Errorf("node %v: %w: it has been forgotten", node, admin.ErrNotFound)
		}
		if left := n.Replicas; left != last && n.State != "drained" {
			last = left
			fmt.Fprintf(a.Err, "node %v: %s, %d sub-ranges to go\n", node, n.State, left)
		}
		if n.State == "alive" { // not if it is only suspected, or fails: it is emptied all the same
			return false, fmt.Errorf("node %v is %s: it is not being drained any more", node, n.State)
		}
		return n.State == "drained", nil
	})
	if err != nil {
		return err
	}
	return a.print(nodeStateOutput{node.String(), "drained"}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "node %v carries nothing and may be stopped\n", node)
		return err
	})
}

// once calls f within the timeout.
func (a *app) once(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return f(ctx)
}

// await looks at the status until done says so or fails. A controller that is away for no longer
// than the timeout, as during a change of leaders, does not end the wait.
func (a *app) await(
	ctx context.Context, c *admin.Client, done func(admin.Status) (bool, error),
) error {
	tick := time.NewTicker(waitPoll)
	defer tick.Stop()
	heard := time.Now()
	for {
		s, err := a.status(ctx, c)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (!away(err) || time.Since(heard) > a.timeout):
			return err
		case err == nil:
			heard = time.Now()
			if ended, err := done(s); ended || err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// away reports whether a controller may be back soon.
func away(err error) bool {
	return errors.Is(err, admin.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

func findNode(s admin.Status, id kv.NodeID) (admin.Node, bool) {
	for _, n := range s.Nodes {
		if n.ID == id {
			return n, true
		}
	}
	return admin.Node{}, false
}

func (a *app) admitCommand() *cobra.Command {
	return a.nodeOrder("admit NODE", "Make a node that is being drained an ordinary one again",
		`Take back "turbokv drain": the node is an ordinary one again and may be given something.
What has been moved away already does not come back by itself; the balancer may move
other things there.`, "alive", (*admin.Client).Admit)
}

func (a *app) forgetCommand() *cobra.Command {
	return a.nodeOrder("forget NODE", "Take a node that is gone for good out of the directory",
		`Take a node that is away and carries nothing out of the directory, as after drain and
stop. The exit code is 5 if it still has a session or carries something.`,
		"forgotten", (*admin.Client).Forget)
}

// nodeOrder is a command that is one call about one node.
func (a *app) nodeOrder(use, short, long, state string,
	call func(*admin.Client, context.Context, kv.NodeID) error,
) *cobra.Command {
	var flags adminFlags
	c := &cobra.Command{
		Use: use, GroupID: groupCluster, Short: short, Long: long, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			node, err := parseNode(args[0])
			if err != nil {
				return err
			}
			return a.withAdmin(cmd.Context(), flags, func(ctx context.Context, c *admin.Client) error {
				if err := call(c, ctx, node); err != nil {
					return err
				}
				return a.printDone(nodeStateOutput{node.String(), state})
			})
		},
	}
	flags.add(c)
	c.ValidArgsFunction = a.oneNode
	return c
}
