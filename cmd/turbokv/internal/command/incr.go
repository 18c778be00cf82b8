package command

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/dataset"
)

// counterOutput is the JSON form of a counter.
type counterOutput struct {
	Key   dataset.Octets `json:"key"`
	Value int64          `json:"value"`
}

func (a *app) incrCommand() *cobra.Command {
	var flags clientFlags
	c := &cobra.Command{
		Use:     "incr KEY [DELTA]",
		GroupID: groupData,
		Short:   "Add to a counter",
		Long: `Add DELTA, 1 by default, to a counter and print the sum. An absent counter counts as
0. A counter is a record of 8 bytes, a big-endian signed integer; any other record is
an error. Put "--" in front of a negative DELTA.`,
		Example: `  turbokv incr visits
  turbokv incr stock -- -5`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := flags.key(args[0])
			if err != nil {
				return err
			}
			delta := int64(1)
			if len(args) == 2 {
				if delta, err = strconv.ParseInt(args[1], 10, 64); err != nil {
					return usagef("delta %q: must be an integer of 64 bits", args[1])
				}
			}
			return a.withWriter(cmd.Context(), flags, func(client *clientlib.Client) error {
				sum, err := client.Increment(cmd.Context(), key, delta)
				if err != nil {
					return err
				}
				return a.print(counterOutput{key, sum}, func(w io.Writer) error {
					_, err := fmt.Fprintln(w, sum)
					return err
				})
			})
		},
	}
	flags.add(c)
	return c
}
