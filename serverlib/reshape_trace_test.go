package serverlib_test

import (
	"strconv"

	"github.com/turbokv/turbokv/kv"
)

// at returns the sub-range that a key belongs to.
func (tr *trace) at(key string) kv.Assignment {
	for _, a := range tr.others {
		if a.Interval.Contains(a.Partitioner.IndexKey([]byte(key))) {
			return a
		}
	}
	return tr.a
}

// sub returns the assignment of a sub-range by its number, and keep stores it.
func (tr *trace) sub(word string) kv.Assignment {
	n, err := strconv.Atoi(word)
	if err != nil {
		tr.t.Fatal(err)
	}
	if kv.SubRangeID(n) == subRange {
		return tr.a
	}
	a, ok := tr.others[kv.SubRangeID(n)]
	if !ok {
		tr.t.Fatalf("%q: no such sub-range", word)
	}
	return a
}

func (tr *trace) keep(a kv.Assignment) {
	if a.SubRange == subRange {
		tr.a = a
	} else {
		tr.others[a.SubRange] = a
	}
}

// next returns the assignment of the next epoch.
func next(a kv.Assignment) kv.Assignment {
	a.Epoch, a.Create, a.Forks, a.Absorb, a.Frozen = a.Epoch+1, false, nil, kv.Absorbed{}, false
	return a
}

// split cuts a sub-range before a key: "split 7 m 8 n1" and tells n1, and nobody else yet.
func (tr *trace) split(args []string) {
	p, q := next(tr.sub(args[0])), tr.sub(args[0])
	number, err := strconv.Atoi(args[2])
	if err != nil {
		tr.t.Fatal(err)
	}
	cut := p.Partitioner.IndexKey([]byte(args[1]))
	q.SubRange, q.Epoch, q.Create, q.Interval.First = kv.SubRangeID(number), 1, false, cut
	p.Interval.Last, _ = cut.Prev()
	p.Forks = []kv.Assignment{q}
	tr.keep(p)
	tr.keep(q)
	tr.tellAll(p, args[3:])
}

// freeze stops writes: "freeze 7 8", for the first half of a merge.
func (tr *trace) freeze(args []string) {
	for _, word := range args {
		a := next(tr.sub(word))
		a.Frozen = true
		tr.keep(a)
		tr.assign(a)
	}
}

// merge makes the second sub-range part of the first: "merge 7 8 n1 n2" and tells n1 and n2.
func (tr *trace) merge(args []string) {
	p, q := tr.sub(args[0]), tr.sub(args[1])
	into := p.Epoch
	p = next(p)
	p.Interval = p.Interval.Hull(q.Interval)
	p.Absorb = kv.Absorbed{SubRange: q.SubRange, Epoch: q.Epoch, Into: into}
	delete(tr.others, q.SubRange)
	tr.keep(p)
	tr.tellAll(p, args[2:])
}

// setChain changes the chain of any sub-range: "chain 8 n1 n3" and tells its members.
func (tr *trace) setChain(args []string) {
	a := next(tr.sub(args[0]))
	a.Chain = tr.chain(args[1:])
	tr.keep(a)
	tr.assign(a)
}

// tell gives nodes the assignment of a sub-range as it is now, again: "tell 7 n2", with fork=8 as
// the controller does to those that have not forked 8 from it yet.
func (tr *trace) tell(args []string) {
	a := tr.sub(args[0])
	if fork := option(args, "fork", 0); fork != 0 {
		a.Forks = []kv.Assignment{tr.sub(strconv.Itoa(fork))}
	}
	tr.tellAll(a, args[1:])
}

func (tr *trace) tellAll(a kv.Assignment, nodes []string) {
	for _, id := range tr.chain(nodes) {
		tr.assignTo(tr.nodes[id], a)
	}
}
