package differ

import (
	"math/big"
	"math/rand/v2"
	"slices"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2"
)

// maxPerTable bounds the entries of one table.
const maxPerTable = 8

// filler makes the updates that program a switch before frames come.
type filler struct {
	r        *rand.Rand
	pool     *pool
	program  *bmv2.Program
	info     *p4config.P4Info
	priority int32
}

// updates returns, in the order in which they must be written, groups, sessions, digests and table
// entries, with about n entries per table.
func (f *filler) updates(n int) []*p4v1.Update {
	out := f.replication()
	for _, d := range f.info.GetDigests() {
		out = append(out, insert(&p4v1.Entity{Entity: &p4v1.Entity_DigestEntry{
			DigestEntry: &p4v1.DigestEntry{DigestId: d.GetPreamble().GetId(),
				Config: &p4v1.DigestEntry_Config{MaxListSize: 1}}}}))
	}
	profiles := f.profiles()
	out = append(out, profiles...)
	for _, t := range f.info.GetTables() {
		out = append(out, f.table(t, n)...)
	}
	return append(out, f.meters()...)
}

func insert(e *p4v1.Entity) *p4v1.Update {
	return &p4v1.Update{Type: p4v1.Update_INSERT, Entity: e}
}

func modify(e *p4v1.Entity) *p4v1.Update {
	return &p4v1.Update{Type: p4v1.Update_MODIFY, Entity: e}
}

// replication returns multicast groups and clone sessions.
func (f *filler) replication() (out []*p4v1.Update) {
	for _, id := range sortedKeys(f.pool.groups) {
		out = append(out, insert(preEntity(&p4v1.PacketReplicationEngineEntry{
			Type: &p4v1.PacketReplicationEngineEntry_MulticastGroupEntry{
				MulticastGroupEntry: &p4v1.MulticastGroupEntry{
					MulticastGroupId: uint32(id), Replicas: f.replicas(3)}}})))
	}
	for _, id := range sortedKeys(f.pool.sessions) {
		if f.r.IntN(6) == 0 || id == 0 {
			continue // clones to an unknown session are lost
		}
		out = append(out, insert(preEntity(&p4v1.PacketReplicationEngineEntry{
			Type: &p4v1.PacketReplicationEngineEntry_CloneSessionEntry{
				CloneSessionEntry: &p4v1.CloneSessionEntry{
					SessionId: uint32(id), Replicas: f.replicas(2)}}})))
	}
	return out
}

func preEntity(e *p4v1.PacketReplicationEngineEntry) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_PacketReplicationEngineEntry{
		PacketReplicationEngineEntry: e}}
}

func sortedKeys(m map[uint16]bool) (keys []uint16) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// replicas returns one to n replicas, each with an instance of its own.
func (f *filler) replicas(n int) (out []*p4v1.Replica) {
	for i := range 1 + f.r.IntN(n) {
		out = append(out, &p4v1.Replica{
			PortKind: &p4v1.Replica_EgressPort{EgressPort: uint32(anyPort(f.r))},
			Instance: uint32(i + 1),
		})
	}
	return out
}

// table returns the entries of a table, some later changes, and perhaps a default action.
func (f *filler) table(t *p4config.Table, n int) (out []*p4v1.Update) {
	if !t.GetIsConstTable() && len(t.GetMatchFields()) > 0 {
		for range min(f.r.IntN(2*n+1), maxPerTable, int(t.GetSize())) {
			if e := f.entry(t); e != nil {
				out = append(out, insert(e))
			}
		}
	}
	for _, u := range slices.Clone(out) {
		switch f.r.IntN(12) {
		case 0:
			out = append(out, &p4v1.Update{Type: p4v1.Update_DELETE, Entity: u.GetEntity()})
		case 1:
			if e := f.another(t, u.GetEntity().GetTableEntry()); e != nil {
				out = append(out, modify(e))
			}
		}
	}
	if t.GetConstDefaultActionId() == 0 && t.GetImplementationId() == 0 && f.r.IntN(2) == 0 {
		if a := f.action(t, p4config.ActionRef_TABLE_ONLY); a != nil {
			out = append(out, modify(tableEntity(&p4v1.TableEntry{TableId: t.GetPreamble().GetId(),
				IsDefaultAction: true, Action: a})))
		}
	}
	return out
}

func tableEntity(e *p4v1.TableEntry) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_TableEntry{TableEntry: e}}
}

// entry returns a random entry, or nil if the table has no action for entries, or a key whose type has
// no width, for which PI has no form.
func (f *filler) entry(t *p4config.Table) *p4v1.Entity {
	e := &p4v1.TableEntry{TableId: t.GetPreamble().GetId()}
	if e.Action = f.behaviour(t); e.Action == nil {
		return nil
	}
	table := f.program.Table(t.GetPreamble().GetName())
	ranked := false
	for i, m := range t.GetMatchFields() {
		if m.GetBitwidth() == 0 {
			return nil
		}
		switch m.GetMatchType() {
		case p4config.MatchField_TERNARY, p4config.MatchField_RANGE, p4config.MatchField_OPTIONAL:
			ranked = true
		}
		if match := f.match(m, keyOf(table, m.GetName(), i)); match != nil {
			e.Match = append(e.Match, match)
		}
	}
	if ranked { // no two alike: which of two equal ones wins is open
		f.priority += 1 + f.r.Int32N(3)
		e.Priority = f.priority
		if f.r.IntN(2) == 0 {
			e.Priority = 1<<20 - f.priority
		}
	}
	return tableEntity(e)
}

// another returns the same entry with another action.
func (f *filler) another(t *p4config.Table, e *p4v1.TableEntry) *p4v1.Entity {
	a := f.behaviour(t)
	if a == nil {
		return nil
	}
	return tableEntity(&p4v1.TableEntry{
		TableId: e.GetTableId(), Match: e.GetMatch(), Priority: e.GetPriority(), Action: a})
}

// keyOf returns the key field of a name, or the one at an index.
func keyOf(t *bmv2.Table, name string, index int) *bmv2.KeyField {
	if t == nil {
		return nil
	}
	for i := range t.Key {
		if t.Key[i].Name == name {
			return &t.Key[i]
		}
	}
	if index < len(t.Key) {
		return &t.Key[index]
	}
	return nil
}

// match returns a condition that some frames meet, or nil for one that all do.
func (f *filler) match(m *p4config.MatchField, k *bmv2.KeyField) *p4v1.FieldMatch {
	width := int(m.GetBitwidth())
	value := anyValue(f.r, width)
	if k != nil {
		value = cut(f.pool.draw(f.r, k.Field), width)
		if k.Mask != nil { // simple_switch masks entries, too
			value = new(big.Int).And(value, k.Mask)
		}
	}
	out := &p4v1.FieldMatch{FieldId: m.GetId()}
	switch m.GetMatchType() {
	case p4config.MatchField_EXACT:
		out.FieldMatchType = &p4v1.FieldMatch_Exact_{Exact: &p4v1.FieldMatch_Exact{Value: octets(value)}}
	case p4config.MatchField_OPTIONAL:
		if f.r.IntN(3) == 0 {
			return nil
		}
		out.FieldMatchType = &p4v1.FieldMatch_Optional_{
			Optional: &p4v1.FieldMatch_Optional{Value: octets(value)}}
	case p4config.MatchField_LPM:
		return f.prefix(out, value, width)
	case p4config.MatchField_TERNARY:
		return f.masked(out, value, width)
	case p4config.MatchField_RANGE:
		return f.interval(out, value, width)
	}
	return out
}

// prefix leaves fields open that do not have whole bytes: simple_switch counts the bits of a prefix
// from the highest of the first byte, whether it belongs to the field or not.
func (f *filler) prefix(out *p4v1.FieldMatch, value *big.Int, width int) *p4v1.FieldMatch {
	n := f.r.IntN(width + 1)
	if f.r.IntN(3) == 0 {
		n = width
	}
	if n == 0 || width%8 != 0 {
		return nil
	}
	out.FieldMatchType = &p4v1.FieldMatch_Lpm{Lpm: &p4v1.FieldMatch_LPM{
		Value: octets(new(big.Int).And(value, prefixMask(width, n))), PrefixLen: int32(n)}}
	return out
}

// prefixMask returns n ones in front of zeroes.
func prefixMask(width, n int) *big.Int {
	mask := new(big.Int).Lsh(big.NewInt(1), uint(n))
	return mask.Sub(mask, big.NewInt(1)).Lsh(mask, uint(width-n))
}

func (f *filler) masked(out *p4v1.FieldMatch, value *big.Int, width int) *p4v1.FieldMatch {
	mask := prefixMask(width, width)
	switch f.r.IntN(4) {
	case 0:
		return nil
	case 1:
		mask = anyValue(f.r, width)
	case 2:
		mask = prefixMask(width, 1+f.r.IntN(width))
	}
	if mask.Sign() == 0 {
		return nil
	}
	out.FieldMatchType = &p4v1.FieldMatch_Ternary_{Ternary: &p4v1.FieldMatch_Ternary{
		Value: octets(new(big.Int).And(value, mask)), Mask: octets(mask)}}
	return out
}

// interval avoids what PI takes for the full range, and refuses: from zero to a number of which all
// bits of its bytes are ones. It avoids the full range too where a field does not have whole bytes:
// PI does not recognize it there.
func (f *filler) interval(out *p4v1.FieldMatch, value *big.Int, width int) *p4v1.FieldMatch {
	low, high := value, anyValue(f.r, width)
	if f.r.IntN(3) == 0 {
		high = value
	}
	if low.Cmp(high) > 0 {
		low, high = high, low
	}
	if low.Sign() == 0 && high.Cmp(prefixMask(width, width)) == 0 {
		if width%8 == 0 {
			return nil
		}
		high = low
	}
	if low.Sign() == 0 && high.BitLen()%8 == 0 && high.Cmp(prefixMask(high.BitLen(), high.BitLen())) == 0 {
		high = low
	}
	out.FieldMatchType = &p4v1.FieldMatch_Range_{Range: &p4v1.FieldMatch_Range{
		Low: octets(low), High: octets(high)}}
	return out
}

// octets is the canonical byte string of P4Runtime: the shortest, of at least one byte.
func octets(v *big.Int) []byte {
	if v.Sign() == 0 {
		return []byte{0}
	}
	return v.Bytes()
}
