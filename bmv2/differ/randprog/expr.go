package randprog

import (
	"fmt"
	"math/big"
)

// expr returns an expression of a type. p4c divides only what it can compute itself.
func (w *writer) expr(k kind, depth int) string {
	if k == boolean {
		return w.condition(depth)
	}
	if depth == 0 || w.pick(6) == 0 {
		return w.leaf(k)
	}
	sub := func() string { return w.expr(k, depth-1) }
	switch w.pick(13) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", sub(), w.oneOf("+", "-", "*"), sub())
	case 2:
		return fmt.Sprintf("(%s %s %s)", sub(), w.oneOf("&", "|", "^"), sub())
	case 3:
		if k.width < 2 {
			return w.leaf(k)
		}
		return fmt.Sprintf("(%s %s %s)", sub(), w.oneOf("|+|", "|-|"), sub())
	case 4:
		return fmt.Sprintf("(%s %s %s)", sub(), w.oneOf("<<", ">>"), w.shift(depth-1))
	case 5:
		return fmt.Sprintf("(%s%s)", w.oneOf("~", "-"), sub())
	case 6:
		return fmt.Sprintf("(%s ? %s : %s)", w.condition(depth-1), sub(), sub())
	case 7, 8:
		return w.cast(k, depth-1)
	case 9:
		return w.slice(k, depth-1)
	case 10:
		return w.concat(k, depth-1)
	}
	return w.leaf(k)
}

func (w *writer) oneOf(choices ...string) string { return choices[w.pick(len(choices))] }

// shift returns a number of bits; p4c wants at most 8 bits of it.
func (w *writer) shift(depth int) string {
	if w.pick(2) == 0 {
		return fmt.Sprintf("8w%d", w.pick(140))
	}
	return w.expr(kind{width: 8}, min(depth, 1))
}

// cast returns a number of another width, or of the other signedness, made fit.
func (w *writer) cast(k kind, depth int) string {
	if w.pick(3) == 0 && k.width > 1 {
		other := kind{k.width, !k.signed}
		return fmt.Sprintf("((%v)%s)", k, w.expr(other, depth))
	}
	from := w.anyKind()
	if k.signed && from.width < 2 {
		from.width = 2
	}
	from.signed = k.signed
	return fmt.Sprintf("((%v)%s)", k, w.expr(from, depth))
}

func (w *writer) slice(k kind, depth int) string {
	if k.signed {
		return w.leaf(k)
	}
	low := w.pick(20)
	from := kind{width: k.width + low + w.pick(20)}
	// A slice of a constant, or of a cast, would be folded; of a variable it is not.
	return fmt.Sprintf("(%s)[%d:%d]", w.expr(from, depth), low+k.width-1, low)
}

func (w *writer) concat(k kind, depth int) string {
	if k.width < 2 || k.signed {
		return w.leaf(k)
	}
	low := 1 + w.pick(k.width-1)
	return fmt.Sprintf("(%s ++ %s)", w.expr(kind{width: k.width - low}, depth), w.expr(kind{width: low}, depth))
}

// condition returns an expression of type bool.
func (w *writer) condition(depth int) string {
	if depth <= 0 {
		return w.boolLeaf()
	}
	switch w.pick(8) {
	case 0:
		return fmt.Sprintf("(%s %s %s)", w.condition(depth-1), w.oneOf("&&", "||"), w.condition(depth-1))
	case 1:
		return fmt.Sprintf("(!%s)", w.condition(depth-1))
	case 2:
		return w.boolLeaf()
	}
	k := w.anyKind()
	return fmt.Sprintf("(%s %s %s)", w.expr(k, depth-1),
		w.oneOf("==", "!=", "<", "<=", ">", ">="), w.expr(k, depth-1))
}

func (w *writer) boolLeaf() string {
	switch w.pick(3) {
	case 0:
		return w.oneOf("h.base.isValid()", "h.part0.isValid()", "h.items[1].isValid()", "h.part2.isValid()")
	case 1:
		return w.oneOf("true", "false")
	}
	return "m.f0"
}

// leaf returns a variable of the type, another one made fit, or a constant.
func (w *writer) leaf(k kind) string {
	if w.pick(5) == 0 {
		return w.constant(k)
	}
	var same, others []variable
	for _, v := range append(w.vars[:len(w.vars):len(w.vars)], w.params...) {
		switch {
		case v.kind == boolean || v.guard != "" && !w.valid[v.guard]:
		case v.kind == k:
			same = append(same, v)
		case v.kind.signed == k.signed:
			others = append(others, v)
		}
	}
	if len(same) > 0 && (w.pick(2) == 0 || len(others) == 0) {
		return same[w.pick(len(same))].name
	}
	if len(others) > 0 {
		return fmt.Sprintf("((%v)%s)", k, others[w.pick(len(others))].name)
	}
	return w.constant(k)
}

// constant returns a literal that fits.
func (w *writer) constant(k kind) string {
	v := new(big.Int)
	for range (k.width + 63) / 64 {
		v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(w.r.Uint64()))
	}
	switch w.pick(4) {
	case 0:
		v.SetInt64(int64(w.pick(4)))
	case 1:
		v.Sub(new(big.Int).Lsh(big.NewInt(1), uint(k.width)), big.NewInt(1))
	}
	bits := k.width
	if k.signed {
		bits--
	}
	v.Mod(v, new(big.Int).Lsh(big.NewInt(1), uint(bits)))
	if k.signed {
		return fmt.Sprintf("%ds%v", k.width, v)
	}
	return fmt.Sprintf("%dw%v", k.width, v)
}
