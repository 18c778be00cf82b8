package command

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/dataset"
	"github.com/turbokv/turbokv/kv"
)

// writeOutput is the JSON form of what a write left.
type writeOutput struct {
	Key     dataset.Octets `json:"key"`
	Version kv.Version     `json:"version"`
}

func (a *app) putCommand() *cobra.Command {
	var flags clientFlags
	c := &cobra.Command{
		Use:     "put KEY VALUE",
		GroupID: groupData,
		Short:   "Store a record",
		Long: `Store a record, replacing any other under the key, and print its version.
"-" as VALUE stands for standard input. Key and value together may have 1,248 bytes.`,
		Example: `  turbokv put greeting hello
  date | turbokv put now -`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := flags.key(args[0])
			if err != nil {
				return err
			}
			value, err := flags.value(args[1], a.In)
			if err != nil {
				return err
			}
			return a.withWriter(cmd.Context(), flags, func(client *clientlib.Client) error {
				version, err := client.Put(cmd.Context(), key, value, nil)
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

// printWrite prints the version of a record that was written.
func (a *app) printWrite(key []byte, version kv.Version) error {
	return a.print(writeOutput{key, version}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "version %d\n", version)
		return err
	})
}
