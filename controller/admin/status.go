package admin

import (
	"time"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/kv"
)

// Status is what a controller knows of its cluster.
type Status struct {
	ClusterID string
	Problems  []string // what needs an operator, in words
	Switches  []Switch
	Nodes     []Node
	Keyspaces []Keyspace
	SubRanges []SubRange
	Plans     []Plan    // in progress
	Leader    string    // name of the controller that leads
	Term      uint64    // counts leaders
	Time      time.Time // when this was true
	// JoinedBytes are those of snapshots that nodes took in to join sub-ranges, as far as they have
	// reported to this controller.
	JoinedBytes uint64
	Links       []Link // between switches
}

// Link is a cable between two switches.
type Link struct {
	A, B  string // its ends, as in s1-p4
	Up    bool   // carries frames both ways, as far as is known
	Why   string // it does not, in words
	Since time.Time
}

// Switch is one switch.
type Switch struct {
	Name             string
	Target           string // address of its P4Runtime server
	Primary          bool   // connected, and the controller may write
	Synced           bool   // holds all that the directory asks for
	Level            int    // 0: a rack; above it 1 and so on
	Carrier          bool   // the controller's own packets go through it
	Revision         uint64 // of the directory, that it holds; 0: not known
	Entries          int    // rows in its tables
	PartitionEntries int
	SubRangeEntries  int
	Hosts            int               // learned
	Updates          uint64            // written since the controller started
	PipelinePushes   uint64            // since the controller started
	Error            string            // the last one, empty when all is well
	Drops            map[string]uint64 // packets by reason, since the program was loaded
}

// Node is one storage node.
type Node struct {
	ID                     kv.NodeID
	MAC                    string
	Switch                 string
	Port                   uint32
	Persistent             bool // its engine survives a restart
	Online                 bool // has a session with the controller
	Incarnation            uint64
	Replicas, Heads, Tails int
	ReportAge              time.Duration // since its last report; negative: none yet
	State                  string        // alive, suspected, failed, draining, drained
	ReadRate, WriteRate    float64       // requests per second as tail and as head
	Load                   float64       // as the balancer counts it; 1 is the average of all nodes
	CPU                    float64       // cores used
	Bytes                  uint64        // stored
	Joining                int           // sub-ranges that it is learning
}

// SubRange is one piece of a keyspace.
type SubRange struct {
	ID                  kv.SubRangeID
	Keyspace            kv.KeyspaceID
	Interval            kv.Interval
	Epoch               kv.Epoch
	Chain               kv.Chain
	State               string      // creating, serving, degraded, unavailable, lost
	Prefixes            int         // rows of the partition table that it takes
	Reads, Writes       uint64      // requests since it was created, as far as is known
	ReadRate, WriteRate float64     // requests per second, smoothed
	Unacknowledged      []kv.NodeID // members that have not confirmed the epoch
	LostOn              []kv.NodeID // members that have lost their state
	Learner             kv.NodeID   // node that joins; 0: nobody
	Plan                uint64      // that changes it; 0: none
	Why                 string      // of a state that is not serving, in words
}

func statusOf(m *adminpb.StatusResponse) Status {
	s := Status{ClusterID: m.GetClusterId(), Problems: m.GetProblems(),
		Keyspaces: keyspacesOf(m.GetKeyspaces()), Plans: plansOf(m.GetPlans()),
		Leader: m.GetController(), Term: m.GetTerm(), Time: moment(m.GetTimeUnixMs()),
		JoinedBytes: m.GetJoinedBytes()}
	for _, l := range m.GetLinks() {
		s.Links = append(s.Links, Link{A: l.GetA(), B: l.GetB(), Up: l.GetUp(), Why: l.GetWhy(),
			Since: moment(l.GetSinceUnixMs())})
	}
	for _, sw := range m.GetSwitches() {
		s.Switches = append(s.Switches, switchOf(sw))
	}
	for _, n := range m.GetNodes() {
		s.Nodes = append(s.Nodes, nodeOf(n))
	}
	for _, r := range m.GetSubRanges() {
		s.SubRanges = append(s.SubRanges, subRangeOf(r))
	}
	return s
}

func switchOf(m *adminpb.Switch) Switch {
	return Switch{
		Name: m.GetName(), Target: m.GetTarget(), Primary: m.GetPrimary(), Synced: m.GetSynced(),
		Entries: int(m.GetEntries()), PartitionEntries: int(m.GetPartitionEntries()),
		Hosts: int(m.GetHosts()), Updates: m.GetUpdates(), PipelinePushes: m.GetPipelinePushes(),
		Error: m.GetError(), Drops: m.GetDrops(), Level: int(m.GetLevel()), Carrier: m.GetCarrier(),
		Revision: m.GetRevision(), SubRangeEntries: int(m.GetSubRangeEntries()),
	}
}

func nodeOf(m *adminpb.Node) Node {
	return Node{
		ID: kv.NodeID(m.GetId()), MAC: m.GetMac(), Switch: m.GetSwitchName(), Port: m.GetPort(),
		Persistent: m.GetPersistent(), Online: m.GetOnline(), Incarnation: m.GetIncarnation(),
		Replicas: int(m.GetReplicas()), Heads: int(m.GetHeads()), Tails: int(m.GetTails()),
		ReportAge: milliseconds(m.GetReportAgeMs()), State: m.GetState(),
		ReadRate: m.GetReadRate(), WriteRate: m.GetWriteRate(), Load: m.GetLoad(), CPU: m.GetCpu(),
		Bytes: m.GetBytes(), Joining: int(m.GetJoining()),
	}
}

func subRangeOf(m *adminpb.SubRange) SubRange {
	r := SubRange{
		ID: kv.SubRangeID(m.GetId()), Keyspace: kv.KeyspaceID(m.GetKeyspace()),
		Epoch: kv.Epoch(m.GetEpoch()), Chain: nodes(m.GetChain()), State: m.GetState(),
		Prefixes: int(m.GetPrefixes()), Reads: m.GetReads(), Writes: m.GetWrites(),
		ReadRate: m.GetReadRate(), WriteRate: m.GetWriteRate(),
		Unacknowledged: nodes(m.GetUnacknowledged()), LostOn: nodes(m.GetLostOn()),
		Learner: kv.NodeID(m.GetLearner()), Plan: m.GetPlan(), Why: m.GetWhy(),
	}
	copy(r.Interval.First[:], m.GetFirstIndexKey())
	copy(r.Interval.Last[:], m.GetLastIndexKey())
	return r
}

func nodes(ids []uint32) (out []kv.NodeID) {
	for _, id := range ids {
		out = append(out, kv.NodeID(id))
	}
	return out
}
