package command

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/dataset"
	"github.com/turbokv/turbokv/kv"
)

// recordOutput is the JSON form of a record.
type recordOutput struct {
	Key     dataset.Octets `json:"key"`
	Value   dataset.Octets `json:"value"`
	Version kv.Version     `json:"version"`
}

func (a *app) getCommand() *cobra.Command {
	var flags clientFlags
	c := &cobra.Command{
		Use:     "get KEY",
		GroupID: groupData,
		Short:   "Print the value of a record",
		Long: `Print the value of a record and a line end. With --output json, also its version, for
cas. The read is linearizable. The exit code is 3 if there is no such record. A value
that is no text is quoted on a terminal, and comes as it is through a pipe.`,
		Example: `  turbokv get greeting
  turbokv get greeting -o json
  turbokv get --hex 00ff17`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := flags.key(args[0])
			if err != nil {
				return err
			}
			return a.withClient(cmd.Context(), flags, func(client *clientlib.Client) error {
				r, err := client.Get(cmd.Context(), key)
				if err != nil {
					return err
				}
				return a.print(recordOutput{r.Key, r.Value, r.Version}, func(w io.Writer) error {
					_, err := fmt.Fprintln(w, a.show(flags, r.Value, "\n\t"))
					return err
				})
			})
		},
	}
	flags.add(c)
	return c
}
