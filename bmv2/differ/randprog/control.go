package randprog

import (
	"fmt"
	"maps"
	"strings"
)

// Sizes of controls.
const (
	actionsPerControl = 4
	tablesPerControl  = 3
	depth             = 3
)

// control writes a control with actions, tables and a body.
func (w *writer) control(name string) {
	w.open("control %s(inout headers_t h, inout meta_t m, inout standard_metadata_t s)", name)
	if w.state {
		w.line("register<bit<33>>(%d) cells;", registerSize)
	}
	w.line("counter(%d, CounterType.packets_and_bytes) hits;", registerSize)
	w.line("direct_counter(CounterType.packets_and_bytes) rows;")
	w.line("bit<33> cell;")
	w.vars = append(w.vars, variable{name: "cell", kind: kind{width: 33}})
	w.line("bit<32> sum;")
	w.vars = append(w.vars, variable{name: "sum", kind: kind{width: 32}})
	w.valid = map[string]bool{}
	for i := range actionsPerControl {
		w.action(i)
	}
	w.line("action drop() { mark_to_drop(s); }")
	for i := range tablesPerControl {
		w.table(i)
	}
	w.open("apply")
	w.line("cell = 0;")
	w.line("sum = 0;")
	if !w.egress {
		w.line("s.egress_spec = %d;", 1+w.pick(6))
	}
	w.open("if (h.base.isValid())")
	w.valid["h.base"] = true
	w.block(10)
	for i := range tablesPerControl {
		w.apply(i)
		w.block(3)
	}
	w.copies()
	w.close("")
	w.close("")
	w.close("")
	w.vars = w.vars[:len(w.vars)-2]
}

// action writes an action with up to three parameters.
func (w *writer) action(i int) {
	var list []string
	for p := range w.pick(4) {
		v := variable{name: fmt.Sprintf("p%d", p), kind: w.anyKind()}
		v.kind.signed = false // P4Info has no signed parameters
		list = append(list, fmt.Sprintf("%v %s", v.kind, v.name))
		w.params = append(w.params, v)
	}
	w.open("action act%d(%s)", i, strings.Join(list, ", "))
	for range 1 + w.pick(4) {
		w.plain()
	}
	if !w.egress && w.pick(3) == 0 {
		w.line("s.egress_spec = %s;", w.expr(kind{width: 9}, 1))
	}
	w.close("")
	w.params = nil
}

// table writes a table with a random key.
func (w *writer) table(i int) {
	w.open("table table%d", i)
	w.open("key =")
	longest := false
	for n := range 1 + w.pick(3) {
		k := w.anyKind()
		k.signed = false
		match := w.oneOf("exact", "exact", "ternary", "range", "lpm", "optional")
		if match == "lpm" && longest {
			match = "exact"
		}
		longest = longest || match == "lpm"
		v := w.keyed(k)
		w.line("%s : %s @name(\"k%d\");", v, match, n)
	}
	w.close("")
	w.line("actions = { act0; act1; act2; act3; drop; NoAction; }")
	w.line("default_action = NoAction();")
	if i == 0 {
		w.line("counters = rows;")
	}
	w.close("")
}

// keyed returns a variable or a small expression for a key.
func (w *writer) keyed(k kind) string {
	if w.pick(3) == 0 {
		return w.oneOf("h.part0.isValid()", "h.part1.isValid()", "h.items[0].isValid()")
	}
	w.valid["h.base"] = true
	defer delete(w.valid, "h.base")
	for range 10 {
		v := w.vars[w.pick(len(w.vars))]
		if v.kind != boolean && !v.kind.signed && (v.guard == "" || v.guard == "h.base") {
			return v.name
		}
	}
	return "h.base.tag"
}

// apply writes the application of a table in one of its forms.
func (w *writer) apply(i int) {
	before := maps.Clone(w.valid)
	defer func() { w.valid = before }()
	switch w.pick(3) {
	case 0:
		w.line("table%d.apply();", i)
	case 1:
		w.open("if (table%d.apply().%s)", i, w.oneOf("hit", "miss"))
		w.block(2)
		w.close("")
	default:
		w.open("switch (table%d.apply().action_run)", i)
		w.open("act0:")
		w.block(2)
		w.valid = maps.Clone(before)
		w.close("")
		w.line("act1:")
		w.open("act2:")
		w.block(2)
		w.valid = maps.Clone(before)
		w.close("")
		w.open("default:")
		w.block(1)
		w.close("")
		w.close("")
	}
}

// block writes n statements.
func (w *writer) block(n int) {
	for range n {
		w.statement()
	}
}

func (w *writer) statement() {
	switch {
	case w.nested < 3 && w.pick(5) == 0:
		w.branch()
	case w.pick(12) == 0:
		w.headerChange()
	case w.pick(8) == 0:
		w.cells()
	default:
		w.plain()
	}
}

// branch writes an if; where a header's validity is the condition, its fields can be used.
func (w *writer) branch() {
	before := maps.Clone(w.valid)
	defer func() { w.valid = before }()
	w.nested++
	defer func() { w.nested-- }()
	guard := w.oneOf("h.part0", "h.part1", "h.part2", "h.items[0]", "h.items[1]", "")
	if guard == "" {
		w.open("if (%s)", w.condition(depth))
	} else {
		w.open("if (%s.isValid())", guard)
		w.valid[guard] = true
	}
	w.block(1 + w.pick(3))
	w.valid = before
	if w.pick(2) == 0 {
		w.close(" else {")
		w.indent++
		before = maps.Clone(w.valid)
		w.block(1 + w.pick(2))
		w.valid = before
	}
	w.close("")
}

// plain writes an assignment.
func (w *writer) plain() {
	for range 20 {
		v := w.vars[w.pick(len(w.vars))]
		if v.guard != "" && !w.valid[v.guard] {
			continue
		}
		if v.kind.width > 3 && !v.kind.signed && w.pick(6) == 0 {
			low := w.pick(v.kind.width - 1)
			high := low + w.pick(v.kind.width-low)
			w.line("%s[%d:%d] = %s;", v.name, high, low, w.expr(kind{width: high - low + 1}, depth))
			return
		}
		w.line("%s = %s;", v.name, w.expr(v.kind, depth))
		return
	}
	w.line("m.f0 = %s;", w.condition(depth))
}

// headerChange writes a statement on whole headers. What is valid afterwards is known only where
// fields were set.
func (w *writer) headerChange() {
	switch w.pick(5) {
	case 0:
		w.line("h.items.push_front(1);")
		w.line("h.items[0].setValid();")
		w.line("h.items[0].next = 0;")
		w.line("h.items[0].value = %s;", w.expr(kind{width: 16}, 1))
		w.forgetItems()
	case 1:
		w.line("h.items.pop_front(%d);", 1+w.pick(2))
		w.forgetItems()
	case 2:
		h := w.headers[1+w.pick(plainHeaders)]
		w.line("h.%s.setInvalid();", h.name)
		delete(w.valid, "h."+h.name)
	case 3:
		h := w.headers[1+w.pick(plainHeaders)]
		w.line("h.%s.setValid();", h.name)
		for _, f := range h.fields {
			w.line("%s = %s;", f.name, w.expr(f.kind, 1))
		}
		w.valid["h."+h.name] = true
	default:
		w.line("h.items[%d] = h.items[%d];", w.pick(stackSize), w.pick(stackSize))
		w.forgetItems()
	}
}

func (w *writer) forgetItems() {
	for i := range stackSize {
		delete(w.valid, fmt.Sprintf("h.items[%d]", i))
	}
}

// cells writes uses of registers, counters and hashes.
func (w *writer) cells() {
	index := fmt.Sprintf("(bit<32>)%s", w.expr(kind{width: 4}, 2))
	switch n := w.pick(4); {
	case n == 0 && w.state:
		w.line("cells.read(cell, %s);", index)
	case n == 1 && w.state:
		w.line("cells.write(%s, %s);", index, w.expr(kind{width: 33}, 2))
	case n <= 2:
		w.line("hits.count(%s);", index)
	default:
		w.line("hash(sum, HashAlgorithm.%s, %s, { %s, %s, %s }, %s);",
			w.oneOf("crc32", "crc16", "csum16", "xor16", "identity", "crc32_custom", "crc16_custom"),
			w.oneOf("32w0", "32w5"), w.leaf(w.anyKind()), w.leaf(w.anyKind()), w.leaf(kind{width: 16}),
			w.oneOf("32w7", "32w65536", "32w0xffffffff", "32w1"))
	}
}

// copies writes, at the end of a control, what makes copies of a packet, a bounded number of times.
func (w *writer) copies() {
	if w.pick(2) == 0 {
		return
	}
	w.open("if (m.rounds < %d && %s)", 1+w.pick(3), w.condition(2))
	w.line("m.rounds = m.rounds + 1;")
	switch {
	case w.egress:
		w.line("%s;", w.oneOf("recirculate_preserving_field_list(1)",
			"clone_preserving_field_list(CloneType.E2E, 2, 1)", "clone(CloneType.E2E, 1)", "truncate(20)"))
	default:
		w.line("%s;", w.oneOf("resubmit_preserving_field_list(1)", "s.mcast_grp = 1",
			"clone_preserving_field_list(CloneType.I2E, 1, 1)", "clone(CloneType.I2E, 2)",
			"s.mcast_grp = (bit<16>)h.base.tag[1:0]", "truncate(30)"))
	}
	w.close("")
}
