package balance

import (
	"math"
	"slices"

	"github.com/turbokv/turbokv/kv"
)

// none stands for a member that is not among the nodes.
const none = -1

// host is a node in the model.
type host struct {
	Node
	capacity float64 // in average capacities
	fit      bool    // alive and not draining
	load     float64 // requests per second, weighted by role
	variance float64 // of load, by chance
	replicas int
	bytes    uint64
	joins    int // running plans that bring a replica
	held     []int
	ratio    float64 // load per capacity, in averages
	noise    float64 // standard deviation of ratio, by chance
}

// part is a sub-range in the model.
type part struct {
	SubRange
	chain []int // indexes of hosts
	busy  bool
}

// model is the cluster as it will be when all running plans are done.
type model struct {
	cfg     Config
	hosts   []host
	parts   []part
	average float64 // load per average capacity over fit hosts
	racks   int     // that have fit hosts
	byNode  map[kv.NodeID]int
	byID    map[kv.SubRangeID]int
}

func newModel(cfg Config, in Input) *model {
	m := &model{
		cfg: cfg, byNode: make(map[kv.NodeID]int, len(in.Nodes)),
		byID: make(map[kv.SubRangeID]int, len(in.SubRanges)),
	}
	m.addHosts(in.Nodes)
	m.parts = make([]part, len(in.SubRanges))
	for i, s := range in.SubRanges {
		m.parts[i] = part{SubRange: s, busy: s.Busy, chain: m.indexes(s.Chain)}
		m.byID[s.ID] = i
	}
	m.run(in.Running)
	for i := range m.parts {
		m.place(i, 1)
	}
	m.level()
	return m
}

func (m *model) addHosts(nodes []Node) {
	sum, fit := 0.0, 0
	racks := make(map[string]bool)
	for _, n := range nodes {
		h := host{Node: n, capacity: n.Capacity, fit: n.Alive && !n.Draining}
		if h.capacity <= 0 {
			h.capacity = 1
		}
		if h.fit {
			sum, fit = sum+h.capacity, fit+1
			racks[n.Rack] = true
		}
		m.byNode[n.ID] = len(m.hosts)
		m.hosts = append(m.hosts, h)
	}
	m.racks = len(racks)
	for i := range m.hosts {
		m.hosts[i].capacity *= float64(fit) / max(sum, math.SmallestNonzeroFloat64)
	}
}

func (m *model) index(n kv.NodeID) int {
	if i, ok := m.byNode[n]; ok {
		return i
	}
	return none
}

func (m *model) indexes(c kv.Chain) []int {
	out := make([]int, len(c))
	for i, n := range c {
		out[i] = m.index(n)
	}
	return out
}

// run takes plans in progress as done.
func (m *model) run(running []Change) {
	for _, c := range running {
		if to := m.index(c.To); to != none {
			m.hosts[to].joins++
		}
		i, ok := m.byID[c.SubRange]
		if !ok {
			continue
		}
		p := &m.parts[i]
		p.busy = true
		if other, ok := m.byID[c.Other]; ok {
			m.parts[other].busy = true
		}
		p.chain = m.indexes(after(p.Chain, c))
	}
}

// after returns the chain that a change leads to.
func after(chain kv.Chain, c Change) kv.Chain {
	if len(c.Chain) > 0 {
		return c.Chain
	}
	out := slices.DeleteFunc(slices.Clone(chain), func(n kv.NodeID) bool { return n == c.From })
	if c.To != 0 && out.Position(c.To) < 0 {
		out = append(out, c.To)
	}
	return out
}

// place adds a part to its hosts (sign 1) or takes it away (sign -1).
func (m *model) place(i int, sign float64) {
	p := &m.parts[i]
	for at, h := range p.chain {
		if h == none {
			continue
		}
		load, variance := m.role(p, at, len(p.chain))
		o := &m.hosts[h]
		o.load, o.variance = o.load+sign*load, o.variance+sign*variance
		o.replicas += int(sign)
		if sign > 0 {
			o.bytes += p.Bytes
			o.held = append(o.held, i)
		} else {
			o.bytes -= min(p.Bytes, o.bytes)
			o.held = slices.DeleteFunc(o.held, func(j int) bool { return j == i })
		}
	}
}

// role returns the load of one place in a chain, and its variance by chance: the counts behind a
// rate that is smoothed over Window vary as those of a Poisson process over twice that time.
func (m *model) role(p *part, at, length int) (load, variance float64) {
	reads, writes := 0.0, m.cfg.ReplicateCost
	if at == length-1 {
		reads = 1
	}
	if at == 0 {
		writes = 1
	}
	const span = 2.0 * float64(Window) / 1e9
	return m.cfg.IdleCost + reads*p.Reads + writes*p.Writes,
		(reads*reads*p.Reads + writes*writes*p.Writes) / span
}

// level computes the average, and what hosts are compared with it.
func (m *model) level() {
	sum, capacity := 0.0, 0.0
	for i := range m.hosts {
		if m.hosts[i].fit {
			sum, capacity = sum+m.hosts[i].load, capacity+m.hosts[i].capacity
		}
	}
	m.average = sum / max(capacity, math.SmallestNonzeroFloat64)
	for i := range m.hosts {
		m.compare(i)
	}
}

// compare computes the ratio of a host, 0 in a cluster without load.
func (m *model) compare(h int) {
	if o := &m.hosts[h]; m.average > 0 {
		share := o.capacity * m.average
		o.ratio, o.noise = o.load/share, math.Sqrt(max(o.variance, 0))/share
	}
}

func (m *model) ratio(h int) float64 { return m.hosts[h].ratio }

// worst returns the ratio of the busiest fit host.
func (m *model) worst() (worst float64) {
	for h := range m.hosts {
		if m.hosts[h].fit {
			worst = max(worst, m.ratio(h))
		}
	}
	return worst
}

// shift is a change of the load of one host.
type shift struct {
	host int
	by   float64 // requests per second
}

// gain returns what shifts take off the imbalance, pessimistic about chance. Load that goes to a host
// that should get none makes it minus infinity; what such a host gives away gains nothing.
func (m *model) gain(shifts []shift) (sum float64) {
	for _, s := range shifts {
		if s.host == none || !m.hosts[s.host].fit {
			if s.by > 0 && s.host != none {
				return math.Inf(-1)
			}
			continue
		}
		h := &m.hosts[s.host]
		by := s.by / (h.capacity * m.average)
		sum -= h.capacity * (by*(2*(h.ratio-1)+by) + 2*m.cfg.Doubt*math.Abs(by)*h.noise)
	}
	return sum
}

// shifts appends to out what a new chain changes for the hosts of a part.
func (m *model) shifts(out []shift, p *part, chain []int) []shift {
	for at, h := range p.chain {
		load, _ := m.role(p, at, len(p.chain))
		out = append(out, shift{h, -load})
	}
	for at, h := range chain {
		load, _ := m.role(p, at, len(chain))
		if i := slices.IndexFunc(out, func(s shift) bool { return s.host == h }); i >= 0 {
			out[i].by += load
		} else {
			out = append(out, shift{h, load})
		}
	}
	return slices.DeleteFunc(out, func(s shift) bool { return s.by == 0 })
}

// rechain gives a part another chain.
func (m *model) rechain(i int, chain []int) {
	m.place(i, -1)
	old := m.parts[i].chain
	m.parts[i].chain = chain
	m.place(i, 1)
	for _, h := range slices.Concat(old, chain) {
		if h != none {
			m.compare(h)
		}
	}
}

// ids turns a chain of the model into one of nodes.
func (m *model) ids(chain []int) kv.Chain {
	out := make(kv.Chain, len(chain))
	for i, h := range chain {
		out[i] = m.hosts[h].ID
	}
	return out
}
