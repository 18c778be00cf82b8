package serverlib_test

import (
	"cmp"
	"fmt"
	"slices"
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
		Output: describe(p), Return: int64(now),
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

// storeModel is the sequential store, one record per key of counters and registers.
type storeModel [5]struct {
	value   string
	number  int64
	numeric bool
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
	m, r, got := state.(storeModel), in.(request), out.(string)
	if r.op == wire.OpScan {
		return got == m.scan(), m
	}
	rec := &m[modelIndex(r.key)]
	version := rec.version
	failed := func(s wire.Status, v kv.Version) string {
		if v != 0 {
			return fmt.Sprintf("%v version=%d", s, v)
		}
		return s.String()
	}
	switch r.op {
	case wire.OpGet:
		if rec.version == 0 {
			return got == "NOT_FOUND", m
		}
		return got == fmt.Sprintf("OK version=%d value=%s", rec.version, m.textAt(modelIndex(r.key))), m
	case wire.OpDelete:
		switch {
		case rec.version == 0:
			return got == "NOT_FOUND", m
		case r.version != 0 && r.version != version:
			return got == failed(wire.StatusVersionMismatch, version), m
		}
		ok := got == "OK"
		*rec = storeModel{}[0]
		return ok, m
	case wire.OpCAS:
		if r.version != version {
			return got == failed(wire.StatusVersionMismatch, version), m
		}
	case wire.OpIncrement:
		if rec.version != 0 && !rec.numeric {
			return got == "NOT_A_NUMBER", m
		}
		return m.increment(modelIndex(r.key), r.delta, got)
	}
	var v kv.Version
	if n, _ := fmt.Sscanf(got, "OK version=%d", &v); n != 1 || v <= version {
		return false, m
	}
	*rec = storeModel{}[0]
	rec.value, rec.version = r.value, v
	return true, m
}

func (m storeModel) increment(at int, delta int64, got string) (bool, any) {
	var v kv.Version
	var sum int64
	rec := &m[at]
	n, _ := fmt.Sscanf(got, "OK version=%d value=%d", &v, &sum)
	if n != 2 || v <= rec.version || sum != rec.number+delta {
		return false, m
	}
	rec.number, rec.numeric, rec.version = sum, true, v
	return true, m
}

// textAt is the stored value.
func (m storeModel) textAt(i int) string {
	if m[i].numeric {
		return string(wire.AppendNumber(nil, m[i].number))
	}
	return m[i].value
}

// scan is what a scan of everything returns.
func (m storeModel) scan() string {
	s := "OK"
	for i, key := range append(append([]string{}, counters...), registers...) {
		if m[i].version != 0 {
			s += fmt.Sprintf(" %s=%s@%d", key, m.textAt(i), m[i].version)
		}
	}
	return s
}
