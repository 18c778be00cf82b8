package trace

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/turbokv/turbokv/workload"
)

// Request is one line of a trace: Count equal requests in the same second.
type Request struct {
	Second    uint64 // time stamp, from an arbitrary origin
	Key       []byte // as recorded; valid until the next call of Next
	KeySize   int    // bytes of the key before it was anonymised
	ValueSize int    // bytes; 0 for a read that missed
	Kind      workload.OpKind
	Count     uint64 // at least 1
}

// ErrFormat marks input that is not a trace of a known layout.
var ErrFormat = errors.New("malformed trace")

// Bounds on what a line may claim, so that no damaged file makes a replay run for ever or
// allocate without limit. The largest real ones are some thousand and 1 MiB.
const (
	maxCount = 1 << 30
	maxSize  = 1 << 30
)

// kinds maps the operations of both families, in lower case, to ours.
var kinds = map[string]workload.OpKind{
	"get": workload.Read, "gets": workload.Read, "get_lease": workload.Read,
	"set": workload.Update, "set_lease": workload.Update, "add": workload.Update,
	"replace": workload.Update, "cas": workload.Update, "append": workload.Update,
	"prepend": workload.Update,
	"delete":  workload.Delete,
	"incr":    workload.Increment, "decr": workload.Increment,
}

func parseKind(op []byte) (workload.OpKind, error) {
	var lower [16]byte
	name := lower[:0]
	for _, c := range op[:min(len(op), len(lower))] {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		name = append(name, c)
	}
	if kind, ok := kinds[string(name)]; ok && len(op) <= len(lower) {
		return kind, nil
	}
	return 0, fmt.Errorf("%w: operation %.20q: must be get, gets, get_lease, set, set_lease, add, "+
		"replace, cas, append, prepend, delete, incr or decr", ErrFormat, op)
}

// parseNumber reads a decimal number from 0 to limit.
func parseNumber(column string, text []byte, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || n > limit {
		return 0, fmt.Errorf("%w: %s %.30q: must be a number from 0 to %d", ErrFormat, column, text,
			limit)
	}
	return n, nil
}
