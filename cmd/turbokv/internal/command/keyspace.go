package command

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

func (a *app) keyspaceCommand() *cobra.Command {
	var flags adminFlags
	c := &cobra.Command{
		Use:     "keyspace",
		GroupID: groupCluster,
		Short:   "Create, list and drop keyspaces",
		Long: `A keyspace is a set of records with one partitioner, one durability and one number of
replicas. Creating and dropping take effect at run time.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return usagef("create, list or drop?") },
	}
	flags.add(c)
	c.AddCommand(a.keyspaceCreateCommand(&flags), a.keyspaceListCommand(&flags),
		a.keyspaceDropCommand(&flags))
	return c
}

// keyspaceOutput is the JSON form of a keyspace.
type keyspaceOutput struct {
	Name        string        `json:"name"`
	ID          kv.KeyspaceID `json:"id"`
	Partitioner string        `json:"partitioner"`
	Durability  string        `json:"durability"`
	Replication int           `json:"replication"`
	SubRanges   int           `json:"sub_ranges"`
	Phase       string        `json:"phase"`
}

func keyspaceOutputOf(k admin.Keyspace) keyspaceOutput {
	return keyspaceOutput{
		Name: k.Name, ID: k.ID, Partitioner: k.Partitioner.String(), Durability: k.Durability.String(),
		Replication: k.Replication, SubRanges: k.SubRanges, Phase: k.Phase,
	}
}

// row is the form of a keyspace in a table under keyspaceHeader.
func (k keyspaceOutput) row() []string {
	return []string{
		k.Name, strconv.Itoa(int(k.ID)), k.Partitioner, k.Durability, strconv.Itoa(k.Replication),
		strconv.Itoa(k.SubRanges), k.Phase,
	}
}

const keyspaceHeader = "KEYSPACE ID PARTITIONER DURABILITY REPLICAS SUB-RANGES PHASE"

// keyspaceFlags are the options of a new keyspace.
type keyspaceFlags struct {
	partitioner string
	durability  string
	replication int
	subRanges   int
	cuts        []string
}

func (a *app) keyspaceCreateCommand(flags *adminFlags) *cobra.Command {
	var f keyspaceFlags
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a keyspace and wait until clients can use it",
		Long: `Create a keyspace and wait until clients can use it.

Partitioner "range" keeps keys in order and can be scanned; "hash" spreads any keys
evenly. The line of keys is cut into sub-ranges of equal length, or at --cut: give
cuts when keys begin alike. Durability "memory" acknowledges a write when every
replica has it in memory, "sync" when every replica has it on disk.`,
		Example: `  turbokv keyspace create users --durability sync
  turbokv keyspace create cache --partitioner hash --replication 2
  turbokv keyspace create words --cut h --cut p`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := f.spec(args[0])
			if err != nil {
				return err
			}
			return a.withAdmin(cmd.Context(), *flags, func(ctx context.Context, c *admin.Client) error {
				k, err := c.CreateKeyspace(ctx, spec)
				if err != nil {
					return err
				}
				out := keyspaceOutputOf(k)
				return a.print(out, func(w io.Writer) error {
					return table(w, keyspaceHeader, [][]string{out.row()})
				})
			})
		},
	}
	c.Flags().StringVar(&f.partitioner, "partitioner", kv.RangePartitioned.String(), "range or hash")
	c.Flags().StringVar(&f.durability, "durability", kv.DurabilityMemory.String(), "memory or sync")
	c.Flags().IntVar(&f.replication, "replication", 0,
		fmt.Sprintf("replicas of a record, 1 to %d (default: 3, or as many as there are nodes)",
			kv.MaxChain))
	c.Flags().IntVar(&f.subRanges, "sub-ranges", 0,
		"number of sub-ranges (default: chosen by the controller)")
	c.Flags().StringArrayVar(&f.cuts, "cut", nil,
		"first `key` of a sub-range, ascending; may be repeated, instead of --sub-ranges")
	return c
}

func (f keyspaceFlags) spec(name string) (spec admin.KeyspaceSpec, err error) {
	spec = admin.KeyspaceSpec{Name: name, Replication: f.replication, SubRanges: f.subRanges}
	if spec.Partitioner, err = kv.ParsePartitioner(f.partitioner); err != nil {
		return spec, usagef("%w", err)
	}
	if spec.Durability, err = kv.ParseDurability(f.durability); err != nil {
		return spec, usagef("%w", err)
	}
	for _, cut := range f.cuts {
		spec.Cuts = append(spec.Cuts, kv.RangePartitioned.IndexKey([]byte(cut)))
	}
	return spec, nil
}

func (a *app) keyspaceListCommand(flags *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all keyspaces",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdmin(cmd.Context(), *flags, func(ctx context.Context, c *admin.Client) error {
				all, err := c.ListKeyspaces(ctx)
				if err != nil {
					return err
				}
				out := make([]keyspaceOutput, 0, len(all))
				for _, k := range all {
					out = append(out, keyspaceOutputOf(k))
				}
				return a.print(out, func(w io.Writer) error { return keyspaceTable(w, out) })
			})
		},
	}
}

func keyspaceTable(w io.Writer, all []keyspaceOutput) error {
	return table(w, keyspaceHeader, keyspaceRows(all))
}

func keyspaceRows(all []keyspaceOutput) (rows [][]string) {
	for _, k := range all {
		rows = append(rows, k.row())
	}
	return rows
}

// dropOutput is the JSON form of what a drop did.
type dropOutput struct {
	Name    string `json:"name"`
	Dropped bool   `json:"dropped"`
}

func (a *app) keyspaceDropCommand(flags *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "drop NAME",
		Short: "Drop a keyspace with all its records",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), *flags, func(ctx context.Context, c *admin.Client) error {
				if err := c.DropKeyspace(ctx, args[0]); err != nil {
					return err
				}
				return a.printDone(dropOutput{Name: args[0], Dropped: true})
			})
		},
	}
}
