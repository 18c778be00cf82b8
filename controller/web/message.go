package web

import (
	"encoding/hex"
	"math"
	"time"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/watch"
	"github.com/turbokv/turbokv/kv"
)

// The messages are what the page's script reads; times are Unix milliseconds.

type helloMessage struct {
	Samples []sampleMessage `json:"samples"`
	Events  []eventMessage  `json:"events"`
}

type stateMessage struct {
	At         int64             `json:"at"`
	Error      string            `json:"error,omitempty"` // why this is not of now
	Known      bool              `json:"known"`           // there was a look that saw something
	Cluster    string            `json:"cluster"`
	Controller string            `json:"controller"`
	Term       uint64            `json:"term"`
	Problems   []string          `json:"problems"`
	Switches   []switchMessage   `json:"switches"`
	Nodes      []nodeMessage     `json:"nodes"`
	Keyspaces  []keyspaceMessage `json:"keyspaces"`
	SubRanges  []subRangeMessage `json:"subRanges"`
	Plans      []planMessage     `json:"plans"`
}

type switchMessage struct {
	Name       string            `json:"name"`
	Target     string            `json:"target"`
	Level      int               `json:"level"`
	State      string            `json:"state"` // synced, catching up, away
	Entries    int               `json:"entries"`
	Partitions int               `json:"partitions"`
	SubRanges  int               `json:"subRanges"`
	Hosts      int               `json:"hosts"`
	Updates    uint64            `json:"updates"`
	Pushes     uint64            `json:"pushes"`
	Error      string            `json:"error,omitempty"`
	Drops      map[string]uint64 `json:"drops"`
}

type nodeMessage struct {
	Node     string  `json:"node"`
	State    string  `json:"state"`
	Online   bool    `json:"online"`
	Disk     bool    `json:"disk"`
	Switch   string  `json:"switch"`
	Port     uint32  `json:"port"`
	Replicas int     `json:"replicas"`
	Heads    int     `json:"heads"`
	Tails    int     `json:"tails"`
	Joining  int     `json:"joining"`
	Load     float64 `json:"load"`
	Reads    float64 `json:"reads"`
	Writes   float64 `json:"writes"`
	CPU      float64 `json:"cpu"`
	Bytes    uint64  `json:"bytes"`
}

type keyspaceMessage struct {
	ID          kv.KeyspaceID `json:"id"`
	Name        string        `json:"name"`
	Partitioner string        `json:"partitioner"`
	Durability  string        `json:"durability"`
	Replication int           `json:"replication"`
	Phase       string        `json:"phase"`
	System      bool          `json:"system"`
}

type subRangeMessage struct {
	ID       kv.SubRangeID `json:"id"`
	Keyspace kv.KeyspaceID `json:"keyspace"`
	First    string        `json:"first"` // 32 hexadecimal digits
	Last     string        `json:"last"`
	Epoch    kv.Epoch      `json:"epoch"`
	Chain    []string      `json:"chain"`
	Learner  string        `json:"learner,omitempty"`
	State    string        `json:"state"`
	Why      string        `json:"why,omitempty"`
	Plan     uint64        `json:"plan,omitempty"`
	Reads    float64       `json:"reads"` // a second
	Writes   float64       `json:"writes"`
}

type planMessage struct {
	ID       uint64        `json:"id"`
	Kind     string        `json:"kind"`
	SubRange kv.SubRangeID `json:"subRange"`
	Other    kv.SubRangeID `json:"other,omitempty"`
	From     string        `json:"from,omitempty"`
	To       string        `json:"to,omitempty"`
	Cut      string        `json:"cut,omitempty"`
	Step     string        `json:"step"`
	Progress float64       `json:"progress"`
	Why      string        `json:"why"`
	Began    int64         `json:"began,omitempty"`
}

type eventMessage struct {
	Number   uint64 `json:"number"`
	At       int64  `json:"at"`
	Severity string `json:"severity"`
	Kind     string `json:"kind"`
	Text     string `json:"text"`
}

type sampleMessage struct {
	At        int64         `json:"at"`
	Keyspaces []loadMessage `json:"keyspaces"`
}

// loadMessage is the load of a keyspace. First is left out when the sample before has the same.
type loadMessage struct {
	Keyspace kv.KeyspaceID `json:"keyspace"`
	First    []string      `json:"first,omitempty"`
	Reads    []float64     `json:"reads"`
	Writes   []float64     `json:"writes"`
}

func stateOf(l watch.Look) stateMessage {
	s := l.Status
	m := stateMessage{
		At: unix(l.At), Known: s.ClusterID != "", Cluster: s.ClusterID, Controller: s.Leader, Term: s.Term,
		Problems: append([]string{}, s.Problems...), Switches: []switchMessage{},
		Nodes: []nodeMessage{}, Keyspaces: []keyspaceMessage{}, SubRanges: []subRangeMessage{},
		Plans: []planMessage{},
	}
	if l.Err != nil {
		m.Error = l.Err.Error()
	}
	for _, sw := range s.Switches {
		m.Switches = append(m.Switches, switchOf(sw))
	}
	for _, n := range s.Nodes {
		m.Nodes = append(m.Nodes, nodeOf(n))
	}
	for _, k := range s.Keyspaces {
		m.Keyspaces = append(m.Keyspaces, keyspaceMessage{
			ID: k.ID, Name: k.Name, Partitioner: k.Partitioner.String(), Durability: k.Durability.String(),
			Replication: k.Replication, Phase: k.Phase, System: k.ID == kv.SystemKeyspace,
		})
	}
	for _, r := range s.SubRanges {
		m.SubRanges = append(m.SubRanges, subRangeOf(r))
	}
	for _, p := range s.Plans {
		m.Plans = append(m.Plans, planOf(p))
	}
	return m
}

func switchOf(s admin.Switch) switchMessage {
	state := "away"
	switch {
	case s.Primary && s.Synced:
		state = "synced"
	case s.Primary:
		state = "catching up"
	}
	return switchMessage{
		Name: s.Name, Target: s.Target, Level: s.Level, State: state, Entries: s.Entries,
		Partitions: s.PartitionEntries, SubRanges: s.SubRangeEntries, Hosts: s.Hosts, Updates: s.Updates, Pushes: s.PipelinePushes, Error: s.Error, Drops: s.Drops,
	}
}

func nodeOf(n admin.Node) nodeMessage {
	return nodeMessage{
		Node: n.ID.String(), State: n.State, Online: n.Online, Disk: n.Persistent, Switch: n.Switch,
		Port: n.Port, Replicas: n.Replicas, Heads: n.Heads, Tails: n.Tails, Joining: n.Joining,
		Load: rounded(n.Load, 100), Reads: rounded(n.ReadRate, 10), Writes: rounded(n.WriteRate, 10),
		CPU: rounded(n.CPU, 100), Bytes: n.Bytes,
	}
}

func subRangeOf(r admin.SubRange) subRangeMessage {
	m := subRangeMessage{
		ID: r.ID, Keyspace: r.Keyspace, First: hexKey(r.Interval.First), Last: hexKey(r.Interval.Last),
		Epoch: r.Epoch, Chain: []string{}, Learner: address(r.Learner), State: r.State, Why: r.Why,
		Plan: r.Plan, Reads: rounded(r.ReadRate, 10), Writes: rounded(r.WriteRate, 10),
	}
	for _, n := range r.Chain {
		m.Chain = append(m.Chain, n.String())
	}
	return m
}

func planOf(p admin.Plan) planMessage {
	m := planMessage{
		ID: p.ID, Kind: p.Kind, SubRange: p.SubRange, Other: p.Other, From: address(p.From),
		To: address(p.To), Step: p.Step, Progress: rounded(p.Progress, 1000), Why: p.Why,
		Began: unix(p.Began),
	}
	if p.Kind == admin.PlanSplit {
		m.Cut = hexKey(p.Cut)
	}
	return m
}

func eventOf(e watch.Event) eventMessage {
	return eventMessage{
		Number: e.Number, At: unix(e.Time), Severity: e.Severity, Kind: e.Kind, Text: e.Text,
	}
}

// cuts remembers how the keyspaces were cut in the last sample that was sent.
type cuts struct{ last map[kv.KeyspaceID]*watch.Cut }

func (c *cuts) sample(s watch.Sample) sampleMessage {
	m := sampleMessage{At: unix(s.At), Keyspaces: []loadMessage{}}
	now := make(map[kv.KeyspaceID]*watch.Cut)
	for _, l := range s.Keyspaces {
		load := loadMessage{
			Keyspace: l.Keyspace, Reads: allRounded(l.Reads), Writes: allRounded(l.Writes),
		}
		if c.last[l.Keyspace] != l.Cut {
			for _, first := range l.Cut.First {
				load.First = append(load.First, hexKey(first))
			}
		}
		now[l.Keyspace] = l.Cut
		m.Keyspaces = append(m.Keyspaces, load)
	}
	c.last = now
	return m
}

func hexKey(k kv.IndexKey) string { return hex.EncodeToString(k[:]) }

func address(n kv.NodeID) string {
	if n == 0 {
		return ""
	}
	return n.String()
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// rounded keeps messages short; what is no number becomes 0.
func rounded(v, per float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return math.Round(v*per) / per
}

func allRounded(all []float64) []float64 {
	out := make([]float64, len(all))
	for i, v := range all {
		out[i] = rounded(v, 10)
	}
	return out
}
