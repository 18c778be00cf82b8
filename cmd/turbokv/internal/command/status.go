package command

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

func (a *app) statusCommand() *cobra.Command {
	var flags adminFlags
	c := &cobra.Command{
		Use:     "status",
		GroupID: groupCluster,
		Short:   "Show switches, nodes, keyspaces, sub-ranges with their chains, and load",
		Long: `Show what the controller knows: switches, nodes, keyspaces, and every sub-range with
its chain from head to tail, its epoch and its requests a second, read from the
counters of the switch. What needs an operator comes first.`,
		Example: `  turbokv status
  turbokv status -o json | jq '.sub_ranges[] | select(.state != "serving")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
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
	return c
}

// statusOutput is the JSON form of a status.
type statusOutput struct {
	Cluster   string           `json:"cluster"`
	Problems  []string         `json:"problems"`
	Switches  []switchOutput   `json:"switches"`
	Nodes     []nodeOutput     `json:"nodes"`
	Keyspaces []keyspaceOutput `json:"keyspaces"`
	SubRanges []subRangeOutput `json:"sub_ranges"`
}

type switchOutput struct {
	Name       string            `json:"name"`
	P4Runtime  string            `json:"p4runtime"`
	State      string            `json:"state"`
	Entries    int               `json:"entries"`
	Partitions int               `json:"partition_entries"`
	Hosts      int               `json:"hosts"`
	Drops      map[string]uint64 `json:"drops"`
	Error      string            `json:"error,omitempty"`
}

type nodeOutput struct {
	Node       string  `json:"node"`
	Online     bool    `json:"online"`
	Persistent bool    `json:"persistent"`
	Switch     string  `json:"switch"`
	Port       uint32  `json:"port"`
	Replicas   int     `json:"replicas"`
	Heads      int     `json:"heads"`
	Tails      int     `json:"tails"`
	ReportAge  float64 `json:"report_age_seconds"` // negative: none yet
}

type subRangeOutput struct {
	ID        kv.SubRangeID `json:"id"`
	Keyspace  string        `json:"keyspace"`
	First     string        `json:"first_index_key"`
	Last      string        `json:"last_index_key"`
	Epoch     kv.Epoch      `json:"epoch"`
	Chain     []string      `json:"chain"` // head first
	State     string        `json:"state"`
	Reads     uint64        `json:"reads"`
	Writes    uint64        `json:"writes"`
	ReadRate  float64       `json:"reads_per_second"`
	WriteRate float64       `json:"writes_per_second"`
}

func statusOutputOf(s admin.Status) statusOutput {
	out := statusOutput{
		Cluster: s.ClusterID, Problems: append([]string{}, s.Problems...), Switches: []switchOutput{},
		Nodes: []nodeOutput{}, Keyspaces: []keyspaceOutput{}, SubRanges: []subRangeOutput{},
	}
	names := map[kv.KeyspaceID]string{}
	for _, k := range s.Keyspaces {
		names[k.ID] = k.Name
		out.Keyspaces = append(out.Keyspaces, keyspaceOutputOf(k))
	}
	for _, sw := range s.Switches {
		out.Switches = append(out.Switches, switchOutputOf(sw))
	}
	for _, n := range s.Nodes {
		out.Nodes = append(out.Nodes, nodeOutput{
			Node: n.ID.String(), Online: n.Online, Persistent: n.Persistent, Switch: n.Switch,
			Port: n.Port, Replicas: n.Replicas, Heads: n.Heads, Tails: n.Tails,
			ReportAge: n.ReportAge.Seconds(),
		})
	}
	for _, r := range s.SubRanges {
		out.SubRanges = append(out.SubRanges, subRangeOutputOf(r, names[r.Keyspace]))
	}
	return out
}

func switchOutputOf(s admin.Switch) switchOutput {
	state := "away"
	switch {
	case s.Primary && s.Synced:
		state = "synced"
	case s.Primary:
		state = "catching up"
	}
	return switchOutput{
		Name: s.Name, P4Runtime: s.Target, State: state, Entries: s.Entries,
		Partitions: s.PartitionEntries, Hosts: s.Hosts, Drops: s.Drops, Error: s.Error,
	}
}

func subRangeOutputOf(r admin.SubRange, keyspace string) subRangeOutput {
	out := subRangeOutput{
		ID: r.ID, Keyspace: keyspace, First: r.Interval.First.String(), Last: r.Interval.Last.String(),
		Epoch: r.Epoch, State: r.State, Reads: r.Reads, Writes: r.Writes,
		ReadRate: r.ReadRate, WriteRate: r.WriteRate,
	}
	for _, n := range r.Chain {
		out.Chain = append(out.Chain, n.String())
	}
	return out
}

// table prints all parts, one under the other.
func (s statusOutput) table(w io.Writer) error {
	fmt.Fprintf(w, "cluster %s\n", s.Cluster)
	for _, p := range s.Problems {
		fmt.Fprintf(w, "PROBLEM: %s\n", p)
	}
	for _, part := range []struct {
		header string
		rows   [][]string
	}{
		{"SWITCH P4RUNTIME STATE ENTRIES PARTITIONS HOSTS DROPS", s.switchRows()},
		{"NODE STATE STORAGE SWITCH PORT REPLICAS HEADS TAILS REPORT", s.nodeRows()},
		{keyspaceHeader, keyspaceRows(s.Keyspaces)},
		{"SUB-RANGE KEYSPACE FIRST EPOCH CHAIN STATE READS/S WRITES/S READS WRITES", s.subRangeRows()},
	} {
		fmt.Fprintln(w)
		if err := table(w, part.header, part.rows); err != nil {
			return err
		}
	}
	return nil
}

func (s statusOutput) switchRows() (rows [][]string) {
	for _, sw := range s.Switches {
		drops := uint64(0)
		for _, n := range sw.Drops {
			drops += n
		}
		rows = append(rows, []string{
			sw.Name, sw.P4Runtime, sw.State, strconv.Itoa(sw.Entries), strconv.Itoa(sw.Partitions),
			strconv.Itoa(sw.Hosts), strconv.FormatUint(drops, 10),
		})
	}
	return rows
}

func (s statusOutput) nodeRows() (rows [][]string) {
	for _, n := range s.Nodes {
		state, storage, age := "away", "memory", "none"
		if n.Online {
			state = "online"
		}
		if n.Persistent {
			storage = "disk"
		}
		if n.ReportAge >= 0 {
			age = time.Duration(n.ReportAge * float64(time.Second)).Round(time.Millisecond).String()
		}
		rows = append(rows, []string{
			n.Node, state, storage, n.Switch, strconv.Itoa(int(n.Port)), strconv.Itoa(n.Replicas),
			strconv.Itoa(n.Heads), strconv.Itoa(n.Tails), age,
		})
	}
	return rows
}

func (s statusOutput) subRangeRows() (rows [][]string) {
	for _, r := range s.SubRanges {
		rows = append(rows, []string{
			strconv.Itoa(int(r.ID)), r.Keyspace, r.First, strconv.Itoa(int(r.Epoch)),
			strings.Join(r.Chain, ">"), r.State, fmt.Sprintf("%.0f", r.ReadRate),
			fmt.Sprintf("%.0f", r.WriteRate), strconv.FormatUint(r.Reads, 10),
			strconv.FormatUint(r.Writes, 10),
		})
	}
	return rows
}
