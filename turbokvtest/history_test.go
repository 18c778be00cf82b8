package turbokvtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// TestModelRefusesWrongHistories feeds the judge histories that no correct store can produce.
func TestModelRefusesWrongHistories(t *testing.T) {
	put := func(v string) asked { return asked{op: wire.OpPut, value: v} }
	get := asked{op: wire.OpGet}
	incr := asked{op: wire.OpIncrement, delta: 1}
	num := func(n int64) string { return string(wire.AppendNumber(nil, n)) }
	type step struct {
		in        asked
		out       told
		call, end time.Duration
	}
	for name, c := range map[string]struct {
		steps []step
		legal bool
	}{
		"read of the last write": {[]step{
			{put("a"), told{version: 1}, 0, 1}, {get, told{value: "a", version: 1}, 2, 3}}, true},
		"stale read": {[]step{
			{put("a"), told{version: 1}, 0, 1}, {put("b"), told{version: 2}, 2, 3},
			{get, told{value: "a", version: 1}, 4, 5}}, false},
		"lost write": {[]step{
			{put("a"), told{version: 1}, 0, 1}, {get, told{status: wire.StatusNotFound}, 2, 3}}, false},
		"double increment": {[]step{
			{incr, told{value: num(1), version: 1}, 0, 1}, {incr, told{value: num(3), version: 3}, 2, 3}}, false},
		"unknown write seen": {[]step{
			{put("a"), told{unknown: true}, 0, 1}, {get, told{value: "a", version: 7}, 2, 3}}, true},
		"unknown write seen, then unseen": {[]step{
			{put("a"), told{unknown: true}, 0, 1}, {get, told{value: "a", version: 7}, 2, 3},
			{get, told{status: wire.StatusNotFound}, 4, 5}}, false},
		"unknown writes unseen": {[]step{
			{put("a"), told{unknown: true}, 0, 1}, {put("b"), told{unknown: true}, 0, 1},
			{put("c"), told{version: 7}, 2, 3}, {get, told{value: "c", version: 7}, 4, 5}}, true},
		"unknown writes seen one after the other": {[]step{
			{put("a"), told{unknown: true}, 0, 1}, {incr, told{unknown: true}, 0, 1},
			{get, told{value: num(1), version: 3}, 2, 3}, {get, told{value: "a", version: 7}, 4, 5},
			{put("c"), told{version: 9}, 6, 7}}, true},
		"unknown increment counted twice": {[]step{
			{incr, told{unknown: true}, 0, 1}, {get, told{value: num(2), version: 3}, 2, 3}}, false},
		"unknown write comes back": {[]step{
			{put("a"), told{unknown: true}, 0, 1}, {get, told{value: "a", version: 2}, 2, 3},
			{put("b"), told{version: 3}, 4, 5}, {get, told{value: "a", version: 4}, 6, 7}}, false},
		"version goes back": {[]step{
			{put("a"), told{version: 5}, 0, 1}, {put("b"), told{version: 4}, 2, 3}}, false},
		"CAS against a version that never was": {[]step{
			{put("a"), told{version: 5}, 0, 1},
			{asked{op: wire.OpCAS, value: "b", version: 4}, told{version: 6}, 2, 3}}, false},
	} {
		h := newHistory()
		for _, s := range c.steps {
			h.add(0, "k", s.in, s.out, s.call, s.end)
		}
		if legal := h.check() == nil; legal != c.legal {
			t.Errorf("%s: judged legal=%v, want %v", name, legal, c.legal)
		}
	}
}

// TestManyUnknownWritesAreJudged: an order is found although any of them may have taken effect anywhere.
func TestManyUnknownWritesAreJudged(t *testing.T) {
	h := newHistory()
	for i := range 60 {
		at := time.Duration(i)
		h.add(i, "k", asked{op: wire.OpPut, value: fmt.Sprint("u", i)}, told{unknown: true}, at, at)
		v := told{value: fmt.Sprint("w", i), version: kv.Version(2*i + 1)}
		h.add(0, "k", asked{op: wire.OpPut, value: v.value}, told{version: v.version}, 2*at, 2*at+1)
		h.add(1, "k", asked{op: wire.OpGet}, v, 2*at, 2*at+3)
	}
	if err := h.check(); err != nil || h.undecided > 0 {
		t.Fatalf("%d undecided, %v", h.undecided, err)
	}
	h.add(1, "k", asked{op: wire.OpGet}, told{value: "w3", version: 7}, 500, 501)
	if err := h.check(); err == nil {
		t.Fatal("a stale read is taken")
	}
}
