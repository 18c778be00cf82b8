package directory

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/btree"
	"github.com/turbokv/turbokv/controller/directory/placement"
	"github.com/turbokv/turbokv/kv"
)

// The reasons for which a command is refused. A refused command has changed nothing.
var (
	ErrInvalid      = errors.New("invalid argument")
	ErrExists       = errors.New("exists already")
	ErrNotFound     = errors.New("not found")
	ErrNodes        = errors.New("not enough suitable nodes")
	ErrCapacity     = errors.New("capacity of the switch exceeded")
	ErrWrongCluster = errors.New("member of another cluster")
	ErrStaleNode    = errors.New("older incarnation of a node")
	ErrNotReady     = errors.New("not ready")
	// ErrBusy: another change must come to its end first; the same command may succeed later.
	ErrBusy = errors.New("another change is in progress")
	// ErrNotFit: what the command names cannot be brought together, now or later.
	ErrNotFit = errors.New("does not fit")
)

// Limits are what the switch program can hold.
type Limits struct {
	SubRanges        int // cells of the load counters, rows of sub_range_table; id 0 is not used
	PartitionEntries int // rows of the partition table
}

// Config is what a directory must know besides its records.
type Config struct {
	Limits Limits
	// ExpectNodes is how many nodes must have said hello before the first placement; 0 stands
	// for 1.
	ExpectNodes int
	// Switches lists the names of the switches that serve requests; at least one. A node that
	// names none is attached to the first.
	Switches []string
}

// Directory is the state machine. It is not safe for concurrent use; View is.
type Directory struct {
	cfg Config
	records

	online   map[kv.NodeID]bool        // has a session now
	revision uint64                    // counts the changes of what switches must hold
	synced   map[string]uint64         // revision reached by each switch within reach
	had      map[string]uint64         // revision that each switch ever reached in this run
	publish  map[kv.KeyspaceID]pending // publications handed out and not confirmed
	told     map[membership]kv.Epoch   // revocations sent in the present session of each node

	// Revisions of changes of this run; what is older is in the first revision.
	retiredAt map[kv.SubRangeID]uint64 // from which a retired sub-range is in no switch
	changedAt map[kv.SubRangeID]uint64 // that has the present epoch
	mappedAt  map[kv.SubRangeID]uint64 // that has the present interval

	// Indexes of the records.
	forks    map[kv.SubRangeID]kv.SubRangeID // ForkOf -> the sub-range that is Unforked
	leaving  map[kv.SubRangeID]bool          // has a Former, or is retired and Pending
	waiting  map[kv.SubRangeID]bool          // Blocked or Untold
	stamped  map[kv.SubRangeID]bool          // has Stampers besides its Home
	absorbed map[kv.SubRangeID]bool          // is retired and has an Into
}

// membership names what a node may have to give up.
type membership struct {
	node     kv.NodeID
	subRange kv.SubRangeID
}

// records is what is stored, ordered by id. Copies share what they have in common.
type records struct {
	meta      Meta
	nodes     *btree.Map[kv.NodeID, Node]
	keyspaces *btree.Map[kv.KeyspaceID, Keyspace]
	subRanges *btree.Map[kv.SubRangeID, SubRange]
	retired   *btree.Map[kv.SubRangeID, Retired]
	plans     *btree.Map[uint64, Plan]
}

// pending is a publication that the driver is busy with.
type pending struct{ deletion bool }

// New returns the directory that a snapshot describes, after checking it.
func New(cfg Config, s Snapshot) (*Directory, error) {
	if len(cfg.Switches) == 0 {
		return nil, fmt.Errorf("%w: directory without a switch", ErrInvalid)
	}
	if cfg.Limits.SubRanges < 2 || cfg.Limits.PartitionEntries < 1 {
		return nil, fmt.Errorf("%w: limits %+v: room for no sub-range", ErrInvalid, cfg.Limits)
	}
	if s.Meta.ClusterID == "" {
		return nil, fmt.Errorf("%w: snapshot without a cluster id", ErrInvalid)
	}
	if int64(s.Meta.NextSubRange) > int64(cfg.Limits.SubRanges) {
		return nil, fmt.Errorf("%w: sub-range ids up to %d are in use, the switch has room for %d",
			ErrCapacity, s.Meta.NextSubRange-1, cfg.Limits.SubRanges-1)
	}
	cfg.ExpectNodes = max(cfg.ExpectNodes, 1)
	d := &Directory{
		cfg:       cfg,
		records:   load(s),
		online:    make(map[kv.NodeID]bool),
		revision:  1,
		synced:    make(map[string]uint64),
		had:       make(map[string]uint64),
		publish:   make(map[kv.KeyspaceID]pending),
		told:      make(map[membership]kv.Epoch),
		retiredAt: make(map[kv.SubRangeID]uint64),
		changedAt: make(map[kv.SubRangeID]uint64),
		mappedAt:  make(map[kv.SubRangeID]uint64),
		forks:     make(map[kv.SubRangeID]kv.SubRangeID),
		leaving:   make(map[kv.SubRangeID]bool),
		waiting:   make(map[kv.SubRangeID]bool),
		stamped:   make(map[kv.SubRangeID]bool),
		absorbed:  make(map[kv.SubRangeID]bool),
	}
	d.adopt()
	if err := d.Check(); err != nil {
		return nil, fmt.Errorf("stored directory: %w", err)
	}
	for _, s := range d.SubRanges() {
		d.index(s)
	}
	for _, r := range d.retired.Values() {
		d.indexRetired(r)
	}
	return d, nil
}

func (d *Directory) index(s SubRange) {
	if s.ForkOf != 0 {
		d.forks[s.ForkOf] = s.ID
	}
	setMember(d.leaving, s.ID, len(s.Former) > 0)
	setMember(d.waiting, s.ID, s.Blocked || s.Untold)
	setMember(d.stamped, s.ID, len(s.Stampers) > 1)
}

func (d *Directory) indexRetired(r Retired) {
	setMember(d.leaving, r.ID, len(r.Pending) > 0)
	setMember(d.absorbed, r.ID, r.Into != 0)
}

func setMember(set map[kv.SubRangeID]bool, id kv.SubRangeID, in bool) {
	if in {
		set[id] = true
	} else {
		delete(set, id)
	}
}

func load(s Snapshot) records {
	r := records{
		meta:      s.Meta,
		nodes:     new(btree.Map[kv.NodeID, Node]),
		keyspaces: new(btree.Map[kv.KeyspaceID, Keyspace]),
		subRanges: new(btree.Map[kv.SubRangeID, SubRange]),
		retired:   new(btree.Map[kv.SubRangeID, Retired]),
		plans:     new(btree.Map[uint64, Plan]),
	}
	r.meta.NextSubRange = max(r.meta.NextSubRange, 1)
	r.meta.NextKeyspace = max(r.meta.NextKeyspace, 1)
	r.meta.NextPlan = max(r.meta.NextPlan, 1)
	for _, n := range s.Nodes {
		r.nodes.Set(n.ID, n)
	}
	for _, k := range s.Keyspaces {
		r.keyspaces.Set(k.ID, k)
	}
	for _, sr := range s.SubRanges {
		r.subRanges.Set(sr.ID, sr)
	}
	for _, g := range s.Retired {
		r.retired.Set(g.ID, g)
	}
	for _, p := range s.Plans {
		r.plans.Set(p.ID, p)
	}
	return r
}

// Revision counts the changes of what switches must hold.
func (d *Directory) Revision() uint64 { return d.revision }

// View is an immutable copy of the records, safe to read anywhere.
type View struct {
	records
	Revision uint64
	Online   map[kv.NodeID]bool
}

// View returns the records as they are now, at the cost of a few words.
func (d *Directory) View() View {
	v := View{Revision: d.revision, Online: make(map[kv.NodeID]bool, len(d.online))}
	for n := range d.online {
		v.Online[n] = true
	}
	v.records = records{
		meta: d.meta, nodes: d.nodes.Copy(), keyspaces: d.keyspaces.Copy(),
		subRanges: d.subRanges.Copy(), retired: d.retired.Copy(), plans: d.plans.Copy(),
	}
	return v
}

// ClusterID is drawn once, at the first start.
func (r records) ClusterID() string { return r.meta.ClusterID }

// Nodes returns all nodes by ascending id.
func (r records) Nodes() []Node { return r.nodes.Values() }

// Keyspaces returns all keyspaces by ascending id.
func (r records) Keyspaces() []Keyspace { return r.keyspaces.Values() }

// SubRanges returns all sub-ranges by ascending id.
func (r records) SubRanges() []SubRange { return r.subRanges.Values() }

// Node returns one node.
func (r records) Node(id kv.NodeID) (Node, bool) { return r.nodes.Get(id) }

// Keyspace returns one keyspace.
func (r records) Keyspace(id kv.KeyspaceID) (Keyspace, bool) { return r.keyspaces.Get(id) }

// SubRange returns one sub-range.
func (r records) SubRange(id kv.SubRangeID) (SubRange, bool) { return r.subRanges.Get(id) }

// KeyspaceNamed returns the keyspace of that name.
func (r records) KeyspaceNamed(name string) (found Keyspace, ok bool) {
	r.keyspaces.Scan(func(_ kv.KeyspaceID, k Keyspace) bool {
		if k.Name == name {
			found, ok = k, true
		}
		return !ok
	})
	return found, ok
}

// SubRangesOf returns the sub-ranges of a keyspace in the order of their intervals.
func (r records) SubRangesOf(id kv.KeyspaceID) []SubRange {
	var out []SubRange
	r.subRanges.Scan(func(_ kv.SubRangeID, s SubRange) bool {
		if s.Keyspace == id {
			out = append(out, s)
		}
		return true
	})
	slices.SortFunc(out, func(a,
		b SubRange) int {
		return a.Interval.First.Compare(b.Interval.First)
	})
	return out
}

// Loads counts what each node carries; a learner carries a replica, but is no end of a chain.
func (r records) Loads() placement.Loads {
	loads := make(placement.Loads)
	r.subRanges.Scan(func(_ kv.SubRangeID, s SubRange) bool {
		loads.Add(s.Chain)
		if s.Learner != 0 {
			load := loads[s.Learner]
			load.Replicas++
			loads[s.Learner] = load
		}
		return true
	})
	return loads
}

// PartitionEntries counts the rows that all sub-ranges take in the partition table.
func (r records) PartitionEntries() (n int) {
	r.subRanges.Scan(func(_ kv.SubRangeID, s SubRange) bool {
		n += len(s.Interval.Cover())
		return true
	})
	return n
}

// Snapshot returns everything that is stored.
func (r records) Snapshot() Snapshot {
	return Snapshot{
		Meta: r.meta, Nodes: values(r.nodes), Keyspaces: values(r.keyspaces),
		SubRanges: values(r.subRanges), Retired: values(r.retired), Plans: values(r.plans),
	}
}

// values returns the records of one kind; nil if there are none, as a store gives them back.
func values[K cmp.Ordered, V any](m *btree.Map[K, V]) []V {
	if m.Len() == 0 {
		return nil
	}
	return m.Values()
}

// IsOnline reports whether a node has a session.
func (d *Directory) IsOnline(n kv.NodeID) bool { return d.online[n] }

// OnlineNodes counts the nodes that have a session.
func (d *Directory) OnlineNodes() int { return len(d.online) }

// UsedIDs counts the ids of sub-ranges that cannot be given out: in use, or not erased by all.
func (r records) UsedIDs() int {
	used := r.subRanges.Len()
	r.retired.Scan(func(_ kv.SubRangeID, g Retired) bool {
		if len(g.Pending) > 0 {
			used++
		}
		return true
	})
	return used
}
