package v1model

import (
	"encoding/hex"
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// Trace is the story of one frame that the switch received, of its copies too. It is not changed any
// more once it is told.
type Trace struct {
	Port  uint16 `json:"port"` // where it came in
	Frame Bytes  `json:"frame"`
	// Passes begins with the frame itself; a copy stands after the pass that made it.
	Passes []*Pass `json:"passes"`
	// Omitted is how many further passes there were.
	Omitted int `json:"omitted,omitempty"`
}

// Kinds of passes.
const (
	PassReceived     = "received"
	PassResubmitted  = "resubmitted"
	PassRecirculated = "recirculated"
	PassIngressClone = "ingress_clone"
	PassEgressClone  = "egress_clone"
	PassReplica      = "replica" // of a multicast group
)

// Pass is one way through the switch: parser, ingress and egress, or, for clones and replicas,
// egress only.
type Pass struct {
	Kind string `json:"kind"`
	From int    `json:"from"` // index of the pass that made it; 0 for the first one
	// Parser are the states in the order in which they were visited; empty if the packet was not
	// parsed in this pass.
	Parser        []State  `json:"parser,omitempty"`
	ParserError   string   `json:"parser_error,omitempty"` // why the parser stopped early
	ChecksumError bool     `json:"checksum_error,omitempty"`
	Headers       []Header `json:"headers,omitempty"` // at the beginning
	Steps         []Step   `json:"steps,omitempty"`
	Drop          string   `json:"drop,omitempty"` // the reason, if it ended in a drop
	Out           *Out     `json:"out,omitempty"`  // set if it left the switch
}

// State is a parser state and the headers that it extracted.
type State struct {
	Name      string   `json:"state"`
	Extracted []string `json:"extracted,omitempty"`
	// ValueSet is the parser value set that had the key and so chose the next state, if one did.
	ValueSet string `json:"value_set,omitempty"`
}

// Header is a header with the values of its fields, in their order.
type Header struct {
	Name   string  `json:"header"`
	Union  string  `json:"union,omitempty"` // the header union it is the valid member of
	Fields []Field `json:"fields"`
}

// Field is a field, a part of a key, or a parameter of an action. A variable-length field has the
// bytes that it has at present.
type Field struct {
	Name  string `json:"name"`
	Value Bytes  `json:"value"`
}

// Step is something that a packet met in a control: exactly one member besides Control is set.
type Step struct {
	Control   string          `json:"control"` // ingress or egress; parser for what a parser state calls
	Table     *Lookup         `json:"table,omitempty"`
	Condition *Condition      `json:"condition,omitempty"`
	Action    string          `json:"action,omitempty"` // called without a table
	Counter   *Count          `json:"counter,omitempty"`
	Meter     *Metering       `json:"meter,omitempty"`
	Register  *RegisterAccess `json:"register,omitempty"`
	Result    *Result         `json:"result,omitempty"`
	Digest    *Sample         `json:"digest,omitempty"`
	Log       string          `json:"log,omitempty"`    // what log_msg says
	Failed    string          `json:"failed,omitempty"` // assert or assume, whose condition does not hold
	Note      string          `json:"note,omitempty"`   // what the architecture did: clone, multicast, ...
}

// Lookup is a table that was applied.
type Lookup struct {
	Name     string    `json:"name"`
	Key      []Field   `json:"key,omitempty"`
	Hit      bool      `json:"hit"`
	Match    []Matched `json:"match,omitempty"`    // of the entry, one for each part of the key
	Priority int32     `json:"priority,omitempty"` // of the entry
	Color    string    `json:"color,omitempty"`    // of the direct meter
	// Group and Member are the ids of what was chosen in a table with an action profile. A one-shot
	// has no group; its actions are members 1, 2, ... in their order.
	Group  uint32  `json:"group,omitempty"`
	Member uint32  `json:"member,omitempty"`
	Action string  `json:"action,omitempty"` // empty: none, as there is no default, or the group is empty
	Params []Field `json:"params,omitempty"`
}

// Matched is the condition of an entry on a part of the key, by kind: exact: Value; lpm: Value and
// PrefixLen; ternary: Value and Mask; range: Value to High.
type Matched struct {
	Kind      string `json:"kind"`
	Value     Bytes  `json:"value"`
	PrefixLen int    `json:"prefix_len,omitempty"`
	Mask      Bytes  `json:"mask,omitempty"`
	High      Bytes  `json:"high,omitempty"`
}

// Condition is an if statement.
type Condition struct {
	Name    string `json:"name"`
	Source  string `json:"source,omitempty"`
	Outcome bool   `json:"outcome"`
}

// Count is a cell of a counter that was counted up.
type Count struct {
	Name  string `json:"name"`
	Index uint64 `json:"index"`
}

// Metering is a cell of a meter that was asked for a colour.
type Metering struct {
	Name  string `json:"name"`
	Index uint64 `json:"index"`
	Color string `json:"color"` // green, yellow or red
}

// Out is a packet as it left.
type Out struct {
	Port    uint16   `json:"port"`
	NoPort  bool     `json:"no_port,omitempty"` // there is none of that number: the packet is lost
	Frame   Bytes    `json:"frame"`
	Headers []Header `json:"headers"`
}

// Bytes is a big-endian number or a frame; its text form is 0x and hexadecimal digits.
type Bytes []byte

// MarshalText implements [encoding.TextMarshaler].
func (b Bytes) MarshalText() ([]byte, error) { return hex.AppendEncode([]byte("0x"), b), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *Bytes) UnmarshalText(text []byte) error {
	if len(text) < 2 || string(text[:2]) != "0x" {
		return fmt.Errorf("%w: %q does not begin with 0x", ErrInvalid, text)
	}
	out, err := hex.AppendDecode(nil, text[2:])
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrInvalid, text, err)
	}
	*b = out
	return nil
}

// recorder writes a trace. A nil recorder may be told of copies and drops, and records nothing.
type recorder struct {
	rt      *runtime
	trace   *Trace
	pass    *Pass // the one that is under way
	control string
	watched []*watcher
}

// maxTracedPasses bounds a trace; a frame may make thousands of copies.
const maxTracedPasses = 64

// Reasons of drops.
const (
	dropIngress = "the program dropped it in ingress"
	dropEgress  = "the program dropped it in egress"
	dropGroup   = "the multicast group is unknown or empty"
	dropFailed  = "an assertion failed, or an action did not end"
)

// follow decides after a first look at the parsed packet whether anybody wants its trace. The packet
// is then begun anew.
func (w *Worker) follow(all []*watcher, port uint16, frame []byte) {
	st := w.main
	st.Watcher = glance{}
	w.rt.parse(st)
	var wanted []*watcher
	for _, x := range all {
		if x.rt == w.rt && x.match(st, port, frame) {
			wanted = append(wanted, x)
		}
	}
	w.receive(port, frame)
	if wanted != nil {
		w.rec = &recorder{rt: w.rt, watched: wanted,
			trace: &Trace{Port: port, Frame: append(Bytes(nil), frame...)}}
		w.rec.pass = w.rec.begin(PassReceived)
	}
}

// tell hands the finished trace out.
func (w *Worker) tell() {
	for _, x := range w.rec.watched {
		x.done(w.rec.trace)
	}
	w.rec = nil
}

// begin adds a pass that the one under way made.
func (r *recorder) begin(kind string) *Pass {
	if r == nil {
		return nil
	}
	p := &Pass{Kind: kind}
	if len(r.trace.Passes) == maxTracedPasses {
		r.trace.Omitted++
		return p
	}
	for i, x := range r.trace.Passes {
		if x == r.pass {
			p.From = i
		}
	}
	r.trace.Passes = append(r.trace.Passes, p)
	return p
}

// again adds a pass through the parser, with the fields of a list preserved.
func (r *recorder) again(instance, list uint64) *Pass {
	kind := PassResubmitted
	if instance == instanceRecirculated {
		kind = PassRecirculated
	}
	r.note("%s, fields of list %d kept", kind, list)
	return r.begin(kind)
}

// current returns the pass that is being recorded.
func (r *recorder) current() *Pass {
	if r == nil {
		return nil
	}
	return r.pass
}

// resume goes on with a pass that has begun.
func (r *recorder) resume(p *Pass) {
	if r != nil {
		r.pass = p
	}
}

// parse follows a packet through the parser.
func (r *recorder) parse(st *engine.State) {
	r.control = "parser"
	st.Watcher = r
	if l := r.rt.locks.parser; l != nil {
		l.Lock()
		defer l.Unlock()
	}
	r.rt.parser.Trace(st, r)
	r.pass.ChecksumError = st.ChecksumError
	if st.ParserFailed {
		r.pass.ParserError = r.rt.errorName(st.ParserError)
	}
	r.pass.Headers = r.headers(st)
}

// run follows a packet through a control.
func (r *recorder) run(k *engine.Control, st *engine.State) {
	r.control = "egress"
	if k == r.rt.ingress {
		r.control = "ingress"
	}
	if r.pass.Headers == nil {
		r.pass.Headers = r.headers(st)
	}
	st.Watcher = r
	k.Trace(st, r)
}

func (r *recorder) headers(st *engine.State) []Header {
	out := []Header{}
	for _, h := range r.rt.machine.ValidHeaders(st) {
		x := Header{Name: h.Name}
		if h.Union != nil {
			x.Union = h.Union.Name
		}
		for i, f := range h.Type.Fields {
			ref := bmv2.FieldRef{Header: h, Index: i}
			x.Fields = append(x.Fields, Field{f.Name, r.rt.machine.Value(st, ref)})
		}
		out = append(out, x)
	}
	return out
}

// step adds a step; a nil recorder does nothing.
func (r *recorder) step(s Step) {
	if r == nil {
		return
	}
	s.Control = r.control
	r.pass.Steps = append(r.pass.Steps, s)
}

// State implements [engine.Tracer].
func (r *recorder) State(s *bmv2.ParseState, extracted []*bmv2.Header, by *bmv2.ValueSet) {
	x := State{Name: s.Name}
	if by != nil {
		x.ValueSet = by.Name
	}
	for _, h := range extracted {
		x.Extracted = append(x.Extracted, h.Name)
	}
	r.pass.Parser = append(r.pass.Parser, x)
}

// Condition implements [engine.Tracer].
func (r *recorder) Condition(c *bmv2.Conditional, outcome bool) {
	r.step(Step{Condition: &Condition{c.Name, c.Source, outcome}})
}

// Call implements [engine.Tracer].
func (r *recorder) Call(a *bmv2.Action) { r.step(Step{Action: a.Name}) }

// Lookup implements [engine.Tracer].
func (r *recorder) Lookup(l engine.Lookup) {
	t := l.Table
	x := &Lookup{Name: t.Name, Hit: l.Entry != nil, Group: l.Group, Member: l.Member}
	for i, k := range t.Key {
		x.Key = append(x.Key, Field{k.Name, l.Key[i]})
	}
	if x.Hit {
		x.Priority = l.Entry.Priority()
		for i, m := range r.rt.machine.Match(t, l.Entry) {
			x.Match = append(x.Match, Matched{t.Key[i].Kind.String(), m.Value, m.PrefixLen, m.Mask, m.High})
		}
	}
	if x.Hit && t.Meter != nil {
		x.Color = colors[l.Color]
	}
	if l.Run != nil {
		a := l.Run.Action()
		x.Action = a.Name
		for i, v := range l.Run.Params() {
			x.Params = append(x.Params, Field{a.Params[i].Name, v})
		}
	}
	r.step(Step{Table: x})
}

// colors are the names of what meters say.
var colors = [...]string{engine.Green: "green", engine.Yellow: "yellow", engine.Red: "red"}

// meter is called by the extern.
func (r *recorder) meter(name string, index, color uint64) {
	r.step(Step{Meter: &Metering{name, index, colors[color]}})
}

// count is called by the extern.
func (r *recorder) count(name string, index uint64) {
	r.step(Step{Counter: &Count{name, index}})
}

func (r *recorder) note(format string, args ...any) {
	r.step(Step{Note: fmt.Sprintf(format, args...)})
}

func (r *recorder) drop(reason string) {
	if r != nil {
		r.pass.Drop = reason
	}
}

// recordOut is called when a frame leaves that is followed.
func (w *Worker) recordOut(st *engine.State, port uint16, frame []byte) {
	has := w.sw.cfg.HasPort
	w.rec.pass.Out = &Out{Port: port, NoPort: has != nil && !has(port),
		Frame: append(Bytes(nil), frame...), Headers: w.rec.headers(st)}
}
