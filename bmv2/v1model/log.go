package v1model

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// log compiles log_msg: a text in which each {} stands for an argument.
func (a *arch) log(c *engine.Compiler, in args) (compiled, error) {
	text, ok := in[0].(*bmv2.StringExpr)
	vec, ok2 := in[1].(*bmv2.VectorExpr)
	if !ok || !ok2 {
		return nil, fmt.Errorf("arguments of types %T and %T: want a text and a list", in[0], in[1])
	}
	parts, err := placeholders(text.Value)
	if err != nil {
		return nil, err
	}
	if len(parts) != len(vec.Values)+1 {
		return nil, fmt.Errorf("text %q with %d arguments: want %d", text.Value,
			len(vec.Values), len(parts)-1)
	}
	var values []func(*engine.State) []uint64
	for _, e := range vec.Values {
		v, err := c.Limbs(e)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return func(st *engine.State) {
		if a.cfg.OnLog == nil && st.Watcher == nil || glanced(st) {
			return
		}
		said := format(st, parts, values)
		if a.cfg.OnLog != nil {
			a.cfg.OnLog(said)
		}
		recorderOf(st).step(Step{Log: said})
	}, nil
}

// placeholders cuts a text where arguments stand: at braces with anything in between. A backslash
// makes a brace a character.
func placeholders(text string) (parts []string, err error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && (text[i+1] == '{' || text[i+1] == '}'):
			i++
			b.WriteByte(text[i])
		case c == '{':
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return nil, fmt.Errorf("text %q: a brace is not closed", text)
			}
			parts = append(parts, b.String())
			b.Reset()
			i += end
		default:
			b.WriteByte(c)
		}
	}
	return append(parts, b.String()), nil
}

func format(st *engine.State, parts []string, values []func(*engine.State) []uint64) string {
	var b strings.Builder
	b.WriteString(parts[0])
	for i, v := range values {
		b.WriteString(decimal(v(st)))
		b.WriteString(parts[i+1])
	}
	return b.String()
}

// decimal prints little-endian limbs in two's complement.
func decimal(limbs []uint64) string {
	v := new(big.Int)
	for i := len(limbs) - 1; i >= 0; i-- {
		v.Lsh(v, 64)
		v.Or(v, new(big.Int).SetUint64(limbs[i]))
	}
	if int64(limbs[len(limbs)-1]) < 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(64*len(limbs))))
	}
	return v.String()
}
