// Package tables holds the nouns of a programmable switch's control plane: entries of match-action
// tables, clone sessions, digest configurations, and the updates that change them. Everything goes
// by name and is plain data; package p4rt turns it into P4Runtime messages and back, and package
// reconcile compares it.
//
// All values are canonical: the shortest big-endian byte string, at least one byte (P4Runtime
// specification, "Bytestrings"). So two values are the same number if and only if they are the same
// string, whatever the width of the field.
package tables

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Value is an unsigned number of any width in canonical form. The zero Value is not valid.
type Value string

// Bytes returns the value of a big-endian byte string.
func Bytes(b []byte) Value {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) == 0 {
		return "\x00"
	}
	return Value(b)
}

// Uint returns the value of a number.
func Uint(n uint64) Value {
	var b [8]byte
	for i := range b {
		b[i] = byte(n >> (56 - 8*i))
	}
	return Bytes(b[:])
}

// Uint64 returns the number; ok is false if it needs more than 64 bits.
func (v Value) Uint64() (n uint64, ok bool) {
	if len(v) > 8 {
		return 0, false
	}
	for i := range len(v) {
		n = n<<8 | uint64(v[i])
	}
	return n, true
}

// Fill writes the value right-aligned into b with zeros before it; ok is false if it does not fit.
func (v Value) Fill(b []byte) (ok bool) {
	if len(v) > len(b) {
		return false
	}
	clear(b)
	copy(b[len(b)-len(v):], v)
	return true
}

// BitLen returns the number of bits from the highest one set.
func (v Value) BitLen() int {
	if v == "" {
		return 0
	}
	n := 8 * (len(v) - 1)
	for b := v[0]; b != 0; b >>= 1 {
		n++
	}
	return n
}

// String prints the number in hexadecimal.
func (v Value) String() string { return "0x" + hex.EncodeToString([]byte(v)) }

// Kind is how a field of a table is matched.
type Kind uint8

// The kinds.
const (
	Exact Kind = iota + 1
	LPM
	Ternary
	Range
	Optional
)

// String gives the name that P4 uses.
func (k Kind) String() string {
	names := [...]string{Exact: "exact", LPM: "lpm", Ternary: "ternary", Range: "range",
		Optional: "optional"}
	if int(k) < len(names) && names[k] != "" {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Match is the condition on one field. A field that matches everything (prefix length 0, mask 0,
// whole range, absent optional) is left out of the entry, as P4Runtime demands.
type Match struct {
	Field  string
	Kind   Kind
	Value  Value // for Range the low end
	Prefix int   // bits; for LPM
	Extra  Value // the mask for Ternary, the high end for Range
}

// Param is one argument of an action.
type Param struct {
	Name  string
	Value Value
}

// Entry is one row of a table.
type Entry struct {
	Table    string
	Match    []Match
	Priority int32 // for tables with ternary, range or optional fields: the highest number wins
	Action   string
	Params   []Param
}

// Normalize puts fields and parameters into the order of their names, so that equal entries look
// equal. It changes e.
func (e *Entry) Normalize() {
	slices.SortFunc(e.Match, func(a, b Match) int { return cmp.Compare(a.Field, b.Field) })
	slices.SortFunc(e.Params, func(a, b Param) int { return cmp.Compare(a.Name, b.Name) })
}

// Key identifies the row: the table, the match and the priority, in a form that is fit for maps and
// not for reading. The entry must be normalized, with values of at most 255 bytes.
func (e Entry) Key() string {
	b := make([]byte, 0, 96) // most keys
	b = append(b, e.Table...)
	for _, m := range e.Match {
		b = append(append(b, '|'), m.Field...)
		b = append(b, byte(m.Kind), byte(len(m.Value)))
		b = append(b, m.Value...)
		b = binary.BigEndian.AppendUint16(b, uint16(m.Prefix))
		b = append(append(b, byte(len(m.Extra))), m.Extra...)
	}
	return string(binary.BigEndian.AppendUint32(b, uint32(e.Priority)))
}

// Equal reports whether two normalized entries are the same row with the same action.
func (e Entry) Equal(o Entry) bool {
	return e.Table == o.Table && e.Priority == o.Priority && e.Action == o.Action &&
		slices.Equal(e.Match, o.Match) && slices.Equal(e.Params, o.Params)
}

// Field returns the match on one field; ok is false if the entry matches anything there.
func (e Entry) Field(name string) (m Match, ok bool) {
	for _, m := range e.Match {
		if m.Field == name {
			return m, true
		}
	}
	return Match{}, false
}

// Param returns one argument of the action, or the empty Value.
func (e Entry) Param(name string) Value {
	for _, p := range e.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// PrefixLen returns the length of the entry's LPM match in bits, 0 without one.
func (e Entry) PrefixLen() int {
	for _, m := range e.Match {
		if m.Kind == LPM {
			return m.Prefix
		}
	}
	return 0
}

// String prints the row on one line.
func (e Entry) String() string {
	var b strings.Builder
	b.WriteString(e.Table)
	for _, m := range e.Match {
		fmt.Fprintf(&b, " %s=%v", m.Field, m.Value)
		switch m.Kind {
		case LPM:
			fmt.Fprintf(&b, "/%d", m.Prefix)
		case Ternary:
			fmt.Fprintf(&b, "&%v", m.Extra)
		case Range:
			fmt.Fprintf(&b, "..%v", m.Extra)
		}
	}
	fmt.Fprintf(&b, " -> %s(", e.Action)
	for i, p := range e.Params {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s=%v", p.Name, p.Value)
	}
	b.WriteByte(')')
	return b.String()
}

// CloneSession says where copies of packets go.
type CloneSession struct {
	ID       uint32
	Replicas []Replica
}

// Replica is one copy.
type Replica struct {
	Port     uint32
	Instance uint32
}

// Equal reports whether two sessions are the same, whatever the order of the replicas.
func (c CloneSession) Equal(o CloneSession) bool {
	sorted := func(r []Replica) []Replica {
		return slices.SortedFunc(slices.Values(r), func(a, b Replica) int {
			return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Instance, b.Instance))
		})
	}
	return c.ID == o.ID && slices.Equal(sorted(c.Replicas), sorted(o.Replicas))
}

// Digest configures how a switch reports one kind of digest.
type Digest struct {
	Name         string
	MaxTimeoutNS int64 // longest wait before a list that is not full is sent
	MaxListSize  int32 // entries of a full list
	AckTimeoutNS int64 // for how long an unconfirmed entry is not repeated
}

// State is all that a controller installs in one switch.
type State struct {
	Entries       []Entry // normalized, distinct keys
	CloneSessions []CloneSession
	Digests       []Digest
}

// Operation is what an update does.
type Operation uint8

// The operations.
const (
	Insert Operation = iota + 1
	Modify
	Delete
)

// String gives the name that P4Runtime uses.
func (o Operation) String() string {
	return [...]string{"unspecified", "INSERT", "MODIFY", "DELETE"}[min(o, Delete)]
}

// Update changes one thing. Exactly one pointer is set.
type Update struct {
	Op           Operation
	Entry        *Entry
	CloneSession *CloneSession
	Digest       *Digest
}

// String prints the update on one line.
func (u Update) String() string {
	switch {
	case u.Entry != nil:
		return fmt.Sprintf("%v %v", u.Op, u.Entry)
	case u.CloneSession != nil:
		return fmt.Sprintf("%v clone session %d", u.Op, u.CloneSession.ID)
	case u.Digest != nil:
		return fmt.Sprintf("%v digest %s", u.Op, u.Digest.Name)
	}
	return "empty update"
}

// Over returns what a switch that held old holds after it was brought to s: clone sessions and
// digests of others stay.
func (s State) Over(old State) State {
	for _, c := range old.CloneSessions {
		if !slices.ContainsFunc(s.CloneSessions,
			func(x CloneSession) bool { return x.ID == c.ID }) {
			s.CloneSessions = append(s.CloneSessions, c)
		}
	}
	for _, d := range old.Digests {
		if !slices.ContainsFunc(s.Digests, func(x Digest) bool { return x.Name == d.Name }) {
			s.Digests = append(s.Digests, d)
		}
	}
	return s
}
