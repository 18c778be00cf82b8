package trace

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// Text tells for people what a frame met, in the order in which it happened:
//
//	12:30:01.000123 port 1 received 60 bytes: 0x0000000000020000...
//	  parser: start (ethernet), parse_ipv4 (ipv4), accept
//	    ethernet: dst=0x000000000002 src=0x000000000001 type=0x0800
//	  ingress: table ingress.forward: dst=0x000000000002, hit, exact 0x000000000002 -> ingress.send(port=0x02)
//	  sent to port 2, 60 bytes: 0x0000000000020000...
//
// A copy begins with what it is and the pass that made it. The last line has a line feed, too.
func Text(x Line) string {
	b := &text{}
	if x.Lost > 0 {
		b.line(0, "(%d packets were lost here: too many for this reader)", x.Lost)
	}
	b.line(0, "%s port %d received %d bytes: %s", x.Time.Local().Format("15:04:05.000000"), x.Port,
		len(x.Frame), digits(x.Frame))
	for i, p := range x.Passes {
		if i > 0 {
			b.line(1, "%s, by pass %d:", strings.ReplaceAll(p.Kind, "_", " "), p.From)
		}
		b.pass(p)
	}
	if x.Omitted > 0 {
		b.line(1, "and %d more passes", x.Omitted)
	}
	return b.String()
}

// text is a text in lines.
type text struct{ strings.Builder }

// line adds one with an indent.
func (b *text) line(indent int, format string, args ...any) {
	fmt.Fprintf(b, strings.Repeat("  ", indent)+format+"\n", args...)
}

func (b *text) pass(p *v1model.Pass) {
	if len(p.Parser) > 0 {
		b.line(1, "parser: %s", states(p))
	}
	for _, h := range p.Headers {
		b.line(2, "%s: %s", h.Name, fields(h.Fields, " "))
	}
	if p.ChecksumError {
		b.line(1, "checksum: wrong")
	}
	for _, s := range p.Steps {
		b.line(1, "%s: %s", s.Control, step(s))
	}
	if p.Drop != "" {
		b.line(1, "dropped: %s", p.Drop)
	}
	if o := p.Out; o != nil {
		lost := ""
		if o.NoPort {
			lost = ", where no port is: lost"
		}
		b.line(1, "sent to port %d%s, %d bytes: %s", o.Port, lost, len(o.Frame), digits(o.Frame))
	}
}

// states are the parser states, with the headers that each extracted, and how it ended.
func states(p *v1model.Pass) string {
	var out []string
	for _, s := range p.Parser {
		name := s.Name
		if len(s.Extracted) > 0 {
			name += " (" + strings.Join(s.Extracted, ", ") + ")"
		}
		if s.ValueSet != "" {
			name += " by " + s.ValueSet
		}
		out = append(out, name)
	}
	end := "accept"
	if p.ParserError != "" {
		end = "error " + p.ParserError
	}
	return strings.Join(append(out, end), ", ")
}

func step(s v1model.Step) string {
	switch {
	case s.Table != nil:
		return lookup(s.Table)
	case s.Condition != nil:
		return condition(s.Condition)
	case s.Action != "":
		return "action " + s.Action
	case s.Counter != nil:
		return fmt.Sprintf("counter %s[%d] counts", s.Counter.Name, s.Counter.Index)
	case s.Meter != nil:
		return fmt.Sprintf("meter %s[%d] says %s", s.Meter.Name, s.Meter.Index, s.Meter.Color)
	case s.Register != nil:
		return register(s.Register)
	case s.Result != nil:
		return strings.TrimSpace(s.Result.Extern+" "+s.Result.Algo) + " gives " + digits(short(s.Result.Value))
	case s.Digest != nil:
		return fmt.Sprintf("digest %s: %s", s.Digest.Name, fields(s.Digest.Fields, " "))
	case s.Log != "":
		return "log_msg: " + s.Log
	case s.Failed != "":
		return s.Failed + " fails"
	}
	return s.Note
}

// longestSource is how many bytes of a statement are shown: p4c keeps all of it, its branches too.
const longestSource = 60

func condition(c *v1model.Condition) string {
	what := strings.Join(strings.Fields(c.Source), " ")
	switch {
	case what == "":
		what = c.Name
	case len(what) > longestSource:
		what = what[:longestSource] + "..."
	}
	if !strings.HasPrefix(what, "if ") {
		what = "if (" + what + ")"
	}
	return fmt.Sprintf("%s: %v", what, c.Outcome)
}

func register(x *v1model.RegisterAccess) string {
	cell := fmt.Sprintf("register %s[%d]", x.Name, x.Index)
	switch {
	case x.Value == nil:
		return cell + " is not there: ignored"
	case x.Write:
		return cell + " = " + digits(x.Value)
	}
	return cell + " holds " + digits(x.Value)
}

// short leaves leading zeroes away, but for the last byte.
func short(b v1model.Bytes) v1model.Bytes {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

func lookup(t *v1model.Lookup) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %s: ", t.Name)
	if len(t.Key) > 0 {
		b.WriteString(fields(t.Key, " ") + ", ")
	}
	switch {
	case t.Hit:
		b.WriteString("hit")
		for _, m := range t.Match {
			b.WriteString(" " + matched(m))
		}
		if t.Priority != 0 {
			fmt.Fprintf(&b, " priority %d", t.Priority)
		}
	case len(t.Key) > 0:
		b.WriteString("miss")
	default:
		b.WriteString("no key")
	}
	if t.Color != "" {
		b.WriteString(", " + t.Color)
	}
	if t.Group != 0 {
		fmt.Fprintf(&b, ", group %d", t.Group)
	}
	if t.Member != 0 {
		fmt.Fprintf(&b, ", member %d", t.Member)
	}
	switch {
	case t.Action == "" && t.Hit:
		return b.String() + ", nothing to choose from"
	case t.Action == "":
		return b.String() + ", no default action"
	}
	return fmt.Sprintf("%s -> %s(%s)", b.String(), t.Action, fields(t.Params, ", "))
}

// matched is a condition as P4 writes it.
func matched(m v1model.Matched) string {
	switch {
	case m.Kind == "lpm":
		return fmt.Sprintf("%s/%d", digits(m.Value), m.PrefixLen)
	case len(m.High) > 0:
		return digits(m.Value) + ".." + digits(m.High)
	case len(m.Mask) > 0 && len(bytes.Trim(m.Mask, "\x00")) == 0:
		return "*"
	case len(m.Mask) > 0:
		return digits(m.Value) + "&&&" + digits(m.Mask)
	}
	return digits(m.Value)
}

func fields(all []v1model.Field, separator string) string {
	var out []string
	for _, f := range all {
		out = append(out, f.Name+"="+digits(f.Value))
	}
	return strings.Join(out, separator)
}

func digits(b v1model.Bytes) string { return fmt.Sprintf("0x%x", []byte(b)) }
