// Package reconcile computes how to bring a switch from what it holds to what it should hold, with
// traffic running: a pure function from two states to ordered batches of updates.
//
// P4Runtime executes the updates of one batch in any order and each by itself, so every order of
// every batch must be safe. Safe means, after every single update:
//
//   - no entry refers to a row of another table that is missing (Order says which table refers to
//     which), unless it did so before;
//   - every key of a longest-prefix-match table is served by its old or its new entry, or by none
//     when one of the two is none: never by a third one that happens to be shorter.
//
// The first rule makes phases by table. The second one makes additions come before changes, and
// these before removals; additions go from long prefixes to short ones, removals from short to
// long, and all prefixes of one batch have the same length, so that they do not overlap.
package reconcile

import (
	"cmp"
	"slices"

	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

// DefaultBatchSize is small enough for the details of all errors of a batch to fit into the 8 KiB
// of response metadata that gRPC accepts by default, with texts of some 30 bytes.
const DefaultBatchSize = 200

// Order lists the tables so that each refers only to tables before it. Tables that are not listed
// refer to none and come first.
type Order []string

// Batch is a set of updates that may be executed in any order.
type Batch []tables.Update

// Plan returns the batches that turn installed into desired, none if they are equal. Size bounds a
// batch; 0 stands for DefaultBatchSize. Entries must be normalized, and distinct by key.
func Plan(desired, installed tables.State, order Order, size int) []Batch {
	if size <= 0 {
		size = DefaultBatchSize
	}
	d := diffEntries(desired.Entries, installed.Entries)
	cut := batcher{size: size}
	cut.add(others(desired, installed)) // copies and digests have a place to go before they begin
	for rank := -1; rank < len(order); rank++ {
		cut.add(order.pick(d.inserts, rank, longestFirst))
		cut.add(order.pick(d.modifies, rank, longestFirst))
	}
	for rank := len(order) - 1; rank >= -1; rank-- {
		cut.add(order.pick(d.deletes, rank, shortestFirst))
	}
	return cut.out
}

// Count returns the number of updates in all batches.
func Count(batches []Batch) (n int) {
	for _, b := range batches {
		n += len(b)
	}
	return n
}

type difference struct{ inserts, modifies, deletes []tables.Update }

func diffEntries(desired, installed []tables.Entry) (d difference) {
	have := make(map[string]tables.Entry, len(installed))
	for _, e := range installed {
		have[e.Key()] = e
	}
	for i := range desired {
		want := &desired[i]
		key := want.Key()
		old, exists := have[key]
		delete(have, key)
		switch {
		case !exists:
			d.inserts = append(d.inserts, tables.Update{Op: tables.Insert, Entry: want})
		case !old.Equal(*want):
			d.modifies = append(d.modifies, tables.Update{Op: tables.Modify, Entry: want})
		}
	}
	for i := range installed {
		if _, left := have[installed[i].Key()]; left {
			d.deletes = append(d.deletes, tables.Update{Op: tables.Delete, Entry: &installed[i]})
		}
	}
	return d
}

// others compares what is not in tables. Nothing is ever taken away there: a session that nobody
// uses does no harm, and one that somebody else installed is not ours.
func others(desired, installed tables.State) (out []tables.Update) {
	for i := range desired.CloneSessions {
		want := &desired.CloneSessions[i]
		at := slices.IndexFunc(installed.CloneSessions, func(c tables.CloneSession) bool {
			return c.ID == want.ID
		})
		if at < 0 {
			out = append(out, tables.Update{Op: tables.Insert, CloneSession: want})
		} else if !installed.CloneSessions[at].Equal(*want) {
			out = append(out, tables.Update{Op: tables.Modify, CloneSession: want})
		}
	}
	for i := range desired.Digests {
		want := &desired.Digests[i]
		at := slices.IndexFunc(installed.Digests, func(d tables.Digest) bool {
			return d.Name == want.Name
		})
		if at < 0 {
			out = append(out, tables.Update{Op: tables.Insert, Digest: want})
		} else if installed.Digests[at] != *want {
			out = append(out, tables.Update{Op: tables.Modify, Digest: want})
		}
	}
	return out
}

// rank returns the place of a table in the order, -1 for those not listed.
func (o Order) rank(table string) int { return slices.Index(o, table) }

// pick returns the updates of one rank, sorted; among equals by key, so that plans are repeatable.
func (o Order) pick(all []tables.Update, rank int, by func(a,
	b tables.Update) int) []tables.Update {
	var out []tables.Update
	for _, u := range all {
		if o.rank(u.Entry.Table) == rank {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b tables.Update) int {
		return cmp.Or(by(a, b), cmp.Compare(a.Entry.Key(), b.Entry.Key()))
	})
	return out
}

func longestFirst(a, b tables.Update) int { return shortestFirst(b, a) }

func shortestFirst(a, b tables.Update) int {
	return cmp.Compare(a.Entry.PrefixLen(), b.Entry.PrefixLen())
}

// batcher cuts phases into batches. A phase never shares a batch with another.
type batcher struct {
	size int
	out  []Batch
}

func (b *batcher) add(phase []tables.Update) {
	var batch Batch
	for _, u := range phase {
		if len(batch) == b.size || len(batch) > 0 && prefixLen(batch[0]) != prefixLen(u) {
			b.out = append(b.out, batch)
			batch = nil
		}
		batch = append(batch, u)
	}
	if len(batch) > 0 {
		b.out = append(b.out, batch)
	}
}

func prefixLen(u tables.Update) int {
	if u.Entry == nil {
		return 0
	}
	return u.Entry.PrefixLen()
}
