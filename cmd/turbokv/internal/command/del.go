package command

import (
	"github.com/antihax/optional"
	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/dataset"
)

// deleteOutput is the JSON form of what a removal did.
type deleteOutput struct {
	Key     dataset.Octets `json:"key"`
	Deleted bool           `json:"deleted"`
}

func (a *app) delCommand() *cobra.Command {
	var flags clientFlags
	var version uint64
	c := &cobra.Command{
		Use:     "del KEY",
		GroupID: groupData,
		Short:   "Remove a record",
		Long: `Remove a record. The exit code is 3 if there is none, and 4 if it does not have the
version given by --version.`,
		Example: `  turbokv del greeting
  turbokv del greeting --version 17`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := flags.key(args[0])
			if err != nil {
				return err
			}
			var opts clientlib.DeleteOpts
			if cmd.Flags().Changed("version") {
				opts.ExpectedVersion = optional.NewUint64(version)
			}
			return a.withWriter(cmd.Context(), flags, func(client *clientlib.Client) error {
				if err := client.Delete(cmd.Context(), key, &opts); err != nil {
					return err
				}
				return a.printDone(deleteOutput{Key: key, Deleted: true})
			})
		},
	}
	flags.add(c)
	c.Flags().Uint64Var(&version, "version", 0, "remove the record only if it has this `version`")
	return c
}
