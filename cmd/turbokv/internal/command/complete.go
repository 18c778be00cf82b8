package command

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/storagenode/engine"
	"github.com/turbokv/turbokv/workload"
)

// completionTimeout keeps a shell from hanging when the cluster is away.
const completionTimeout = time.Second

// addCompletions tells the shell what values flags may have, by the names of the flags.
func (a *app) addCompletions(root *cobra.Command) {
	choices := map[string][]string{
		"output":       {outputTable, outputJSON},
		"durability":   {kv.DurabilityMemory.String(), kv.DurabilitySync.String()},
		"partitioner":  {kv.RangePartitioned.String(), kv.HashPartitioned.String()},
		"workload":     {"A", "B", "C", "D", "E", "F"},
		"distribution": {workload.Uniform, workload.Zipfian, workload.Latest},
		"engine":       {string(engine.Pebble), string(engine.Bbolt)},
		"format":       {"csv", "jsonl"},
	}
	visit(root, func(c *cobra.Command) {
		for flag, values := range choices {
			complete(c, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
		complete(c, "keyspace", a.keyspaceNames)
		complete(c, "from", a.nodeNames)
		complete(c, "to", a.nodeNames)
	})
}

// visit calls f for a command and all below it.
func visit(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		visit(sub, f)
	}
}

// complete registers the completion of a flag, if the command has it. The flag exists and has no
// other completion, so registering cannot fail.
func complete(c *cobra.Command, flag string, f cobra.CompletionFunc) {
	if c.Flags().Lookup(flag) == nil && c.PersistentFlags().Lookup(flag) == nil {
		return
	}
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}

// keyspaceNames asks the controller; without an answer there is nothing to propose.
func (a *app) keyspaceNames(
	c *cobra.Command, _ []string, _ string,
) (names []string, directive cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
	defer cancel()
	_ = a.withAdmin(ctx, adminFlags{}, func(ctx context.Context, client *admin.Client) error {
		all, err := client.ListKeyspaces(ctx)
		for _, k := range all {
			names = append(names, k.Name)
		}
		return err
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

// statusNames proposes what can be read off the status of the cluster.
func (a *app) statusNames(
	c *cobra.Command, names func(admin.Status) []string,
) (out []string, directive cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
	defer cancel()
	_ = a.withAdmin(ctx, adminFlags{}, func(ctx context.Context, client *admin.Client) error {
		s, err := client.Status(ctx)
		out = names(s)
		return err
	})
	return out, cobra.ShellCompDirectiveNoFileComp
}

// nodeNames proposes nodes, with their states as descriptions.
func (a *app) nodeNames(
	c *cobra.Command, _ []string, _ string,
) ([]string, cobra.ShellCompDirective) {
	return a.statusNames(c, func(s admin.Status) (out []string) {
		for _, n := range s.Nodes {
			out = append(out, cobra.CompletionWithDesc(n.ID.String(), n.State))
		}
		return out
	})
}

// oneNode proposes nodes for the only argument.
func (a *app) oneNode(
	c *cobra.Command, args []string, prefix string,
) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.nodeNames(c, args, prefix)
}

// oneSubRange proposes sub-ranges for the only argument, with their first keys as descriptions.
func (a *app) oneSubRange(
	c *cobra.Command, args []string, _ string,
) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.statusNames(c, func(s admin.Status) (out []string) {
		for _, r := range s.SubRanges {
			out = append(out, cobra.CompletionWithDesc(strconv.Itoa(int(r.ID)), r.Interval.First.String()))
		}
		return out
	})
}
