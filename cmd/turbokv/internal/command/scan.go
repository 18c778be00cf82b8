package command

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/antihax/optional"
	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/clientlib"
)

// defaultScanLimit keeps a careless scan from flooding a terminal.
const defaultScanLimit = 100

func (a *app) scanCommand() *cobra.Command {
	var flags clientFlags
	var limit int
	var keysOnly bool
	c := &cobra.Command{
		Use:     "scan [START [END]]",
		GroupID: groupData,
		Short:   "Print records in the order of their keys",
		Long: `Print the records from START, inclusive, to END, exclusive, in the order of their
keys, one a line. Without END to the end of the keyspace, without START from its
beginning. Only range-partitioned keyspaces can be scanned. With --output json, one
JSON object a line. What is no text is quoted on a terminal, and comes as it is through a
pipe.`,
		Example: `  turbokv scan
  turbokv scan user: 'user;' --limit 0
  turbokv scan -o json > records.jsonl`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 || limit > math.MaxInt32 {
				return usagef("--limit %d: must be 0 (none) to %d", limit, math.MaxInt32)
			}
			bounds := make([][]byte, 2)
			for i, text := range args {
				var err error
				if bounds[i], err = flags.octets(text); err != nil {
					return err
				}
			}
			return a.withClient(cmd.Context(), flags, func(client *clientlib.Client) error {
				opts := &clientlib.ScanOpts{Limit: optional.NewInt32(int32(limit))}
				return a.scan(cmd.Context(), client, flags, bounds, opts, keysOnly)
			})
		},
	}
	flags.add(c)
	c.Flags().IntVar(&limit, "limit", defaultScanLimit, "at most that many records; 0 for no limit")
	c.Flags().BoolVar(&keysOnly, "keys", false, "print keys only")
	return c
}

func (a *app) scan(ctx context.Context, client *clientlib.Client, flags clientFlags,
	bounds [][]byte, opts *clientlib.ScanOpts, keysOnly bool,
) error {
	lines := json.NewEncoder(a.Out)
	for r, err := range client.Scan(ctx, bounds[0], bounds[1], opts) {
		if err != nil {
			return err
		}
		switch {
		case a.output == outputJSON:
			err = lines.Encode(recordOutput{r.Key, r.Value, r.Version})
		case keysOnly:
			_, err = fmt.Fprintln(a.Out, a.show(flags, r.Key, ""))
		default:
			_, err = fmt.Fprintf(a.Out, "%s\t%s\n", a.show(flags, r.Key, ""), a.show(flags, r.Value, ""))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
