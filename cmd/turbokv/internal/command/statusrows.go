package command

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const nodeHeader = "NODE STATE STORAGE SWITCH PORT REPLICAS HEADS TAILS JOINING LOAD READS/S " +
	"WRITES/S CPU BYTES REPORT"

const switchHeader = "SWITCH LEVEL P4RUNTIME STATE REVISION ENTRIES PARTITIONS SUB-RANGES HOSTS DROPS"

func (s statusOutput) switchRows() (rows [][]string) {
	for _, sw := range s.Switches {
		drops := uint64(0)
		for _, n := range sw.Drops {
			drops += n
		}
		rows = append(rows, []string{
			cmp.Or(shown(sw.Name), "-"), strconv.Itoa(sw.Level), sw.P4Runtime, sw.State,
			strconv.FormatUint(sw.Revision, 10), strconv.Itoa(sw.Entries), strconv.Itoa(sw.Partitions),
			strconv.Itoa(sw.SubRanges), strconv.Itoa(sw.Hosts), strconv.FormatUint(drops, 10),
		})
	}
	return rows
}

// linkRows tells only of links that are down: a tree has many. The headline counts them all.
func (s statusOutput) linkRows() (rows [][]string) {
	for _, l := range s.Links {
		if !l.Up {
			rows = append(rows, []string{shown(l.A), shown(l.B), "down", shown(l.Why)})
		}
	}
	return rows
}

func (s statusOutput) nodeRows() (rows [][]string) {
	for _, n := range s.Nodes {
		storage, age := "memory", "none"
		if n.Persistent {
			storage = "disk"
		}
		if n.ReportAge >= 0 {
			age = time.Duration(n.ReportAge * float64(time.Second)).Round(time.Millisecond).String()
		}
		rows = append(rows, []string{
			n.Node, n.state(), storage, cmp.Or(shown(n.Switch), "-"), strconv.Itoa(int(n.Port)),
			strconv.Itoa(n.Replicas), strconv.Itoa(n.Heads), strconv.Itoa(n.Tails),
			strconv.Itoa(n.Joining), fmt.Sprintf("%.2f", n.Load), fmt.Sprintf("%.0f", n.ReadRate),
			fmt.Sprintf("%.0f", n.WriteRate), fmt.Sprintf("%.2f", n.CPU), size(n.Bytes), age,
		})
	}
	return rows
}

// state is the state for people: that of a node without a session says so.
func (n nodeOutput) state() string {
	switch {
	case n.Online || n.State == "failed":
		return n.State
	case n.State == "":
		return "away"
	}
	return n.State + ",away"
}

// size prints bytes with three digits and a binary unit.
func size(bytes uint64) string {
	if bytes < 1<<10 {
		return fmt.Sprintf("%d B", bytes)
	}
	v, unit := float64(bytes), -1
	for v >= 1<<10 && unit < len("KMGTPE")-1 {
		v, unit = v/(1<<10), unit+1
	}
	return fmt.Sprintf("%.3g %ciB", v, "KMGTPE"[unit])
}

func (s statusOutput) subRangeRows() (rows [][]string) {
	for _, r := range s.SubRanges {
		chain := strings.Join(r.Chain, ">")
		if r.Learner != "" {
			chain += "+" + r.Learner
		}
		rows = append(rows, []string{
			strconv.Itoa(int(r.ID)), shown(r.Keyspace), r.First, strconv.Itoa(int(r.Epoch)),
			chain, r.State, fmt.Sprintf("%.0f", r.ReadRate), fmt.Sprintf("%.0f", r.WriteRate),
			strconv.FormatUint(r.Reads, 10), strconv.FormatUint(r.Writes, 10),
		})
	}
	return rows
}
