package directory

import (
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"

	"github.com/turbokv/turbokv/controller/directory/placement"
	"github.com/turbokv/turbokv/kv"
)

// CreateKeyspace asks for a new keyspace.
type CreateKeyspace struct {
	Name        string
	Partitioner kv.Partitioner
	Durability  kv.Durability
	Replication int // replicas per sub-range; 0: 3, or as many as nodes are known
	// SubRanges is the number of initial sub-ranges, equally long; 0: four per node, rounded up to
	// a power of two, because then each costs one row of the partition table.
	SubRanges int
	// Cuts are the first index keys of all initial sub-ranges but the first, ascending. Give them
	// instead of SubRanges when keys do not spread over the whole line, as in "user0", "user1".
	Cuts []kv.IndexKey
}

// Defaults of CreateKeyspace.
const (
	defaultReplication      = 3 // survives two failures, and one while another is repaired
	defaultSubRangesPerNode = 4 // enough to level load by moving, few enough to look at
)

// CreateKeyspace places a new keyspace and assigns its sub-ranges to their members.
func (d *Directory) CreateKeyspace(c CreateKeyspace) (Keyspace, Effects, error) {
	if err := d.checkRequest(c); err != nil {
		return Keyspace{}, Effects{}, err
	}
	id, err := d.freeKeyspaceID()
	if err != nil {
		return Keyspace{}, Effects{}, err
	}
	return d.create(id, c)
}

func (d *Directory) checkRequest(c CreateKeyspace) error {
	if err := checkName(c.Name); err != nil {
		return err
	}
	if _, taken := d.KeyspaceNamed(c.Name); taken || c.Name == kv.SystemDescriptor.Name {
		return fmt.Errorf("keyspace %q: %w", c.Name, ErrExists)
	}
	if _, ok := d.keyspaces.Get(kv.SystemKeyspace); !ok {
		return fmt.Errorf("keyspace %q: %w: the cluster waits for nodes: %d of %d are here",
			c.Name, ErrNotReady, len(d.online), d.cfg.ExpectNodes)
	}
	switch {
	case c.Partitioner != kv.RangePartitioned && c.Partitioner != kv.HashPartitioned:
		return fmt.Errorf("keyspace %q: %w: %v: must be range or hash", c.Name, ErrInvalid,
			c.Partitioner)
	case c.Durability != kv.DurabilityMemory && c.Durability != kv.DurabilitySync:
		return fmt.Errorf("keyspace %q: %w: %v: must be memory or sync", c.Name, ErrInvalid,
			c.Durability)
	case c.Replication < 0 || c.Replication > kv.MaxChain:
		return fmt.Errorf("keyspace %q: %w: replication %d: must be 1 to %d", c.Name, ErrInvalid,
			c.Replication, kv.MaxChain)
	}
	return nil
}

// create does the work for a checked request.
func (d *Directory) create(id kv.KeyspaceID, c CreateKeyspace) (Keyspace, Effects, error) {
	nodes := d.candidates(c.Durability)
	if c.Replication == 0 {
		c.Replication = min(defaultReplication, d.nodes.Len())
	}
	if len(nodes) < c.Replication {
		return Keyspace{}, Effects{}, d.tooFewNodes(c, len(nodes))
	}
	parts, err := c.intervals(len(nodes))
	if err != nil {
		return Keyspace{}, Effects{}, err
	}
	ids, err := d.freeSubRanges(c.Name, parts)
	if err != nil {
		return Keyspace{}, Effects{}, err
	}
	chains, err := placement.Place(nodes, d.rack, d.Loads(), len(parts), c.Replication)
	if err != nil {
		return Keyspace{}, Effects{}, fmt.Errorf("keyspace %q: %w: %v", c.Name, ErrNodes, err)
	}
	var e Effects
	k := Keyspace{Phase: PhaseCreating, Descriptor: kv.Descriptor{
		Name: c.Name, ID: id, Partitioner: c.Partitioner, Durability: c.Durability,
		Replication: c.Replication,
	}}
	d.putKeyspace(&e, k)
	for i, id := range ids {
		home := d.home(chains[i])
		d.begin(&e, SubRange{ID: id, Keyspace: k.ID, Interval: parts[i], Chain: chains[i],
			Home: home, Stampers: []string{home}})
	}
	if id != kv.SystemKeyspace {
		d.meta.NextKeyspace = nextKeyspace(id)
	}
	d.putMeta(&e)
	return k, e, nil
}

// begin takes an id into use and sends the first assignments. An id that is used again goes on with
// the next epoch.
func (d *Directory) begin(e *Effects, s SubRange) {
	s.Epoch = 1
	if old, ok := d.retired.Get(s.ID); ok {
		s.Epoch = old.Epoch + 1
		delete(d.retiredAt, s.ID)
		d.deleteRetired(e, old)
	}
	s.Since = make([]kv.Epoch, len(s.Chain))
	for i := range s.Since {
		s.Since[i] = s.Epoch
	}
	d.meta.NextSubRange = max(d.meta.NextSubRange, s.ID+1)
	d.putSubRange(e, s)
	d.sendAll(e, s)
}

// candidates returns the nodes that are here, are to stay, and can hold the durability.
func (d *Directory) candidates(durability kv.Durability) []kv.NodeID {
	var out []kv.NodeID
	d.nodes.Scan(func(id kv.NodeID, n Node) bool {
		if d.online[id] && !n.Draining && (n.Persistent || durability == kv.DurabilityMemory) {
			out = append(out, id)
		}
		return true
	})
	return out
}

func (d *Directory) tooFewNodes(c CreateKeyspace, have int) error {
	if c.Durability == kv.DurabilitySync && len(d.online) >= c.Replication {
		return fmt.Errorf("keyspace %q: %w: sync durability with replication %d needs as many "+
			"nodes with a persistent engine; %d of the %d connected nodes have one "+
			"(start nodes with a persistent engine, or choose memory durability)",
			c.Name, ErrNodes, c.Replication, have, len(d.online))
	}
	return fmt.Errorf("keyspace %q: %w: replication %d needs as many connected nodes: there are %d",
		c.Name, ErrNodes, c.Replication, len(d.online))
}

// intervals cuts the line as the request says.
func (c CreateKeyspace) intervals(nodes int) ([]kv.Interval, error) {
	if len(c.Cuts) > 0 {
		return c.intervalsFromCuts()
	}
	n := c.SubRanges
	if n == 0 {
		n = 1 << bits.Len(uint(nodes*defaultSubRangesPerNode-1))
	}
	if n < 0 || n > math.MaxUint16 {
		return nil, fmt.Errorf("keyspace %q: %w: %d sub-ranges: must be 1 to %d", c.Name,
			ErrInvalid, n,
			math.MaxUint16)
	}
	return cheapSplit(n), nil
}

// cutPrecision is how many bits a cut has beyond those that tell the sub-ranges apart: sub-ranges
// differ in length by less than 1/64, and cost at most a dozen rows instead of more than a hundred.
const cutPrecision = 6

// cheapSplit is kv.EvenSplit with every cut rounded down to a short prefix.
func cheapSplit(n int) []kv.Interval {
	parts := kv.EvenSplit(n)
	for i := 1; i < n; i++ {
		short := kv.Prefix{Key: parts[i].First, Len: bits.Len(uint(n-1)) + cutPrecision}
		parts[i].First = short.Interval().First
		parts[i-1].Last, _ = parts[i].First.Prev()
	}
	return parts
}

func (c CreateKeyspace) intervalsFromCuts() ([]kv.Interval, error) {
	if c.SubRanges != 0 && c.SubRanges != len(c.Cuts)+1 {
		return nil, fmt.Errorf("keyspace %q: %w: %d cuts make %d sub-ranges, not %d", c.Name,
			ErrInvalid,
			len(c.Cuts), len(c.Cuts)+1, c.SubRanges)
	}
	parts := make([]kv.Interval, 0, len(c.Cuts)+1)
	first := kv.MinIndexKey
	for _, cut := range c.Cuts {
		if !first.Less(cut) {
			return nil, fmt.Errorf("keyspace %q: %w: cut %v: cuts must ascend and be above %v",
				c.Name,
				ErrInvalid, cut, kv.MinIndexKey)
		}
		last, _ := cut.Prev()
		parts = append(parts, kv.Interval{First: first, Last: last})
		first = cut
	}
	return append(parts, kv.Interval{First: first, Last: kv.MaxIndexKey}), nil
}

// freeSubRanges returns ids for the intervals: ids never used first, then those that have been free
// for longest in number order.
func (d *Directory) freeSubRanges(name string, parts []kv.Interval) ([]kv.SubRangeID, error) {
	cost := 0
	for _, p := range parts {
		cost += len(p.Cover())
	}
	if err := d.roomFor(cost); err != nil {
		return nil, fmt.Errorf("keyspace %q: %w", name, err)
	}
	ids, err := d.freeIDs(len(parts))
	if err != nil {
		return nil, fmt.Errorf("keyspace %q: %w", name, err)
	}
	return ids, nil
}

// roomFor refuses to take more rows of the partition table than there are.
func (d *Directory) roomFor(rows int) error {
	limit := d.cfg.Limits.PartitionEntries
	if free := limit - d.PartitionEntries(); rows > free {
		return fmt.Errorf("%w: it needs %d rows of the partition table; %d of %d are free",
			ErrCapacity, rows, free, limit)
	}
	return nil
}

func (d *Directory) freeIDs(n int) ([]kv.SubRangeID, error) {
	ids := make([]kv.SubRangeID, 0, n)
	limit := kv.SubRangeID(d.cfg.Limits.SubRanges)
	for id := d.meta.NextSubRange; id < limit && len(ids) < n; id++ {
		ids = append(ids, id)
	}
	d.retired.Scan(func(id kv.SubRangeID, r Retired) bool {
		if len(r.Pending) == 0 && len(ids) < n {
			ids = append(ids, id)
		}
		return len(ids) < n
	})
	if len(ids) < n {
		return nil, fmt.Errorf("%w: it needs %d sub-range ids; %d of %d are free", ErrCapacity, n,
			len(ids), limit-1)
	}
	return ids, nil
}

// freeKeyspaceID searches from the last one given, so that ids are used again as late as possible.
func (d *Directory) freeKeyspaceID() (kv.KeyspaceID, error) {
	id := d.meta.NextKeyspace
	for range math.MaxUint16 {
		if _, taken := d.keyspaces.Get(id); !taken {
			return id, nil
		}
		id = nextKeyspace(id)
	}
	return 0, fmt.Errorf("%w: all %d keyspace ids are in use", ErrCapacity, math.MaxUint16)
}

// nextKeyspace skips the system keyspace.
func nextKeyspace(id kv.KeyspaceID) kv.KeyspaceID {
	if id == math.MaxUint16 {
		return 1
	}
	return id + 1
}

// DropKeyspace begins to drop a keyspace. It is gone from clients at once and from the nodes later.
func (d *Directory) DropKeyspace(name string) (Effects, error) {
	k, ok := d.KeyspaceNamed(name)
	switch {
	case !ok:
		return Effects{}, fmt.Errorf("keyspace %q: %w", name, ErrNotFound)
	case k.ID == kv.SystemKeyspace:
		return Effects{}, fmt.Errorf("keyspace %q: %w: the cluster needs it", name, ErrInvalid)
	case k.Phase == PhaseDropping:
		return Effects{}, nil
	}
	var e Effects
	k.Phase = PhaseDropping
	d.putKeyspace(&e, k)
	d.deletePlansOf(&e, k.ID)
	d.publishDue(&e)
	return e, nil
}

// Published confirms a Publication. It ignores one that a later command has overtaken.
func (d *Directory) Published(p Publication) Effects {
	var e Effects
	k, ok := d.keyspaces.Get(p.Descriptor.ID)
	busy, handedOut := d.publish[p.Descriptor.ID]
	if !ok || !handedOut || busy.deletion != p.Delete {
		return e
	}
	delete(d.publish, k.ID)
	switch {
	case p.Delete:
		d.retire(&e, k)
	case k.Phase == PhaseCreating:
		k.Phase = PhaseReady
		d.putKeyspace(&e, k)
	}
	d.publishDue(&e) // a drop may have come in between
	return e
}

// retire takes the sub-ranges of a keyspace that no client can find out of the switches. All who
// may hold anything of them are told when that has happened.
func (d *Directory) retire(e *Effects, k Keyspace) {
	d.revision++
	d.deletePlansOf(e, k.ID)
	for _, s := range d.SubRangesOf(k.ID) {
		d.retireOne(e, s, 0)
	}
	d.deleteKeyspace(e, k)
	d.revokeDue(e)
}

// retireOne makes a sub-range a retired one. What it had absorbed is from now on a matter of into.
func (d *Directory) retireOne(e *Effects, s SubRange, into kv.SubRangeID) {
	gone := Retired{ID: s.ID, Epoch: s.Epoch, Pending: s.nodes()}
	holds := s.Interval
	for _, f := range s.Former {
		gone.Pending = append(gone.Pending, f.Node)
		holds = holds.Hull(f.Interval)
	}
	d.deleteSubRange(e, s)
	d.putRetired(e, gone.absorbedBy(into, holds))
	d.retiredAt[s.ID] = d.revision
	for _, id := range slices.Sorted(maps.Keys(d.absorbed)) {
		if r, _ := d.retired.Get(id); r.Into == s.ID {
			d.putRetired(e, r.absorbedBy(into, r.Interval))
		}
	}
}

// absorbedBy returns r with what absorbed it; 0 if its keyspace is gone altogether.
func (r Retired) absorbedBy(into kv.SubRangeID, holds kv.Interval) Retired {
	r.Into, r.Interval = into, holds
	if into == 0 {
		r.Interval = kv.Interval{}
	}
	return r
}

// publishDue hands out every publication that has become due.
func (d *Directory) publishDue(e *Effects) {
	d.keyspaces.Scan(func(id kv.KeyspaceID, k Keyspace) bool {
		_, busy := d.publish[id]
		deletion := k.Phase == PhaseDropping
		if busy || k.Phase == PhaseReady || !deletion && !d.reachable(id) {
			return true
		}
		d.publish[id] = pending{deletion: deletion}
		e.Publications = append(e.Publications, Publication{Descriptor: k.Descriptor,
			Delete: deletion})
		return true
	})
}

// reachable reports whether requests for the whole keyspace reach their nodes from every switch within
// reach: the homes serve it, and the others know that it exists. Nobody waits for a switch out of reach:
// clients behind it go on to see the keyspaces that there were when it was lost.
func (d *Directory) reachable(id kv.KeyspaceID) bool {
	reached := d.reached()
	return !slices.ContainsFunc(d.SubRangesOf(id), func(s SubRange) bool {
		return !d.Served(s.ID) || reached < d.changed(s.ID)
	})
}
