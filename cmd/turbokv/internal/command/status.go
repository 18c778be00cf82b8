package command

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/controller/admin"
)

func (a *app) statusCommand() *cobra.Command {
	var flags adminFlags
	var watch watchFlags
	c := &cobra.Command{
		Use:     "status",
		GroupID: groupCluster,
		Short:   "Show switches, nodes, plans, keyspaces, sub-ranges with their chains, and load",
		Long: `Show what the controller knows: switches, links between them that are down, nodes,
the plans that it carries out, keyspaces, and every sub-range with its chain from head
to tail, its epoch and its requests a second, read from the counters of the switches.
What needs an operator comes first, what is wrong with sub-ranges in one line per
keyspace. LEVEL 0 are racks; PARTITIONS and SUB-RANGES are the rows of the index that a
switch holds, see turbokv index.

With --watch again every second until ctrl-C: in place on a terminal, one block after
the other elsewhere, with --output json one object a line.`,
		Example: `  turbokv status
  turbokv status --watch
  turbokv status -o json | jq '.sub_ranges[] | select(.state != "serving")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch.on {
				return a.watchStatus(cmd.Context(), flags, watch)
			}
			return a.withAdmin(cmd.Context(), flags, func(ctx context.Context, c *admin.Client) error {
				s, err := c.Status(ctx)
				if err != nil {
					return err
				}
				out := statusOutputOf(s)
				return a.print(out, out.table)
			})
		},
	}
	flags.add(c)
	watch.add(c)
	return c
}

func (a *app) nodesCommand() *cobra.Command {
	var flags adminFlags
	c := &cobra.Command{
		Use:     "nodes",
		GroupID: groupCluster,
		Short:   "Show the storage nodes, what they carry and how busy they are",
		Long: `Show the storage nodes. LOAD is as the balancer counts it, 1.00 being the average of
all; REPORT is the time since the node last reported. States: alive, suspected (it has
been silent for a moment), failed (out of all chains that go on without it), draining,
drained (it carries nothing and may be stopped).`,
		Example: `  turbokv nodes
  turbokv nodes -o json | jq -r '.[] | select(.state == "failed") | .node'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdmin(cmd.Context(), flags, func(ctx context.Context, c *admin.Client) error {
				s, err := c.Status(ctx)
				if err != nil {
					return err
				}
				out := statusOutputOf(s)
				return a.print(out.Nodes, func(w io.Writer) error {
					return table(w, nodeHeader, out.nodeRows())
				})
			})
		},
	}
	flags.add(c)
	return c
}

// table prints all parts, one under the other.
func (s statusOutput) table(w io.Writer) error {
	s.headline(w)
	for _, p := range s.Problems {
		fmt.Fprintf(w, "PROBLEM: %s\n", shown(p))
	}
	for _, part := range []struct {
		header string
		rows   [][]string
	}{
		{switchHeader, s.switchRows()},
		{"LINK TO STATE WHY", s.linkRows()},
		{nodeHeader, s.nodeRows()},
		{planHeader, planRows(s.Plans, s.at)},
		{keyspaceHeader, keyspaceRows(s.Keyspaces)},
		{"SUB-RANGE KEYSPACE FIRST EPOCH CHAIN STATE READS/S WRITES/S READS WRITES", s.subRangeRows()},
	} {
		if len(part.rows) == 0 {
			continue
		}
		fmt.Fprintln(w)
		if err := table(w, part.header, part.rows); err != nil {
			return err
		}
	}
	return nil
}

// headline says which cluster it is, and who leads it.
func (s statusOutput) headline(w io.Writer) {
	fmt.Fprintf(w, "cluster %s", s.Cluster)
	if s.Leader != "" {
		fmt.Fprintf(w, ", controller %s", shown(s.Leader))
	}
	if s.Term != 0 {
		fmt.Fprintf(w, ", term %d", s.Term)
	}
	if len(s.Links) > 0 {
		fmt.Fprintf(w, ", %d of %d links up", len(s.Links)-len(s.linkRows()), len(s.Links))
	}
	if !s.at.IsZero() {
		fmt.Fprintf(w, ", %s", s.at.Local().Format(time.DateTime))
	}
	fmt.Fprintln(w)
}
