package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"

	"github.com/turbokv/turbokv/bmv2"
)

// mostRefusals bounds the attempts.
const mostRefusals = 100

// refusals returns what keeps a program from running, one text for each construct.
func refusals(data []byte) (all []string) {
	for len(all) < mostRefusals {
		err := verify(data)
		if err == nil || len(all) > 0 && !errors.Is(err, bmv2.ErrUnsupported) {
			return all // or what was taken out is missing
		}
		if text := err.Error(); !slices.Contains(all, text) {
			all = append(all, text)
		}
		next, ok := without(data, err)
		if !ok {
			return all
		}
		data = next
	}
	return all
}

// quoted finds names in errors.
var (
	primitiveName = regexp.MustCompile(`^primitive "([^"]+)"$`)
	attributeName = regexp.MustCompile(`^attribute "([^"]+)"$`)
	externName    = regexp.MustCompile(`^extern instance "([^"]+)"$`)
	actionName    = regexp.MustCompile(`action "([^"]+)"`)
	stateName     = regexp.MustCompile(`state "([^"]+)"`)
)

// without returns the program without the construct that an error names. It reports false when it
// cannot be taken out, or nothing was found.
func without(data []byte, err error) ([]byte, bool) {
	var u *bmv2.UnsupportedError
	if !errors.As(err, &u) {
		return nil, false
	}
	var program any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if d.Decode(&program) != nil {
		return nil, false
	}
	var e edit
	switch construct, text := u.Construct, err.Error(); {
	case primitiveName.MatchString(construct):
		e.call = primitiveName.FindStringSubmatch(construct)[1]
	case attributeName.MatchString(construct):
		e.attribute = attributeName.FindStringSubmatch(construct)[1]
	case externName.MatchString(construct):
		e.list, e.name = "extern_instances", externName.FindStringSubmatch(construct)[1]
	case actionName.MatchString(text):
		e.body, e.name = "primitives", actionName.FindStringSubmatch(text)[1]
	case stateName.MatchString(text):
		e.body, e.name = "parser_ops", stateName.FindStringSubmatch(text)[1]
	default:
		return nil, false
	}
	e.apply(program)
	out, err := json.Marshal(program)
	return out, err == nil && e.done
}

// edit takes something out of a decoded JSON text, wherever it stands. Which members are set says
// what.
type edit struct {
	call       string // calls of a primitive, which do nothing then: jumps count them
	attribute  string // members of this name
	list, name string // elements of lists called list whose member "name" is name
	body       string // the elements of the list body of objects whose member "name" is name
	done       bool   // something was taken out
}

func (e *edit) apply(v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			e.apply(x)
		}
	case map[string]any:
		e.object(v)
		for _, x := range v {
			e.apply(x)
		}
	}
}

func (e *edit) object(v map[string]any) {
	if _, there := v[e.attribute]; e.attribute != "" && there {
		delete(v, e.attribute)
		e.done = true
	}
	if list, ok := v[e.body].([]any); ok && e.body != "" && v["name"] == e.name && len(list) > 0 {
		v[e.body] = []any{}
		e.done = true
	}
	if e.call != "" && v["op"] == e.call {
		v["op"], v["parameters"] = "no_op", []any{}
		e.done = true
	}
	if list, ok := v[e.list].([]any); ok && e.list != "" {
		kept := slices.DeleteFunc(list, func(x any) bool {
			m, ok := x.(map[string]any)
			return ok && m["name"] == e.name
		})
		e.done = e.done || len(kept) < len(list)
		v[e.list] = kept
	}
}
