package serverlib_test

import (
	"fmt"
	"strconv"

	"github.com/turbokv/turbokv/kv"
)

// learn makes a node the learner of the sub-range, in place of another: "learn n4", or "learn" for
// nobody; "learn 8 n4" of another sub-range.
func (tr *trace) learn(args []string) {
	a := next(tr.a)
	if len(args) > 0 && args[0][0] != 'n' {
		a, args = next(tr.sub(args[0])), args[1:]
	}
	a.Learner = 0
	if len(args) > 0 {
		a.Learner = tr.chain(args)[0]
		tr.add(a.Learner)
		tr.since[a.Learner] = a.Epoch
	}
	tr.keep(a)
	tr.assign(a)
}

// promote makes the learner a member of a chain: "promote n1 n2 n4". Nodes that are named behind
// "to" are told, else all: "promote n1 n2 n4 to n2".
func (tr *trace) promote(args []string) {
	a := next(tr.a)
	told := args
	for i, word := range args {
		if word == "to" {
			args, told = args[:i], args[i+1:]
			break
		}
	}
	a.Learner, a.Chain = 0, tr.chain(args)
	tr.keep(a)
	tr.tellAll(a, told)
}

// setSince says since when a node belongs to the sub-range: "since n2 3".
func (tr *trace) setSince(args []string) {
	epoch, err := strconv.Atoi(args[1])
	if err != nil {
		tr.t.Fatal(err)
	}
	id := tr.chain(args)[0]
	tr.since[id] = kv.Epoch(epoch)
}

// hash starts the cluster again with a hash-partitioned sub-range, before anything else.
func (tr *trace) hash([]string) {
	a := tr.a
	a.Partitioner = kv.HashPartitioned
	for _, id := range a.Chain {
		if err := tr.nodes[id].server.Revoke(tr.now, subRange, a.Epoch); err != nil {
			tr.t.Fatal(err)
		}
	}
	tr.keep(a)
	tr.assign(a)
}

// puts writes many records and shows nothing of it: "puts 80".
func (tr *trace) puts(args []string) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		tr.t.Fatal(err)
	}
	shown := tr.out.Len()
	for i := range n {
		tr.request(1, "put", []string{fmt.Sprint("k", i%20), strconv.Itoa(i)})
		tr.settle()
	}
	text := tr.out.String()[:shown]
	tr.out.Reset()
	tr.out.WriteString(text)
}
