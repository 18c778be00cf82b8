package stf

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Parse reads a test. name is used in error messages only.
func Parse(name, text string) (*File, error) {
	f := &File{Name: name}
	for i, line := range strings.Split(text, "\n") {
		if at := strings.IndexByte(line, '#'); at >= 0 {
			line = line[:at]
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), " ")
		if verb == "" {
			continue
		}
		parse := parsers[strings.ToLower(verb)]
		if parse == nil {
			return nil, fmt.Errorf("%s:%d: unknown command %q", name, i+1, verb)
		}
		c, err := parse(strings.TrimSpace(rest))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %s: %w", name, i+1, verb, err)
		}
		f.Steps = append(f.Steps, Step{i + 1, c})
	}
	return f, nil
}

var parsers = map[string]func(string) (Command, error){
	"packet":            parsePacket,
	"expect":            parseExpect,
	"no_packet":         func(string) (Command, error) { return NoPacket{}, nil },
	"wait":              func(string) (Command, error) { return Wait{}, nil },
	"add":               parseAdd,
	"setdefault":        parseSetDefault,
	"remove":            parseRemove,
	"value_set":         parseValueSet,
	"check_counter":     parseCheckCounter,
	"mirroring_add":     parseSession(false),
	"mirroring_add_mc":  parseSession(true),
	"mirroring_delete":  parseDeleteSession,
	"mirroring_get":     func(string) (Command, error) { return Wait{}, nil },
	"mc_mgrp_create":    parseCreateGroup,
	"mc_node_create":    parseCreateNode,
	"mc_node_update":    parseUpdateNode,
	"mc_node_associate": parseAssociate,
	"counter_read":      func(string) (Command, error) { return Wait{}, nil },
	"counter_write":     parseWriteCounter,
	"register_read":     func(string) (Command, error) { return Wait{}, nil },
	"register_write":    parseWriteRegister,
	"register_reset":    parseResetRegister,
	"meter_get_rates":   func(string) (Command, error) { return Wait{}, nil },
	"meter_set_rates":   parseMeterRates(false),

	"meter_array_set_rates": parseMeterRates(true),
}

func parsePacket(rest string) (Command, error) {
	port, data, err := portAndRest(rest)
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(data)
	if err != nil {
		return nil, fmt.Errorf("frame: %w", err)
	}
	return Packet{port, b}, nil
}

// portAndRest splits off the port and joins the digits that follow.
func portAndRest(rest string) (uint16, string, error) {
	number, data, _ := strings.Cut(rest, " ")
	port, err := word(number)
	return port, strings.Join(strings.Fields(data), ""), err
}

func parseExpect(rest string) (Command, error) {
	port, data, err := portAndRest(rest)
	if err != nil {
		return nil, err
	}
	e := Expect{Port: port, Any: data == ""}
	data, e.Exact = strings.CutSuffix(data, "$")
	for _, c := range data {
		if c == '*' {
			e.Value, e.Care = append(e.Value, 0), append(e.Care, false)
			continue
		}
		d, err := strconv.ParseUint(string(c), 16, 4)
		if err != nil {
			return nil, fmt.Errorf("pattern digit %q: want 0-9, a-f or *", c)
		}
		e.Value, e.Care = append(e.Value, byte(d)), append(e.Care, true)
	}
	return e, nil
}

// parseAdd reads: table [priority] key:value ... action(args) [= label].
func parseAdd(rest string) (Command, error) {
	var a Add
	open := strings.IndexByte(rest, '(')
	if open < 0 {
		return nil, fmt.Errorf("no action: want table [priority] key:value ... action(args)")
	}
	end := strings.IndexByte(rest[open:], ')')
	if end < 0 {
		return nil, fmt.Errorf("no closing parenthesis")
	}
	head, args, tail := rest[:open], rest[open+1:open+end], rest[open+end+1:]
	fields := strings.Fields(strings.NewReplacer(" :", ":", ": ", ":").Replace(head))
	if len(fields) < 2 {
		return nil, fmt.Errorf("want table [priority] key:value ... action(args)")
	}
	a.Table, a.Action.Action = unquote(fields[0]), unquote(fields[len(fields)-1])
	for i, field := range fields[1 : len(fields)-1] {
		name, value, ok := cutArg(field)
		switch {
		case ok:
			a.Match = append(a.Match, Arg{name, value})
		case i == 0:
			p, err := strconv.Atoi(field)
			if err != nil {
				return nil, fmt.Errorf("priority %q: want a number", field)
			}
			a.Priority = p
		default:
			return nil, fmt.Errorf("match %q: want key:value", field)
		}
	}
	if label, ok := strings.CutPrefix(strings.TrimSpace(tail), "="); ok {
		a.Label = strings.TrimSpace(label)
	}
	var err error
	a.Action.Args, err = parseArgs(args)
	return a, err
}

func parseSetDefault(rest string) (Command, error) {
	table, call, _ := strings.Cut(rest, " ")
	action, args, ok := strings.Cut(call, "(")
	args, closed := strings.CutSuffix(strings.TrimSpace(args), ")")
	if !ok || !closed {
		return nil, fmt.Errorf("want table action(args)")
	}
	list, err := parseArgs(args)
	return SetDefault{unquote(table), Call{unquote(strings.TrimSpace(action)), list}}, err
}

func parseArgs(text string) ([]Arg, error) {
	var out []Arg
	for _, part := range strings.FieldsFunc(text, func(c rune) bool { return c == ',' }) {
		name, value, ok := cutArg(strings.ReplaceAll(part, " ", ""))
		if !ok {
			return nil, fmt.Errorf("argument %q: want name:value", part)
		}
		out = append(out, Arg{name, value})
	}
	return out, nil
}

func cutArg(text string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(text, ":")
	return unquote(name), value, ok
}

func unquote(name string) string { return strings.ReplaceAll(name, `"`, "") }

func parseValueSet(rest string) (Command, error) {
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return nil, fmt.Errorf("want a name and members")
	}
	v := SetValueSet{Name: unquote(fields[0])}
	for _, m := range fields[1:] {
		v.Members = append(v.Members, strings.Split(m, ","))
	}
	return v, nil
}

func parseRemove(rest string) (Command, error) {
	if rest != "all" {
		return nil, fmt.Errorf("%q: only \"remove all\" is supported", rest)
	}
	return RemoveAll{}, nil
}

func parseCheckCounter(rest string) (Command, error) {
	name, rest, ok := strings.Cut(rest, "(")
	index, rest, ok2 := strings.Cut(rest, ")")
	if !ok || !ok2 {
		return nil, fmt.Errorf("want name(index) packets == number")
	}
	c := CheckCounter{Counter: unquote(strings.TrimSpace(name)), Index: strings.TrimSpace(index),
		Op: "=="}
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return c, nil // must be zero
	}
	if len(fields) != 3 || fields[0] != "packets" && fields[0] != "bytes" {
		return nil, fmt.Errorf("condition %q: want packets or bytes, an operator and a number",
			rest)
	}
	c.Bytes, c.Op = fields[0] == "bytes", fields[1]
	if comparisons[c.Op] == nil {
		return nil, fmt.Errorf("operator %q: want ==, !=, <, <=, > or >=", c.Op)
	}
	var err error
	c.Value, err = strconv.ParseUint(fields[2], 0, 64)
	return c, err
}

// comparisons are the operators of check_counter.
var comparisons = map[string]func(a, b uint64) bool{
	"==": func(a, b uint64) bool { return a == b },
	"!=": func(a, b uint64) bool { return a != b },
	"<":  func(a, b uint64) bool { return a < b },
	"<=": func(a, b uint64) bool { return a <= b },
	">":  func(a, b uint64) bool { return a > b },
	">=": func(a, b uint64) bool { return a >= b },
}

// word parses a number of 16 bits.
func word(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 0, 16)
	if err != nil {
		return 0, fmt.Errorf("%q: want a number up to 65535", text)
	}
	return uint16(n), nil
}

// words parses at least n numbers of 16 bits, or exactly n.
func words(rest string, n int, more bool) ([]uint16, error) {
	fields := strings.Fields(rest)
	if len(fields) < n || len(fields) > n && !more {
		return nil, fmt.Errorf("%d arguments: want %d", len(fields), n)
	}
	out := make([]uint16, len(fields))
	for i, f := range fields {
		var err error
		if out[i], err = word(f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseSession(group bool) func(string) (Command, error) {
	return func(rest string) (Command, error) {
		w, err := words(rest, 2, false)
		if err != nil {
			return nil, err
		}
		if group {
			return AddSession{Session: w[0], Group: w[1], UseGroup: true}, nil
		}
		return AddSession{Session: w[0], Port: w[1]}, nil
	}
}

func parseDeleteSession(rest string) (Command, error) {
	w, err := words(rest, 1, false)
	if err != nil {
		return nil, err
	}
	return DeleteSession{w[0]}, nil
}

func parseCreateGroup(rest string) (Command, error) {
	w, err := words(rest, 1, false)
	if err != nil {
		return nil, err
	}
	return CreateGroup{w[0]}, nil
}

func parseCreateNode(rest string) (Command, error) {
	w, err := words(rest, 1, true)
	if err != nil {
		return nil, err
	}
	return CreateNode{w[0], w[1:]}, nil
}

func parseUpdateNode(rest string) (Command, error) {
	w, err := words(rest, 1, true)
	if err != nil {
		return nil, err
	}
	return UpdateNode{int(w[0]), w[1:]}, nil
}

func parseAssociate(rest string) (Command, error) {
	w, err := words(rest, 2, false)
	if err != nil {
		return nil, err
	}
	return Associate{w[0], int(w[1])}, nil
}

func parseWriteCounter(rest string) (Command, error) {
	fields := strings.Fields(rest)
	if len(fields) != 4 {
		return nil, fmt.Errorf("want name, index, packets and bytes")
	}
	var n [3]uint64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseUint(fields[i+1], 0, 63); err != nil {
			return nil, err
		}
	}
	return WriteCounter{unquote(fields[0]), int(n[0]), n[1], n[2]}, nil
}

func parseWriteRegister(rest string) (Command, error) {
	fields := strings.Fields(rest)
	if len(fields) != 3 {
		return nil, fmt.Errorf("want name, index and value")
	}
	i, err := strconv.ParseUint(fields[1], 0, 31)
	return WriteRegister{unquote(fields[0]), int(i), fields[2]}, err
}

func parseResetRegister(rest string) (Command, error) {
	if rest == "" {
		return nil, fmt.Errorf("want a name")
	}
	return WriteRegister{Register: unquote(rest), Index: -1}, nil
}
