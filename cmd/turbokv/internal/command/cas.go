package command

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/kv"
)

func (a *app) casCommand() *cobra.Command {
	var flags clientFlags
	c := &cobra.Command{
		Use:     "cas KEY VERSION VALUE",
		GroupID: groupData,
		Short:   "Store a record if it has the expected version",
		Long: `Store a record if the present one has the expected version (compare and swap), and
print the new version. VERSION 0 means that there must be no record. "-" as VALUE
stands for standard input. The exit code is 4 if the version is another one.`,
		Example: `  turbokv cas lock 0 me            # create only
  turbokv get config -o json       # shows the version, say 17
  turbokv cas config 17 new-value`,
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := flags.key(args[0])
			if err != nil {
				return err
			}
			expected, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil {
				return usagef("version %q: must be a number, 0 for no record", args[1])
			}
			value, err := flags.value(args[2], a.In)
			if err != nil {
				return err
			}
			return a.withWriter(cmd.Context(), flags, func(client *clientlib.Client) error {
				version, err := client.CompareAndSwap(cmd.Context(), key, kv.Version(expected), value)
				if err != nil {
					return err
				}
				return a.printWrite(key, version)
			})
		},
	}
	flags.add(c)
	return c
}
