package command

import (
	"time"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

// statusOutput is the JSON form of a status.
type statusOutput struct {
	Cluster   string           `json:"cluster"`
	Leader    string           `json:"controller,omitempty"` // that leads
	Term      uint64           `json:"term,omitempty"`
	Time      string           `json:"time,omitempty"` // RFC 3339
	Problems  []string         `json:"problems"`
	Switches  []switchOutput   `json:"switches"`
	Links     []linkOutput     `json:"links"` // between switches
	Nodes     []nodeOutput     `json:"nodes"`
	Plans     []planOutput     `json:"plans"` // in progress
	Keyspaces []keyspaceOutput `json:"keyspaces"`
	SubRanges []subRangeOutput `json:"sub_ranges"`

	at time.Time
}

type switchOutput struct {
	Name       string            `json:"name"`
	Level      int               `json:"level"` // 0: a rack
	P4Runtime  string            `json:"p4runtime"`
	State      string            `json:"state"`    // synced, catching up, away
	Carrier    bool              `json:"carrier"`  // the controller's own packets go through it
	Revision   uint64            `json:"revision"` // of the directory, that it holds; 0: not known
	Entries    int               `json:"entries"`
	Partitions int               `json:"partition_entries"`
	SubRanges  int               `json:"sub_range_entries"`
	Hosts      int               `json:"hosts"`
	Drops      map[string]uint64 `json:"drops"`
	Error      string            `json:"error,omitempty"`
}

type linkOutput struct {
	A     string `json:"a"` // its ends, as in s1-p4
	B     string `json:"b"`
	Up    bool   `json:"up"`
	Why   string `json:"why,omitempty"`   // it is not
	Since string `json:"since,omitempty"` // RFC 3339; none: since the controller began
}

type nodeOutput struct {
	Node       string  `json:"node"`
	State      string  `json:"state"`
	Online     bool    `json:"online"`
	Persistent bool    `json:"persistent"`
	Switch     string  `json:"switch"`
	Port       uint32  `json:"port"`
	Replicas   int     `json:"replicas"`
	Heads      int     `json:"heads"`
	Tails      int     `json:"tails"`
	Joining    int     `json:"joining"` // sub-ranges that it is learning
	Load       float64 `json:"load"`    // 1 is the average of all nodes
	ReadRate   float64 `json:"reads_per_second"`
	WriteRate  float64 `json:"writes_per_second"`
	CPU        float64 `json:"cpu"` // cores used
	Bytes      uint64  `json:"bytes"`
	ReportAge  float64 `json:"report_age_seconds"` // negative: none yet
}

type subRangeOutput struct {
	ID        kv.SubRangeID `json:"id"`
	Keyspace  string        `json:"keyspace"`
	First     string        `json:"first_index_key"`
	Last      string        `json:"last_index_key"`
	Epoch     kv.Epoch      `json:"epoch"`
	Chain     []string      `json:"chain"` // head first
	Learner   string        `json:"learner,omitempty"`
	State     string        `json:"state"`
	Why       string        `json:"why,omitempty"`
	Plan      uint64        `json:"plan,omitempty"`
	Reads     uint64        `json:"reads"`
	Writes    uint64        `json:"writes"`
	ReadRate  float64       `json:"reads_per_second"`
	WriteRate float64       `json:"writes_per_second"`
}

func statusOutputOf(s admin.Status) statusOutput {
	out := statusOutput{
		Cluster: s.ClusterID, Leader: s.Leader, Term: s.Term, at: s.Time,
		Switches: []switchOutput{}, Links: []linkOutput{}, Nodes: []nodeOutput{}, Plans: planOutputsOf(s.Plans),
		Keyspaces: []keyspaceOutput{}, SubRanges: []subRangeOutput{},
	}
	if !s.Time.IsZero() {
		out.Time = s.Time.UTC().Format(time.RFC3339Nano)
	}
	names := map[kv.KeyspaceID]string{}
	for _, k := range s.Keyspaces {
		names[k.ID] = k.Name
		out.Keyspaces = append(out.Keyspaces, keyspaceOutputOf(k))
	}
	for _, sw := range s.Switches {
		out.Switches = append(out.Switches, switchOutputOf(sw))
	}
	for _, l := range s.Links {
		out.Links = append(out.Links, linkOutputOf(l))
	}
	for _, n := range s.Nodes {
		out.Nodes = append(out.Nodes, nodeOutputOf(n))
	}
	for _, r := range s.SubRanges {
		out.SubRanges = append(out.SubRanges, subRangeOutputOf(r, names[r.Keyspace]))
	}
	out.Problems = append([]string{}, s.Problems...)
	return out
}

func nodeOutputOf(n admin.Node) nodeOutput {
	return nodeOutput{
		Node: n.ID.String(), State: n.State, Online: n.Online, Persistent: n.Persistent,
		Switch: n.Switch, Port: n.Port, Replicas: n.Replicas, Heads: n.Heads, Tails: n.Tails,
		Joining: n.Joining, Load: n.Load, ReadRate: n.ReadRate, WriteRate: n.WriteRate, CPU: n.CPU,
		Bytes: n.Bytes, ReportAge: n.ReportAge.Seconds(),
	}
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
		Name: s.Name, Level: s.Level, P4Runtime: s.Target, State: state, Carrier: s.Carrier,
		Revision: s.Revision, Entries: s.Entries, Partitions: s.PartitionEntries,
		SubRanges: s.SubRangeEntries, Hosts: s.Hosts, Drops: s.Drops, Error: s.Error,
	}
}

func linkOutputOf(l admin.Link) linkOutput {
	out := linkOutput{A: l.A, B: l.B, Up: l.Up, Why: l.Why}
	if !l.Since.IsZero() {
		out.Since = l.Since.UTC().Format(time.RFC3339Nano)
	}
	return out
}

func subRangeOutputOf(r admin.SubRange, keyspace string) subRangeOutput {
	return subRangeOutput{
		ID: r.ID, Keyspace: keyspace, First: r.Interval.First.String(), Last: r.Interval.Last.String(),
		Epoch: r.Epoch, Chain: addresses(r.Chain), Learner: address(r.Learner), State: r.State,
		Why: r.Why, Plan: r.Plan, Reads: r.Reads, Writes: r.Writes, ReadRate: r.ReadRate,
		WriteRate: r.WriteRate,
	}
}

// address is the form of a node in JSON: empty for none.
func address(n kv.NodeID) string {
	if n == 0 {
		return ""
	}
	return n.String()
}

func addresses(nodes []kv.NodeID) (out []string) {
	for _, n := range nodes {
		out = append(out, address(n))
	}
	return out
}
