package bmv2

import (
	"encoding/json"
	"fmt"
	"math"
)

// Expressions are decoded from what encoding/json makes of JSON without a type (maps, slices,
// texts, numbers), so that a text is read once however deep it is nested.

// rawOp is an operation, or a value object when a wrapper holds a plain one.
type rawOp struct {
	op                string
	left, right, cond any
	value             rawValue
}

// valueKeys are the attributes of a value object, and opKeys those of an operation.
var (
	valueKeys = map[string]bool{"type": true, "value": true, "bitwidth": true, "signed": true,
		"source_info": true}
	opKeys = map[string]bool{"op": true, "left": true, "right": true, "cond": true, "type": true,
		"value": true, "bitwidth": true, "source_info": true}
)

// object checks that v is an object with no attributes but some.
func object(v any, keys map[string]bool) (map[string]any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: want an object", brief(v))
	}
	for k := range m {
		if !keys[k] {
			return nil, unsupported(fmt.Sprintf("attribute %q", k))
		}
	}
	return m, nil
}

// toValue reads a value object.
func toValue(v any) (out rawValue, err error) {
	m, err := object(v, valueKeys)
	if err != nil {
		return out, err
	}
	out.Value = m["value"]
	if out.Type, err = attribute[string](m, "type"); err != nil {
		return out, err
	}
	if w, ok := m["bitwidth"]; ok {
		out.Width, err = toInt(w)
	}
	return out, err
}

// toOp reads the value of an "expression".
func toOp(v any) (*rawOp, error) {
	m, err := object(v, opKeys)
	if err != nil {
		return nil, err
	}
	out := &rawOp{left: m["left"], right: m["right"], cond: m["cond"]}
	if out.op, err = attribute[string](m, "op"); err != nil {
		return nil, err
	}
	out.value.Value = m["value"]
	out.value.Type, err = attribute[string](m, "type")
	return out, err
}

// attribute returns an attribute of an object; absent or null, it is the zero value.
func attribute[T any](m map[string]any, name string) (out T, err error) {
	v := m[name]
	if v == nil {
		return out, nil
	}
	out, ok := v.(T)
	if !ok {
		return out, fmt.Errorf("attribute %q: %s is not of the right type", name, brief(v))
	}
	return out, nil
}

// toInt reads a whole number.
func toInt(v any) (int, error) {
	f, ok := v.(float64)
	if !ok || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		return 0, fmt.Errorf("%s: want a whole number of 32 bits", brief(v))
	}
	return int(f), nil
}

// toInts reads a list of n whole numbers.
func toInts(v any, n int) ([]int, error) {
	list, ok := v.([]any)
	if !ok || len(list) != n {
		return nil, fmt.Errorf("%s: want %d numbers", brief(v), n)
	}
	out := make([]int, n)
	for i, x := range list {
		var err error
		if out[i], err = toInt(x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// toNames reads a list of n texts.
func toNames(v any, n int) ([]string, error) {
	list, ok := v.([]any)
	if !ok || len(list) != n {
		return nil, fmt.Errorf("%s: want %d names", brief(v), n)
	}
	out := make([]string, n)
	for i, x := range list {
		if out[i], ok = x.(string); !ok {
			return nil, fmt.Errorf("%s: want a name", brief(x))
		}
	}
	return out, nil
}

// brief shows the beginning of a value in an error.
func brief(v any) string {
	const most = 80
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("value of type %T", v)
	}
	if len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(text)
}
