package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	configv1 "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// kinds are the tables that can be filled, and how the match of their entries is drawn.
var kinds = map[string]func(*rand.Rand, int) []*p4v1.FieldMatch{
	"exact":   exactMatch,
	"lpm":     lpmMatch,
	"ternary": ternaryMatch,
	"range":   rangeMatch,
}

var kindNames = []string{"exact", "lpm", "ternary", "range"}

// writer makes the updates of one table.
type writer struct {
	table, action uint32
	entries       []*p4v1.TableEntry
}

// newWriter draws n entries with different matches, in no order.
func newWriter(info *configv1.P4Info, kind string, n int) (*writer, error) {
	w := &writer{}
	for _, t := range info.GetTables() {
		if t.GetPreamble().GetAlias() == kind+"_table" {
			w.table = t.GetPreamble().GetId()
		}
	}
	for _, a := range info.GetActions() {
		if a.GetPreamble().GetAlias() == "set_class" {
			w.action = a.GetPreamble().GetId()
		}
	}
	match := kinds[kind]
	if match == nil || w.table == 0 || w.action == 0 {
		return nil, fmt.Errorf("table %q: there are %v", kind, kindNames)
	}
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[string]bool{}
	for len(w.entries) < n {
		e := &p4v1.TableEntry{TableId: w.table, Match: match(r, n)}
		if kind == "ternary" || kind == "range" {
			e.Priority = int32(1 + r.IntN(1000))
		}
		if id := e.String(); !seen[id] {
			seen[id] = true
			w.entries = append(w.entries, e)
		}
	}
	return w, nil
}

// batch returns updates of the entries from one number to another.
func (w *writer) batch(kind p4v1.Update_Type, from, to int) (out []*p4v1.Update) {
	for _, e := range w.entries[from:to] {
		sent := &p4v1.TableEntry{TableId: e.TableId, Match: e.Match, Priority: e.Priority}
		if kind != p4v1.Update_DELETE {
			class := []byte{byte(kind), byte(from)}
			sent.Action = &p4v1.TableAction{Type: &p4v1.TableAction_Action{Action: &p4v1.Action{
				ActionId: w.action,
				Params:   []*p4v1.Action_Param{{ParamId: 1, Value: class}},
			}}}
		}
		out = append(out, &p4v1.Update{Type: kind,
			Entity: &p4v1.Entity{Entity: &p4v1.Entity_TableEntry{TableEntry: sent}}})
	}
	return out
}

// number returns the bytes of a number as P4Runtime wants them.
func number(v uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, v)
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

func exactMatch(r *rand.Rand, _ int) []*p4v1.FieldMatch {
	return []*p4v1.FieldMatch{{FieldId: 1, FieldMatchType: &p4v1.FieldMatch_Exact_{
		Exact: &p4v1.FieldMatch_Exact{Value: number(r.Uint64() >> 16)}}}}
}

// prefix draws a prefix of the routing table's kind: three of five have 24 bits.
func prefix(r *rand.Rand) (value uint64, bits int) {
	bits = []int{16, 19, 20, 22, 22, 23, 24, 24, 24, 24, 24, 24, 24, 24, 32}[r.IntN(15)]
	return uint64(r.Uint32() &^ (1<<(32-bits) - 1)), bits
}

func lpmField(id uint32, value uint64, bits int) *p4v1.FieldMatch {
	return &p4v1.FieldMatch{FieldId: id, FieldMatchType: &p4v1.FieldMatch_Lpm{
		Lpm: &p4v1.FieldMatch_LPM{Value: number(value), PrefixLen: int32(bits)}}}
}

func lpmMatch(r *rand.Rand, _ int) []*p4v1.FieldMatch {
	value, bits := prefix(r)
	return []*p4v1.FieldMatch{lpmField(1, value, bits)}
}

func masked(id uint32, value, mask uint64) *p4v1.FieldMatch {
	return &p4v1.FieldMatch{FieldId: id, FieldMatchType: &p4v1.FieldMatch_Ternary_{
		Ternary: &p4v1.FieldMatch_Ternary{Value: number(value & mask), Mask: number(mask)}}}
}

// site draws an address of a table with n rules: few networks, few subnets, few hosts.
func site(r *rand.Rand, n int) uint64 {
	network := uint64(r.IntN(max(4, n/60))) * 0x9e3779b1 >> 3 & 0xffff
	return network<<16 | uint64(r.IntN(24))<<8 | uint64(r.IntN(40))
}

// block draws the length of a prefix in a rule; 0 for one rule in ten.
func block(r *rand.Rand) int {
	return []int{0, 12, 16, 20, 24, 24, 27, 32, 32, 32}[r.IntN(10)]
}

func high(bits int) uint64 { return 1<<32 - 1<<(32-bits) }

// ternaryMatch draws a rule of an access list.
func ternaryMatch(r *rand.Rand, n int) (out []*p4v1.FieldMatch) {
	for id := range uint32(2) {
		if bits := block(r); bits > 0 {
			out = append(out, masked(1+id, site(r, n), high(bits)))
		}
	}
	if r.IntN(10) > 0 {
		out = append(out, masked(3, []uint64{6, 17}[r.IntN(2)], 0xff))
	}
	if r.IntN(10) == 0 {
		out = append(out, masked(4, uint64(r.IntN(1<<16)), 0xffff))
	}
	if r.IntN(3) > 0 || len(out) == 0 {
		out = append(out, masked(5, uint64(r.IntN(1<<16)), []uint64{0xffff, 0xffff, 0xfc00}[r.IntN(3)]))
	}
	return slices.DeleteFunc(out, func(m *p4v1.FieldMatch) bool {
		return len(m.GetTernary().GetMask()) == 0
	})
}

// rangeMatch draws a rule with destination ports from one number to another.
func rangeMatch(r *rand.Rand, n int) (out []*p4v1.FieldMatch) {
	for id := range uint32(2) {
		if bits := block(r); bits > 0 {
			out = append(out, masked(1+id, site(r, n), high(bits)))
		}
	}
	low := uint64(r.IntN(60000))
	return append(out, &p4v1.FieldMatch{FieldId: 3, FieldMatchType: &p4v1.FieldMatch_Range_{
		Range: &p4v1.FieldMatch_Range{Low: number(low), High: number(low + uint64(r.IntN(4000)))}}})
}
