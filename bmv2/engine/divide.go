package engine

import (
	"math/bits"

	"github.com/turbokv/turbokv/bmv2"
)

// wideDivide compiles / and % on exact operands of any width.
func (c *compiler) wideDivide(e *bmv2.OpExpr) (wide, error) {
	n := max(c.boundOf(e.Left).limbs(), c.boundOf(e.Right).limbs())
	l, err := c.exactIn(e.Left, n)
	if err != nil {
		return nil, err
	}
	r, err := c.exactIn(e.Right, n)
	q, rest := c.temp(n), c.temp(n+1)
	remainder := e.Op == bmv2.OpMod
	return func(st *State, dst []uint64) {
		a, b := l.eval(st), r.eval(st)
		quotient, left := q.of(st), rest.of(st)
		negA, negB := makePositive(a), makePositive(b)
		divLimbs(quotient, left, a, b)
		out, negative := quotient, negA != negB
		if remainder {
			out, negative = left[:n], negA
		}
		if negative {
			negate(out)
		}
		extend(dst, out)
	}, err
}

// makePositive replaces a number by its absolute value and reports whether it was negative.
func makePositive(l []uint64) bool {
	negative := signFill(l) != 0
	if negative {
		negate(l)
	}
	return negative
}

func negate(l []uint64) {
	carry := uint64(1)
	for i := range l {
		l[i], carry = bits.Add64(^l[i], 0, carry)
	}
}

// divLimbs computes quotient and remainder of numbers that are not negative; both are zero when
// the divisor is. rest has one limb more than the operands; quotient, a and b are equally long.
// It is the long division of Knuth's algorithm D (The Art of Computer Programming, vol. 2, 4.3.1)
// on the shifted divisor, which stays in b.
func divLimbs(quotient, rest, a, b []uint64) {
	clear(quotient)
	clear(rest)
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	if n == 0 {
		return
	}
	shift := uint64(bits.LeadingZeros64(b[n-1]))
	shlLimbs(b, b, shift)
	copy(rest, a)
	shlLimbs(rest, rest, shift)
	for j := len(a) - n; j >= 0; j-- {
		quotient[j] = divStep(rest[j:j+n+1], b[:n])
	}
	shrLimbs(rest, shift)
}

// divStep subtracts the divisor from rest as often as it goes, and returns how often that is. rest
// has one limb more than the divisor, whose top bit is set.
func divStep(rest, divisor []uint64) uint64 {
	n := len(divisor)
	top := divisor[n-1]
	guess := ^uint64(0)
	if rest[n] < top {
		guess, _ = bits.Div64(rest[n], rest[n-1], top)
	}
	borrow := subMul(rest, divisor, guess)
	for borrow { // the guess is at most two too large
		guess--
		borrow = !addBack(rest, divisor)
	}
	return guess
}

// subMul subtracts by*divisor and reports whether the result is negative.
func subMul(rest, divisor []uint64, by uint64) bool {
	var borrow, carry uint64
	for i, d := range divisor {
		hi, lo := bits.Mul64(d, by)
		lo, c := bits.Add64(lo, carry, 0)
		carry = hi + c
		rest[i], borrow = bits.Sub64(rest[i], lo, borrow)
	}
	n := len(divisor)
	rest[n], borrow = bits.Sub64(rest[n], carry, borrow)
	return borrow != 0
}

// addBack adds the divisor and reports whether the result is no longer negative.
func addBack(rest, divisor []uint64) bool {
	var carry uint64
	for i, d := range divisor {
		rest[i], carry = bits.Add64(rest[i], d, carry)
	}
	n := len(divisor)
	rest[n], carry = bits.Add64(rest[n], 0, carry)
	return carry != 0
}

// shrLimbs shifts an unsigned number right by less than 64 bits, in place.
func shrLimbs(l []uint64, by uint64) {
	for i := range l {
		l[i] >>= by
		if i+1 < len(l) && by > 0 {
			l[i] |= l[i+1] << (64 - by)
		}
	}
}
