package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/antihax/optional"
	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

// planFlags are common to the commands that begin a plan.
type planFlags struct {
	adminFlags
	wait bool
}

func (f *planFlags) add(c *cobra.Command) {
	f.adminFlags.add(c)
	c.Flags().BoolVar(&f.wait, "wait", false, "return when the plan has ended, and tell how")
}

func (a *app) moveCommand() *cobra.Command {
	var flags planFlags
	var from, to string
	c := &cobra.Command{
		Use:     "move SUB-RANGE",
		GroupID: groupCluster,
		Short:   "Give the place of a replica to another node",
		Long: `Begin to replace a member of the chain of a sub-range: --to joins and learns everything
while the chain serves, then --from leaves. Without --to the controller chooses the
node; without --from none leaves and the chain grows by one.`,
		Example: `  turbokv move 7 --from 10.0.0.2 --to 10.0.0.5 --wait`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := moveOpts(from, to)
			if err != nil {
				return err
			}
			return a.beginPlan(cmd.Context(), flags, args[0],
				func(ctx context.Context, c *admin.Client, id kv.SubRangeID) (admin.Plan, error) {
					return c.Move(ctx, id, opts)
				})
		},
	}
	flags.add(c)
	c.Flags().StringVar(&from, "from", "", "`node` that leaves the chain")
	c.Flags().StringVar(&to, "to", "", "`node` that joins it")
	c.ValidArgsFunction = a.oneSubRange
	return c
}

func moveOpts(from, to string) (*admin.MoveOpts, error) {
	if from == "" && to == "" {
		return nil, usagef("--from or --to must be given")
	}
	opts := &admin.MoveOpts{}
	for text, field := range map[*string]*optional.Uint32{&from: &opts.From, &to: &opts.To} {
		if *text == "" {
			continue
		}
		node, err := parseNode(*text)
		if err != nil {
			return nil, err
		}
		*field = optional.NewUint32(uint32(node))
	}
	return opts, nil
}

func (a *app) splitCommand() *cobra.Command {
	var flags planFlags
	var at string
	c := &cobra.Command{
		Use:     "split SUB-RANGE",
		GroupID: groupCluster,
		Short:   "Cut a sub-range in two",
		Long: `Begin to cut a sub-range in two, on the same nodes, while it serves. --at is the first
key of the upper half; a text like 0x80 is an index key in hexadecimal, as status
shows it, which hash-partitioned keyspaces need. Without it the controller cuts at the
median of the load.`,
		Example: `  turbokv split 7
  turbokv split 7 --at user500 --wait
  turbokv split 12 --at 0xc0`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := splitOpts(at)
			if err != nil {
				return err
			}
			return a.beginPlan(cmd.Context(), flags, args[0],
				func(ctx context.Context, c *admin.Client, id kv.SubRangeID) (admin.Plan, error) {
					return c.Split(ctx, id, opts)
				})
		},
	}
	flags.add(c)
	c.Flags().StringVar(&at, "at", "", "first `key` of the upper half (default: chosen by the load)")
	c.ValidArgsFunction = a.oneSubRange
	return c
}

func splitOpts(at string) (*admin.SplitOpts, error) {
	if at == "" {
		return nil, nil
	}
	key := kv.RangePartitioned.IndexKey([]byte(at))
	if digits, ok := strings.CutPrefix(at, "0x"); ok {
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) > kv.IndexKeySize {
			return nil, usagef("--at %q: must be a key, or 0x and up to %d hexadecimal digits, two for "+
				"each byte", at, 2*kv.IndexKeySize)
		}
		key = kv.RangePartitioned.IndexKey(b)
	}
	return &admin.SplitOpts{At: optional.NewInterface(key)}, nil
}

func (a *app) mergeCommand() *cobra.Command {
	var flags planFlags
	c := &cobra.Command{
		Use:     "merge SUB-RANGE",
		GroupID: groupCluster,
		Short:   "Join a sub-range with its upper neighbour",
		Long: `Begin to join a sub-range with its upper neighbour, while they serve. If their chains
differ, replicas are moved first. Writes to both wait for a moment at the end.`,
		Example: `  turbokv merge 7 --wait`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.beginPlan(cmd.Context(), flags, args[0],
				func(ctx context.Context, c *admin.Client, id kv.SubRangeID) (admin.Plan, error) {
					return c.Merge(ctx, id)
				})
		},
	}
	flags.add(c)
	c.ValidArgsFunction = a.oneSubRange
	return c
}

func (a *app) rebalanceCommand() *cobra.Command {
	var flags adminFlags
	var dryRun bool
	c := &cobra.Command{
		Use:     "rebalance",
		GroupID: groupCluster,
		Short:   "Make the balancer act now, or show what it would do and why",
		Long: `Make the balancer act at once, and show what it does and why. With --dry-run only show
it. The balancer also acts by itself; "turbokv plans" shows how far it is.`,
		Example: `  turbokv rebalance --dry-run`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdmin(cmd.Context(), flags, func(ctx context.Context, c *admin.Client) error {
				b, err := c.Rebalance(ctx, &admin.RebalanceOpts{DryRun: optional.NewBool(dryRun)})
				if err != nil {
					return err
				}
				out := balanceOutput{
					DryRun: dryRun, Plans: planOutputsOf(b.Plans), Reasons: append([]string{}, b.Reasons...),
				}
				return a.print(out, out.table)
			})
		},
	}
	flags.add(c)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing")
	return c
}

// beginPlan begins a plan on a sub-range, prints it and, if asked to, waits for its end.
func (a *app) beginPlan(ctx context.Context, flags planFlags, subRange string,
	begin func(context.Context, *admin.Client, kv.SubRangeID) (admin.Plan, error),
) error {
	id, err := strconv.ParseUint(subRange, 10, 32)
	if err != nil || id == 0 {
		return usagef("sub-range %q: must be a number as `turbokv status` shows it", subRange)
	}
	return a.withAdminUntil(ctx, flags.adminFlags, func(ctx context.Context, c *admin.Client) error {
		var p admin.Plan
		err := a.once(ctx, func(ctx context.Context) (err error) {
			p, err = begin(ctx, c, kv.SubRangeID(id))
			return err
		})
		if err != nil {
			return err
		}
		if flags.wait {
			return a.awaitPlan(ctx, c, p)
		}
		out := planOutputOf(p)
		return a.print(out, func(w io.Writer) error {
			return table(w, planHeader, planRows([]planOutput{out}, p.Began))
		})
	})
}

// awaitPlan waits until a plan is no longer carried out, and tells the last that was heard of it.
func (a *app) awaitPlan(ctx context.Context, c *admin.Client, p admin.Plan) error {
	last := ""
	err := a.await(ctx, c, func(s admin.Status) (bool, error) {
		for _, now := range s.Plans {
			if now.ID != p.ID {
				continue
			}
			if text := fmt.Sprintf("%s, %.0f%%", now.Step, 100*now.Progress); text != last {
				last = text
				fmt.Fprintf(a.Err, "plan %d: %s\n", p.ID, text)
			}
			return false, nil
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	end := admin.Event{Text: fmt.Sprintf("plan %d has ended", p.ID), Severity: admin.SeverityInfo}
	err = a.once(ctx, func(ctx context.Context) error {
		for e, err := range c.Events(ctx, nil) {
			if err != nil {
				return err
			}
			if e.Plan == p.ID {
				end = e
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	out := eventOutputOf(end)
	if err := a.print(out, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, shown(end.Text))
		return err
	}); err != nil {
		return err
	}
	if end.Severity != admin.SeverityInfo {
		return fmt.Errorf("plan %d did not succeed", p.ID)
	}
	return nil
}
