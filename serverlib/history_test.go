package serverlib_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// history is what clients saw.
type history struct {
	operations []porcupine.Operation
}

func (h *history) add(op *operation, client int, now time.Duration, p wire.Packet) {
	h.operations = append(h.operations, porcupine.Operation{
		ClientId: client, Input: op.request, Call: int64(op.called),
		Output: outcomeOf(p), Return: int64(now),
	})
}

// check judges the history: linearizable as a whole, since a scan reads many records at once, and
// no increment lost or done twice.
func (h *history) check(s *sim) {
	model := porcupine.Model{
		Init:              func() any { return storeModel{} },
		Step:              stepModel,
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %v", in, out) },
	}
	switch porcupine.CheckOperationsTimeout(model, h.operations, 20*time.Second) {
	case porcupine.Illegal:
		s.fatalf("the history of %d operations is not linearizable, stuck at\n%s", len(h.operations),
			h.stuck(model))
	case porcupine.Unknown:
		s.fatalf("the history of %d operations takes too long to judge", len(h.operations))
	}
}

// stuck describes the first operations that fit nowhere behind the longest linearizable part.
func (h *history) stuck(model porcupine.Model) (out string) {
	_, info := porcupine.CheckOperationsVerbose(model, h.operations, 20*time.Second)
	fits := map[porcupine.Operation]bool{}
	for _, part := range info.PartialLinearizationsOperations()[0] {
		if len(part) > len(fits) {
			clear(fits)
			for _, o := range part {
				fits[o] = true
			}
		}
	}
	slices.SortFunc(h.operations, func(a, b porcupine.Operation) int {
		return cmp.Compare(a.Return, b.Return)
	})
	shown := 0
	for _, o := range h.operations {
		if !fits[o] && shown < 10 {
			shown++
			out += fmt.Sprintf("client %d, %v to %v: %+v -> %v\n", o.ClientId, time.Duration(o.Call),
				time.Duration(o.Return), o.Input, o.Output)
		}
	}
	return out
}

// outcome is what a reply says.
type outcome struct {
	status  wire.Status
	version kv.Version
	text    string      // the value, the sum, or the records of a scan
	piece   kv.Interval // that a scan covers
}

func outcomeOf(p wire.Packet) outcome {
	if p.Op() == wire.OpScan {
		return outcome{text: describe(p), piece: kv.Interval{First: p.IndexKey(), Last: p.EndIndexKey()}}
	}
	return outcome{status: p.Status(), version: p.RecordVersion(), text: string(p.Payload())}
}

// storeModel is the sequential store, one record per key of counters and registers; version 0 if
// there is none.
type storeModel [5]struct {
	text    string
	version kv.Version
}

func modelIndex(key string) int {
	if key[0] == 'n' {
		return int(key[1] - '0')
	}
	return len(counters) + int(key[1]-'0')
}

// stepModel executes an operation on the model. The version that a write gets is the one it says;
// everything else must follow from the state.
func stepModel(state, in, out any) (bool, any) {
	m, r, got := state.(storeModel), in.(request), out.(outcome)
	if r.op == wire.OpScan {
		return got.text == m.scan(got.piece), m
	}
	rec := &m[modelIndex(r.key)]
	mismatch := outcome{status: wire.StatusVersionMismatch, version: rec.version}
	switch {
	case r.op == wire.OpGet && rec.version != 0:
		return got == outcome{status: wire.StatusOK, version: rec.version, text: rec.text}, m
	case r.op == wire.OpGet, r.op == wire.OpDelete && rec.version == 0:
		return got == outcome{status: wire.StatusNotFound}, m
	case r.op == wire.OpDelete && r.version != 0 && r.version != rec.version,
		r.op == wire.OpCAS && r.version != rec.version:
		return got == mismatch, m
	case r.op == wire.OpDelete:
		rec.text, rec.version = "", 0
		return got == outcome{}, m
	}
	reply := "" // of a PUT or CAS
	text := r.value
	if r.op == wire.OpIncrement {
		old, ok := wire.Number([]byte(rec.text))
		if rec.version != 0 && !ok {
			return got == outcome{status: wire.StatusNotANumber}, m
		}
		text = string(wire.AppendNumber(nil, old+r.delta))
		reply = text
	}
	ok := got.status == wire.StatusOK && got.version > rec.version && got.text == reply
	rec.text, rec.version = text, got.version
	return ok, m
}

// scan is what a scan of a piece returns.
func (m storeModel) scan(piece kv.Interval) string {
	s := "OK"
	for i, key := range modelKeys {
		if m[i].version != 0 && piece.Contains(kv.RangePartitioned.IndexKey([]byte(key))) {
			s += " " + key + "=" + m[i].text + "@" + strconv.FormatUint(uint64(m[i].version), 10)
		}
	}
	return s
}

var modelKeys = append(slices.Clone(counters), registers...)
