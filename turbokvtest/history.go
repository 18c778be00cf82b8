package turbokvtest

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// asked is one operation on one key as a client asked it.
type asked struct {
	op      wire.Op
	value   string     // PUT, CAS
	delta   int64      // INCREMENT
	version kv.Version // expected by CAS and DELETE
}

// told is what the client was told. An unknown outcome may take effect at any later time.
type told struct {
	unknown bool
	status  wire.Status
	value   string
	version kv.Version
}

// record is the state of one key in the model.
type record struct {
	exists bool
	value  string
	// version of the last update; unknownVersion after one whose outcome nobody was told.
	version kv.Version
}

const unknownVersion = kv.Version(math.MaxUint64)

// history collects operations by key.
type history struct {
	ops       map[string][]porcupine.Operation
	undecided int // keys whose history could be judged neither right nor wrong in time
}

func newHistory() *history { return &history{ops: map[string][]porcupine.Operation{}} }

// add notes an operation. One without an answer is given to the end of time to take effect.
func (h *history) add(client int, key string, in asked, out told, call, end time.Duration) {
	if out.unknown {
		if in.op.Class() == wire.ClassRead {
			return // says nothing
		}
		end = math.MaxInt64
	}
	h.ops[key] = append(h.ops[key], porcupine.Operation{
		ClientId: client, Input: in, Output: out, Call: int64(call), Return: int64(end),
	})
}

// moment is where a search for an order has got to.
type moment struct {
	record
	known int  // operations of known outcome so far
	fresh bool // the last operation was an update of unknown outcome, and nobody has seen it yet
}

// modelOf is a key of TurboKV as docs/PROTOCOL.md describes its operations, for a history with so many
// operations of known outcome.
func modelOf(known int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return moment{} },
		Step: func(state, input, output any) (bool, any) {
			return state.(moment).step(input.(asked), output.(told), known)
		},
		Equal: func(a, b any) bool { return a == b },
		Hash: func(state any) uint64 {
			m := state.(moment)
			return maphash.String(hashSeed, m.value) ^ uint64(m.version)*0x9e3779b97f4a7c15
		},
		DescribeOperation: describe,
	}
}

var hashSeed = maphash.MakeSeed()

func describe(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) }

// step goes on with one operation. One of unknown outcome may take effect at any time after it was
// asked, or never, so wherever nobody sees it, it may as well come after all others: only orders in
// which each of these is seen at once, or comes last, are tried. Else there were exponentially many.
func (m moment) step(in asked, out told, known int) (bool, any) {
	if m.known == known {
		return true, m // only unknown ones are left
	}
	if m.fresh && (in.op == wire.OpPut || in.op == wire.OpDelete && in.version == 0 && out.unknown) {
		return false, m
	}
	ok, next := m.record.step(in, out)
	if out.unknown {
		return next != m.record, moment{next, m.known, true}
	}
	return ok, moment{next, m.known + 1, false}
}

// step tells whether the answer is right in this state, and what the state is afterwards.
func (r record) step(in asked, out told) (bool, record) {
	if out.unknown {
		return true, r.guess(in)
	}
	switch in.op {
	case wire.OpGet:
		return r.stepGet(out)
	case wire.OpPut:
		return r.advances(out), record{true, in.value, out.version}
	case wire.OpDelete:
		return r.stepDelete(in, out)
	case wire.OpCAS:
		return r.stepCAS(in, out)
	case wire.OpIncrement:
		return r.stepIncrement(in, out)
	}
	panic(in.op)
}

// guess is the state after an update of which nobody learned whether it took place.
func (r record) guess(in asked) record {
	switch {
	case in.op == wire.OpDelete && in.version != 0 && !r.isVersion(in.version):
		return r
	case in.op == wire.OpDelete:
		return record{version: unknownVersion}
	case in.op == wire.OpCAS && !r.isVersion(in.version):
		return r
	case in.op == wire.OpIncrement:
		sum, ok := r.plus(in.delta)
		if !ok {
			return r
		}
		return record{true, sum, unknownVersion}
	}
	return record{true, in.value, unknownVersion}
}

// isVersion reports whether the record may have the version; 0 stands for absent.
func (r record) isVersion(v kv.Version) bool {
	if !r.exists || v == 0 {
		return v == 0 && !r.exists
	}
	return r.version == v || r.version == unknownVersion
}

// advances reports whether an update succeeded with a version above all before.
func (r record) advances(out told) bool {
	return out.status == wire.StatusOK && (r.version == unknownVersion || out.version > r.version)
}

func (r record) stepGet(out told) (bool, record) {
	switch out.status {
	case wire.StatusNotFound:
		return !r.exists, r
	case wire.StatusOK:
		ok := r.exists && r.value == out.value && r.isVersion(out.version)
		return ok, record{true, out.value, out.version}
	}
	return false, r
}

func (r record) stepDelete(in asked, out told) (bool, record) {
	switch out.status {
	case wire.StatusNotFound:
		return !r.exists, r
	case wire.StatusVersionMismatch:
		return r.mismatch(in, out), r
	case wire.StatusOK:
		return r.exists && (in.version == 0 || r.isVersion(in.version)), record{version: r.version}
	}
	return false, r
}

// mismatch reports whether a condition was rightly refused with the version that the record has.
func (r record) mismatch(in asked, out told) bool {
	return out.version != in.version && r.isVersion(out.version)
}

func (r record) stepCAS(in asked, out told) (bool, record) {
	switch out.status {
	case wire.StatusVersionMismatch:
		return r.mismatch(in, out), r
	case wire.StatusOK:
		return r.isVersion(in.version) && r.advances(out), record{true, in.value, out.version}
	}
	return false, r
}

func (r record) stepIncrement(in asked, out told) (bool, record) {
	sum, ok := r.plus(in.delta)
	switch out.status {
	case wire.StatusNotANumber:
		return !ok, r
	case wire.StatusOK:
		return ok && sum == out.value && r.advances(out), record{true, sum, out.version}
	}
	return false, r
}

// plus adds to a record that counts; an absent one counts from 0.
func (r record) plus(delta int64) (string, bool) {
	if !r.exists {
		return string(wire.AppendNumber(nil, delta)), true
	}
	n, ok := wire.Number([]byte(r.value))
	return string(wire.AppendNumber(nil, n+delta)), ok
}

// listing prints a history in the order in which its operations began.
func listing(ops []porcupine.Operation) string {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var s strings.Builder
	for _, o := range ops {
		fmt.Fprintf(&s, "client %d, %v to %v: %s\n", o.ClientId, time.Duration(o.Call),
			time.Duration(o.Return), describe(o.Input, o.Output))
	}
	return s.String()
}

// tighten narrows the times of operations whose version is known, so that the search for an order
// does not try those that versions rule out: who saw or made a lower version comes first. The order
// found for the narrowed times is one for the real times, and the model demands it anyway. If a time
// span becomes empty, ok is false and there is no such order.
func tighten(ops []porcupine.Operation) (out []porcupine.Operation, ok bool) {
	ops = slices.Clone(ops)
	version := func(o porcupine.Operation) kv.Version { return o.Output.(told).version }
	slices.SortStableFunc(ops, func(a, b porcupine.Operation) int {
		return cmp.Compare(version(a), version(b))
	})
	lower, higher := int64(math.MinInt64), int64(math.MaxInt64)
	eachVersion(ops, version, func(same []porcupine.Operation) {
		next := lower
		for i := range same {
			next = max(next, same[i].Call)
			same[i].Call = max(same[i].Call, lower)
		}
		lower = next
	})
	slices.Reverse(ops)
	eachVersion(ops, version, func(same []porcupine.Operation) {
		next := higher
		for i := range same {
			next = min(next, same[i].Return)
			same[i].Return = min(same[i].Return, higher)
		}
		higher = next
	})
	empty := func(o porcupine.Operation) bool { return o.Call > o.Return }
	return ops, !slices.ContainsFunc(ops, empty)
}

// eachVersion calls do for each run of operations of one known version.
func eachVersion(
	ops []porcupine.Operation, version func(porcupine.Operation) kv.Version,
	do func([]porcupine.Operation),
) {
	for len(ops) > 0 {
		v, n := version(ops[0]), 1
		for n < len(ops) && version(ops[n]) == v {
			n++
		}
		if v != 0 {
			do(ops[:n])
		}
		ops = ops[n:]
	}
}

// judgeTime bounds the search of one key's history for an order; a history that takes longer counts
// as undecided. Nearly all are decided within microseconds.
const judgeTime = 20 * time.Second

// check judges the history of every key.
func (h *history) check() error {
	for key, ops := range h.ops {
		ops, ok := tighten(ops)
		if !ok {
			return fmt.Errorf("key %q: versions contradict the times of its operations:\n%s", key, listing(ops))
		}
		known := 0
		for _, o := range ops {
			if !o.Output.(told).unknown {
				known++
			}
		}
		switch porcupine.CheckOperationsTimeout(modelOf(known), ops, judgeTime) {
		case porcupine.Illegal:
			return fmt.Errorf("key %q: no order explains its operations:\n%s", key, listing(ops))
		case porcupine.Unknown:
			h.undecided++
		}
	}
	return nil
}
