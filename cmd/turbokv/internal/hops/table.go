package hops

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// Lengths in bytes by which values are told apart.
const (
	addressLength  = 4
	macLength      = 6
	numberLength   = 8
	indexKeyLength = 16
)

// short returns the name without the controls that it stands in.
func short(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// interesting tells tables that decide where a packet goes from those that only look after it.
func interesting(l *v1model.Lookup) bool {
	if len(l.Key) == 0 {
		return false
	}
	switch short(l.Name) {
	case p4src.LearnTable, p4src.ServiceTable:
		return false
	case p4src.PortTable:
		return l.Hit
	}
	return true
}

// lookup says what a table has decided, as in
//
//	partition_table: keyspace=2 index_key=0x75/8 -> pass_up(group 4)
func lookup(l *v1model.Lookup) string {
	var b strings.Builder
	b.WriteString(short(l.Name))
	if len(l.Key) > 0 {
		b.WriteString(":")
	}
	for i, k := range l.Key {
		name := short(k.Name)
		if !l.Hit {
			fmt.Fprintf(&b, " %s=%s", name, value(name, k.Value))
			continue
		}
		fmt.Fprintf(&b, " %s=%s", name, matched(name, l.Match[i], k.Value))
	}
	if !l.Hit && len(l.Key) > 0 {
		b.WriteString(" no entry")
	}
	if l.Action != "" {
		b.WriteString(" -> " + action(short(l.Action), l.Params))
	}
	return b.String()
}

// matched is the condition of an entry on a part of the key.
func matched(name string, m v1model.Matched, key []byte) string {
	switch m.Kind {
	case "lpm":
		if m.PrefixLen == 0 {
			return "any"
		}
		if len(m.Value) == addressLength {
			return fmt.Sprintf("%s/%d", address(m.Value), m.PrefixLen)
		}
		return fmt.Sprintf("0x%s/%d", hex.EncodeToString(m.Value[:(m.PrefixLen+7)/8]), m.PrefixLen)
	case "ternary":
		return fmt.Sprintf("%s (of 0x%x)", value(name, key), []byte(m.Mask))
	case "range":
		return fmt.Sprintf("%s (of %s to %s)", value(name, key), value(name, m.Value), value(name, m.High))
	}
	return value(name, m.Value)
}

// value shows a value after the kind of its field.
func value(name string, v []byte) string {
	switch {
	case len(v) == addressLength && (strings.HasSuffix(name, "addr") || strings.HasPrefix(name, "node")):
		return address(v)
	case len(v) == macLength:
		return wire.MAC(v).String()
	case len(v) == indexKeyLength:
		return indexKey([16]byte(v))
	case len(v) <= numberLength:
		return fmt.Sprint(number(v))
	}
	return "0x" + hex.EncodeToString(v)
}

// action shows an action; MAC addresses of next hops say little and are left out.
func action(name string, params []v1model.Field) string {
	var out []string
	if name == p4src.Serve {
		return serve(params)
	}
	for _, p := range params {
		if p.Name != p4src.DstMAC {
			out = append(out, p.Name+" "+value(p.Name, p.Value))
		}
	}
	if len(out) == 0 {
		return name
	}
	return name + "(" + strings.Join(out, ", ") + ")"
}

// serve shows the chain as one.
func serve(params []v1model.Field) string {
	get := map[string][]byte{}
	for _, p := range params {
		get[p.Name] = p.Value
	}
	var chain []string
	for i := range number(get[p4src.ChainLength]) {
		chain = append(chain, address(get[fmt.Sprintf("node%d", i)]))
	}
	return fmt.Sprintf("%s(epoch %d, chain %s)", p4src.Serve, number(get[p4src.Epoch]), strings.Join(chain, " "))
}
