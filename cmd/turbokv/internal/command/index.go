package command

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/controller/admin"
)

// indexOutput is the JSON form of what the index takes.
type indexOutput struct {
	Levels []indexLevelOutput `json:"levels"` // racks first
	// Flat is what every switch would hold if each resolved all requests.
	Flat indexRowsOutput `json:"flat"`
}

type indexLevelOutput struct {
	Level       int          `json:"level"`
	Switches    int          `json:"switches"`
	Prefixes    spreadOutput `json:"partition_entries"`
	SubRanges   spreadOutput `json:"sub_range_entries"`
	Compression float64      `json:"compression"` // flat prefixes by those of an average switch; 0: it has none
}

type spreadOutput struct {
	Min int     `json:"min"`
	Avg float64 `json:"average"`
	Max int     `json:"max"`
}

type indexRowsOutput struct {
	Prefixes  int `json:"partition_entries"`
	SubRanges int `json:"sub_range_entries"`
}

func (a *app) indexCommand() *cobra.Command {
	var flags adminFlags
	c := &cobra.Command{
		Use:     "index",
		GroupID: groupCluster,
		Short:   "Show what the index takes in the switches, level by level",
		Long: `Show what the index takes in the switches. A rack (level 0) has the detail of the
sub-ranges whose home it is, and one row per keyspace that sends all else up; the levels
above have aggregates only: which prefixes of keys lead to which switch below, in the
smallest table there is. PREFIXES are rows of the partition table, each one entry of a
TCAM; SUB-RANGES are rows of the table of chains, which are matched exactly. The line
"flat" is what every switch would hold if each resolved all requests itself, and
COMPRESSION how many times fewer prefixes an average switch has.`,
		Example: `  turbokv index
  turbokv index -o json | jq '.levels[] | .compression'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdmin(cmd.Context(), flags, func(ctx context.Context, c *admin.Client) error {
				x, err := c.Index(ctx)
				if err != nil {
					return err
				}
				out := indexOutputOf(x)
				return a.print(out, out.table)
			})
		},
	}
	flags.add(c)
	return c
}

func indexOutputOf(x admin.Index) indexOutput {
	out := indexOutput{Levels: []indexLevelOutput{}, Flat: indexRowsOutput{x.FlatPartition, x.FlatSubRanges}}
	for _, l := range x.Levels {
		out.Levels = append(out.Levels, indexLevelOutput{
			Level: l.Level, Switches: l.Switches,
			Prefixes:    spreadOutput{l.Partition.Min, l.Partition.Avg, l.Partition.Max},
			SubRanges:   spreadOutput{l.SubRanges.Min, l.SubRanges.Avg, l.SubRanges.Max},
			Compression: x.Compression(l),
		})
	}
	return out
}

func (x indexOutput) table(w io.Writer) error {
	var rows [][]string
	for _, l := range x.Levels {
		rows = append(rows, append(append([]string{strconv.Itoa(l.Level), strconv.Itoa(l.Switches)},
			append(l.Prefixes.columns(), l.SubRanges.columns()...)...), fmt.Sprintf("%.1f", l.Compression)))
	}
	flat := func(n int) []string { return spreadOutput{n, float64(n), n}.columns() }
	rows = append(rows, append(append([]string{"flat", "each"},
		append(flat(x.Flat.Prefixes), flat(x.Flat.SubRanges)...)...), "1.0"))
	return table(w, "LEVEL SWITCHES PREFIXES:MIN AVG MAX SUB-RANGES:MIN AVG MAX COMPRESSION", rows)
}

// columns are min, average and max.
func (s spreadOutput) columns() []string {
	return []string{strconv.Itoa(s.Min), fmt.Sprintf("%.1f", s.Avg), strconv.Itoa(s.Max)}
}
