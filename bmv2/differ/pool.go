package differ

import (
	"math/big"
	"math/rand/v2"

	"github.com/turbokv/turbokv/bmv2"
)

// place is a field of a header type; the elements of a stack share it.
type place struct {
	of    *bmv2.HeaderType
	index int
}

// pool holds the values that frames and entries draw from.
type pool struct {
	values map[place][]*big.Int
	// sessions and groups are the ids that the program names in its actions.
	sessions, groups map[uint16]bool
}

// randomValues is the number of values that a pool has for a field of a key beside those that the
// program names: few, so that frames and entries meet.
const randomValues = 3

// newPool collects the values that a program asks for.
func newPool(r *rand.Rand, p *bmv2.Program) *pool {
	q := &pool{values: map[place][]*big.Int{},
		sessions: map[uint16]bool{1: true, 2: true}, groups: map[uint16]bool{1: true, 2: true, 3: true}}
	visitExprs(p, q.compare)
	visitCalls(p, q.call)
	for _, t := range p.Tables() {
		q.table(r, t)
	}
	return q
}

// compare adds the constants that fields are compared with, and their neighbours.
func (q *pool) compare(e bmv2.Expr) {
	op, ok := e.(*bmv2.OpExpr)
	if !ok {
		return
	}
	for _, sides := range [][2]bmv2.Expr{{op.Left, op.Right}, {op.Right, op.Left}} {
		field, isField := sides[0].(*bmv2.FieldExpr)
		number, isConst := sides[1].(*bmv2.ConstExpr)
		if !isField || !isConst {
			continue
		}
		for _, off := range []int64{0, 0, 1, -1} {
			q.add(field.Ref, new(big.Int).Add(number.Value, big.NewInt(off)))
		}
	}
}

// add keeps the lowest bits of a value.
func (q *pool) add(f bmv2.FieldRef, v *big.Int) {
	if f.Index == bmv2.ValidField || f.Header == nil {
		return
	}
	at := place{f.Header.Type, f.Index}
	q.values[at] = append(q.values[at], cut(v, f.Width()))
}

// cut returns the lowest bits of v, in two's complement if it is negative.
func cut(v *big.Int, width int) *big.Int {
	limit := new(big.Int).Lsh(big.NewInt(1), uint(width))
	return new(big.Int).Mod(v, limit)
}

// call notes the numbers of clone sessions and multicast groups among the arguments of a primitive.
func (q *pool) call(c bmv2.Primitive) {
	switch c.Op {
	case "clone_ingress_pkt_to_egress", "clone_egress_pkt_to_egress":
		if n, ok := smallConst(c.Args); ok {
			q.sessions[n] = true
		}
	case "assign", "modify_field":
		if dst, ok := c.Args[0].(*bmv2.FieldExpr); ok && isGroupField(dst.Ref) {
			if n, ok := smallConst(c.Args[1:]); ok && n != 0 {
				q.groups[n] = true
			}
		}
	}
}

func isGroupField(f bmv2.FieldRef) bool {
	return f.Index >= 0 && f.Header.Type.Fields[f.Index].Name == "mcast_grp"
}

func smallConst(args []bmv2.Expr) (uint16, bool) {
	if len(args) == 0 {
		return 0, false
	}
	n, ok := args[0].(*bmv2.ConstExpr)
	if !ok || !n.Value.IsUint64() || n.Value.Uint64() >= 1<<15 {
		return 0, false
	}
	return uint16(n.Value.Uint64()), true
}

// table adds the values of constant entries, and random ones.
func (q *pool) table(r *rand.Rand, t *bmv2.Table) {
	for i, k := range t.Key {
		for _, e := range t.Entries {
			if v := e.Match[i].Value; v != nil {
				q.add(k.Field, v)
			}
		}
		for range randomValues {
			q.add(k.Field, anyValue(r, k.Width))
		}
	}
}

// draw returns a value for a field: often one of the pool.
func (q *pool) draw(r *rand.Rand, f bmv2.FieldRef) *big.Int {
	if f.Index == bmv2.ValidField {
		return big.NewInt(int64(r.IntN(2)))
	}
	if f.Header.Type.Fields[f.Index].Name == "ingress_port" {
		return big.NewInt(int64(anyPort(r)))
	}
	known := q.values[place{f.Header.Type, f.Index}]
	if len(known) > 0 && r.IntN(5) > 0 {
		return known[r.IntN(len(known))]
	}
	return anyValue(r, f.Width())
}

// ports is the number of ports in use.
const ports = 8

func anyPort(r *rand.Rand) uint16 { return uint16(r.IntN(ports)) }

// anyValue returns a random value, now and then one of those at which arithmetic goes wrong.
func anyValue(r *rand.Rand, width int) *big.Int {
	if width == 0 {
		return new(big.Int)
	}
	switch r.IntN(8) {
	case 0:
		return new(big.Int)
	case 1: // all ones
		return cut(big.NewInt(-1), width)
	case 2: // the smallest negative number
		return new(big.Int).Lsh(big.NewInt(1), uint(width-1))
	case 3, 4:
		return cut(big.NewInt(int64(r.IntN(10))), width)
	}
	v := new(big.Int)
	for range (width + 63) / 64 {
		v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(r.Uint64()))
	}
	return cut(v, width)
}
