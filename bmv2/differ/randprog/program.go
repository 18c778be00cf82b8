package randprog

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind is a type: bit<width>, int<width> if signed, or bool if the width is 0.
type kind struct {
	width  int
	signed bool
}

func (k kind) String() string {
	switch {
	case k.width == 0:
		return "bool"
	case k.signed:
		return fmt.Sprintf("int<%d>", k.width)
	}
	return fmt.Sprintf("bit<%d>", k.width)
}

var boolean = kind{}

// variable is something that can be read and written.
type variable struct {
	name string
	kind kind
	// guard is the header that must be valid, or "".
	guard string
}

// header is a header type with one instance.
type header struct {
	name   string
	fields []variable
}

// writer writes one program.
type writer struct {
	r       *rand.Rand
	b       strings.Builder
	indent  int
	headers []header
	vars    []variable // all that the controls can reach
	valid   map[string]bool
	params  []variable // of the action being written
	egress  bool
	state   bool // there are registers, so packets have to be sent one by one
	nested  int
}

// widths are those of fields: around the sizes of machine words.
var widths = []int{1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 47, 48, 63, 64, 65, 72, 100, 127, 128, 129}

// New returns the source of a program.
func New(r *rand.Rand) string {
	w := &writer{r: r, valid: map[string]bool{}, state: r.IntN(4) == 0}
	w.line("#include <core.p4>")
	w.line("#include <v1model.p4>")
	w.types()
	w.parser()
	w.control("ingress_control")
	w.egress = true
	w.control("egress_control")
	w.rest()
	return w.b.String()
}

func (w *writer) line(format string, args ...any) {
	w.b.WriteString(strings.Repeat("    ", w.indent))
	fmt.Fprintf(&w.b, format, args...)
	w.b.WriteByte('\n')
}

func (w *writer) open(format string, args ...any) {
	w.line(format+" {", args...)
	w.indent++
}

func (w *writer) close(after string) {
	w.indent--
	w.line("}%s", after)
}

func (w *writer) pick(n int) int { return w.r.IntN(n) }

func (w *writer) anyKind() kind {
	k := kind{width: widths[w.pick(len(widths))]}
	if k.width > 1 && w.pick(4) == 0 {
		k.signed = true
	}
	return k
}

// Sizes of the programs.
const (
	plainHeaders = 3
	stackSize    = 3
	metaFields   = 6
	registerSize = 16
)

// types writes headers, the struct of headers, and metadata.
func (w *writer) types() {
	base := header{name: "base", fields: []variable{{"h.base.tag", kind{width: 8}, "h.base"}}}
	w.headers = []header{w.header(base)}
	for i := range plainHeaders {
		w.headers = append(w.headers, w.header(header{name: fmt.Sprintf("part%d", i)}))
	}
	w.open("header item_t")
	w.line("bit<8> next;")
	w.line("bit<16> value;")
	w.close("")
	w.open("struct headers_t")
	for _, h := range w.headers {
		w.line("%s_t %s;", h.name, h.name)
		w.vars = append(w.vars, h.fields...)
	}
	w.line("item_t[%d] items;", stackSize)
	w.close("")
	for i := range stackSize {
		guard := fmt.Sprintf("h.items[%d]", i)
		w.vars = append(w.vars, variable{guard + ".next", kind{width: 8}, guard},
			variable{guard + ".value", kind{width: 16}, guard})
	}
	w.metadata()
}

// header writes a header type of random fields that ends at a byte.
func (w *writer) header(h header) header {
	bits := 0
	for _, f := range h.fields {
		bits += f.kind.width
	}
	guard := "h." + h.name
	for i := range 2 + w.pick(4) {
		f := variable{fmt.Sprintf("%s.f%d", guard, i), w.anyKind(), guard}
		h.fields = append(h.fields, f)
		bits += f.kind.width
	}
	if odd := bits % 8; odd != 0 {
		h.fields = append(h.fields, variable{guard + ".pad", kind{width: 8 - odd}, guard})
	}
	w.open("header %s_t", h.name)
	for _, f := range h.fields {
		w.line("%v %s;", f.kind, strings.TrimPrefix(f.name, guard+"."))
	}
	w.close("")
	return h
}

func (w *writer) metadata() {
	w.open("struct meta_t")
	for i := range metaFields {
		f := variable{name: fmt.Sprintf("m.f%d", i), kind: w.anyKind()}
		if i == 0 {
			f.kind = boolean
		}
		list := ""
		if w.pick(3) == 0 {
			list = "@field_list(1) "
		}
		w.line("%s%v f%d;", list, f.kind, i)
		w.vars = append(w.vars, f)
	}
	w.line("@field_list(1) bit<8> rounds;")
	w.close("")
}

// parser writes a parser that begins with the tag and goes on at random.
func (w *writer) parser() {
	w.open("parser parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s)")
	w.open("state start")
	w.line("p.extract(h.base);")
	w.open("transition select(h.base.tag)")
	for i := range plainHeaders {
		w.line("%d: parse%d;", 1+i, i)
	}
	w.line("0x80 &&& 0xc0: parse_items;")
	w.line("0xf0 .. 0xf3: peek;")
	w.line("default: accept;")
	w.close("")
	w.close("")
	for i := range plainHeaders {
		w.open("state parse%d", i)
		w.line("p.extract(h.part%d);", i)
		w.after(i)
		w.close("")
	}
	w.open("state peek")
	w.open("transition select(p.lookahead<bit<8>>())")
	w.line("0 .. 7: parse0;")
	w.line("default: parse_items;")
	w.close("")
	w.close("")
	w.open("state parse_items")
	w.line("p.extract(h.items.next);")
	w.open("transition select(h.items.last.next)")
	w.line("1: parse_items;")
	w.line("2: parse%d;", plainHeaders-1)
	w.line("default: accept;")
	w.close("")
	w.close("")
	w.close("")
}

// after ends the state of a plain header; only later ones may follow, so that none is parsed twice.
func (w *writer) after(i int) {
	f := w.headers[1+i].fields[0]
	if i+1 == plainHeaders || f.kind.signed || f.kind.width > 64 {
		w.line("transition accept;")
		return
	}
	w.open("transition select(%s)", f.name)
	w.line("%s: parse%d;", w.constant(f.kind), i+1)
	w.line("default: accept;")
	w.close("")
}

// rest writes what has no randomness worth the name.
func (w *writer) rest() {
	base := w.headers[0]
	w.line("control verify_sums(inout headers_t h, inout meta_t m) { apply { } }")
	w.open("control compute_sums(inout headers_t h, inout meta_t m)")
	w.open("apply")
	if w.pick(2) == 0 {
		if target := w.sumTarget(); target != "" {
			var list []string
			for _, f := range base.fields {
				list = append(list, f.name)
			}
			w.line("update_checksum(h.base.isValid() && h.items[0].isValid(), { %s }, %s, HashAlgorithm.csum16);",
				strings.Join(list, ", "), target)
		}
	}
	w.close("")
	w.close("")
	w.open("control deparse(packet_out p, in headers_t h)")
	w.open("apply")
	for _, h := range w.headers {
		w.line("p.emit(h.%s);", h.name)
	}
	w.line("p.emit(h.items);")
	w.close("")
	w.close("")
	w.line("V1Switch(parse(), verify_sums(), ingress_control(), egress_control(), compute_sums(), deparse()) main;")
}

func (w *writer) sumTarget() string { return "h.items[0].value" }
