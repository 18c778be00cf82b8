package differ

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
)

// finding is a difference within a case.
type finding struct {
	kind  string // "write", "frame", "order", "message" or "state"
	index int    // of the update or frame
	text  string
}

// compare returns how the real switch differs. A difference in what was written makes all that
// follows incomparable.
func (s *Subject) compare(c *Case, ours *ours, real *outcome) (found []finding) {
	for i := range c.Updates {
		a, b := ours.writes[i], real.writes[i]
		if (a == nil) != (b == nil) {
			found = append(found, finding{"write", i, fmt.Sprintf("%s\nbuilt-in: %v\n%s: %v",
				line(c.Updates[i]), a, SimpleSwitch, b)})
		}
	}
	if found != nil {
		return found
	}
	for i := range c.Frames {
		f, differs := ours.frame(i, real.frames[i])
		if differs && (f.kind != "order" || !s.races()) {
			found = append(found, f)
		}
	}
	if s.clocked() || found != nil {
		return found
	}
	if d := lineDiff(ours.heard, real.heard); d != "" {
		found = append(found, finding{"message", -1, d})
	}
	if d := lineDiff(ours.state, real.state); d != "" && real.state != nil {
		found = append(found, finding{"state", -1, d})
	}
	return found
}

// frame compares what one frame has caused.
func (o *ours) frame(i int, real []Frame) (finding, bool) {
	mine := byPort(o.frames[i])
	var others []map[uint16][][]byte
	for _, v := range o.others {
		others = append(others, byPort(v[i]))
	}
	theirs := byPort(real)
	if !sameShape(mine, others) {
		return finding{}, false
	}
	text := fmt.Sprintf("built-in: %s\n%s: %s", describe(o.frames[i]), SimpleSwitch, describe(real))
	kind := ""
	for _, port := range union(mine, theirs) {
		masked := maskFor(port, mine, others)
		if equalFrames(mine[port], theirs[port], masked) {
			continue
		}
		if slices.EqualFunc(sorted(mine[port]), sorted(theirs[port]), bytes.Equal) {
			kind = "order"
			continue
		}
		return finding{"frame", i, text}, true
	}
	return finding{kind, i, text}, kind != ""
}

func byPort(frames []Frame) map[uint16][][]byte {
	out := map[uint16][][]byte{}
	for _, f := range frames {
		out[f.Port] = append(out[f.Port], f.Bytes)
	}
	return out
}

func union(a, b map[uint16][][]byte) (ports []uint16) {
	for p := range a {
		ports = append(ports, p)
	}
	for p := range b {
		if a[p] == nil {
			ports = append(ports, p)
		}
	}
	slices.Sort(ports)
	return ports
}

// sameShape reports whether all variants sent frames of the same lengths to the same ports.
func sameShape(mine map[uint16][][]byte, others []map[uint16][][]byte) bool {
	sameLength := func(a, b []byte) bool { return len(a) == len(b) }
	for _, o := range others {
		for _, port := range union(mine, o) {
			if !slices.EqualFunc(mine[port], o[port], sameLength) {
				return false
			}
		}
	}
	return true
}

// maskFor tells, for the frames of a port, which bytes depend on the clock or on random numbers.
func maskFor(port uint16, mine map[uint16][][]byte, others []map[uint16][][]byte) [][]bool {
	out := make([][]bool, len(mine[port]))
	for i, f := range mine[port] {
		out[i] = make([]bool, len(f))
		for k := range f {
			for _, o := range others {
				out[i][k] = out[i][k] || o[port][i][k] != f[k]
			}
		}
	}
	return out
}

func equalFrames(a, b [][]byte, masked [][]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return false
		}
		for k := range a[i] {
			if a[i][k] != b[i][k] && !masked[i][k] {
				return false
			}
		}
	}
	return true
}

func sorted(frames [][]byte) [][]byte {
	return slices.SortedFunc(slices.Values(frames), bytes.Compare)
}

func describe(frames []Frame) string {
	if len(frames) == 0 {
		return "nothing"
	}
	parts := make([]string, len(frames))
	for i, f := range frames {
		parts[i] = fmt.Sprintf("port %d %x", f.Port, f.Bytes)
	}
	return strings.Join(parts, ", ")
}

// lineDiff returns the lines that only one side has, or "".
func lineDiff(ours, real []string) string {
	count := map[string]int{}
	for _, l := range ours {
		count[l]++
	}
	for _, l := range real {
		count[l]--
	}
	var out []string
	for l, n := range count {
		switch {
		case n > 0:
			out = append(out, "built-in only: "+l)
		case n < 0:
			out = append(out, SimpleSwitch+" only: "+l)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// clockFields are fields of standard metadata that depend on time or on queues.
var clockFields = []string{"ingress_global_timestamp", "egress_global_timestamp", "enq_timestamp",
	"enq_qdepth", "deq_timedelta", "deq_qdepth", "ingress_timestamp"}

// clocked reports whether messages and counters may depend on the clock or on random numbers.
func (s *Subject) clocked() bool {
	found := false
	visitExprs(s.Program, func(e bmv2.Expr) {
		f, ok := e.(*bmv2.FieldExpr)
		if ok && f.Ref.Index >= 0 {
			found = found || slices.Contains(clockFields, f.Ref.Header.Type.Fields[f.Ref.Index].Name)
		}
	})
	return found || s.calls("modify_field_rng_uniform")
}

// Disputed tells why the switches differ on purpose in a program, or "": where simple_switch does not
// do what P4 says.
func (s *Subject) Disputed() string {
	if len(s.Program.UnionStacks) > 0 && s.calls("pop") {
		return "header unions that are popped from a stack stay valid in simple_switch"
	}
	return ""
}

// races reports whether the copies of a packet pass between the threads of simple_switch, which leaves
// their order open.
func (s *Subject) races() bool {
	return s.calls("clone_egress_pkt_to_egress") || s.calls("recirculate")
}

// calls reports whether the program has a primitive somewhere.
func (s *Subject) calls(op string) (found bool) {
	visitCalls(s.Program, func(c bmv2.Primitive) { found = found || c.Op == op })
	return found
}
