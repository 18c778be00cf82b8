package session

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// input and output are what porcupine sees of an operation.
type input struct {
	op       wire.Op
	key      string
	value    string
	expected kv.Version
}

type output struct {
	outcome Outcome
	status  wire.Status
	version kv.Version
	value   string
}

// register is the state of one key. version is 0 if the record is absent, and unknownVersion if
// the write that made it was not answered.
type register struct {
	value   string
	version kv.Version
}

const unknownVersion = ^kv.Version(0)

// may reports whether the register may have version v.
func (r register) may(v kv.Version) bool {
	return r.version == v || r.version == unknownVersion && v != 0
}

func (r register) absent() bool { return r.version == 0 }

// number reads the register as Increment does.
func (r register) number() (n int64, ok bool) {
	if r.absent() {
		return 0, true
	}
	return wire.Number([]byte(r.value))
}

// model is a register per key, with all states in which it may be.
var model = porcupine.NondeterministicModel{
	Partition: partitionByKey,
	Init:      func() []any { return []any{register{}} },
	Step: func(state, in, out any) []any {
		var next []any
		for _, s := range step(state.(register), in.(input), out.(output)) {
			next = append(next, s)
		}
		return next
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}

func partitionByKey(history []porcupine.Operation) [][]porcupine.Operation {
	byKey := map[string][]porcupine.Operation{}
	for _, op := range history {
		key := op.Input.(input).key
		byKey[key] = append(byKey[key], op)
	}
	out := make([][]porcupine.Operation, 0, len(byKey))
	for _, ops := range byKey {
		out = append(out, ops)
	}
	return out
}

// step returns the states in which the register may be after the operation: none if the operation
// cannot have had this outcome.
func step(s register, in input, out output) []register {
	if out.outcome == Unknown { // it was executed, or not, or its condition failed
		return append(effect(s, in, unknownVersion), s)
	}
	switch out.status {
	case wire.StatusOK:
		return stepOK(s, in, out)
	case wire.StatusNotFound:
		if s.absent() && (in.op == wire.OpGet || in.op == wire.OpDelete) {
			return []register{s}
		}
	case wire.StatusVersionMismatch:
		if s.may(out.version) && in.op == wire.OpCAS && in.expected != out.version {
			return []register{{s.value, out.version}}
		}
	case wire.StatusNotANumber:
		if _, ok := s.number(); !ok && in.op == wire.OpIncrement {
			return []register{s}
		}
	}
	return nil
}

func stepOK(s register, in input, out output) []register {
	if in.op == wire.OpGet {
		if s.absent() || s.value != out.value || !s.may(out.version) {
			return nil
		}
		return []register{{s.value, out.version}}
	}
	next := effect(s, in, out.version)
	if in.op == wire.OpIncrement && len(next) > 0 && next[0].value != out.value {
		return nil
	}
	return next
}

// effect returns the state that a write leaves if it can take effect in state s.
func effect(s register, in input, version kv.Version) []register {
	switch in.op {
	case wire.OpPut:
		return []register{{in.value, version}}
	case wire.OpCAS:
		if s.may(in.expected) {
			return []register{{in.value, version}}
		}
	case wire.OpDelete:
		if !s.absent() {
			return []register{{}}
		}
	case wire.OpIncrement:
		if n, ok := s.number(); ok {
			delta, _ := wire.Number([]byte(in.value))
			return []register{{string(wire.AppendNumber(nil, n+delta)), version}}
		}
	}
	return nil
}
