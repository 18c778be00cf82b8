package stf

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
)

// pick finds the one name that equals want or, if none does, ends with it.
func pick(kind, want string, names []string) (int, error) {
	found := -1
	for i, n := range names {
		if n == want {
			return i, nil
		}
		if !strings.HasSuffix(n, want) {
			continue
		}
		if found >= 0 && names[found] != n {
			return 0, fmt.Errorf("%s %q is ambiguous: %s, %s", kind, want, names[found], n)
		}
		found = i
	}
	if found < 0 {
		return 0, fmt.Errorf("unknown %s %q: the program has %s", kind, want,
			strings.Join(names, ", "))
	}
	return found, nil
}

func findTable(p *bmv2.Program, name string) (*bmv2.Table, error) {
	all := p.Tables()
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.Name
	}
	i, err := pick("table", name, names)
	if err != nil {
		return nil, err
	}
	return all[i], nil
}

func findAction(t *bmv2.Table, name string) (*bmv2.Action, error) {
	names := make([]string, len(t.Actions))
	for i, a := range t.Actions {
		names[i] = a.Name
	}
	i, err := pick("action", name, names)
	if err != nil {
		return nil, err
	}
	return t.Actions[i], nil
}

var stackIndex = regexp.MustCompile(`^(.*)\$([0-9]+)(.*)$`)

// findKey finds a key field by name, by the part of it after a dot, or by ".valid".
func findKey(t *bmv2.Table, name string) (int, error) {
	name = stackIndex.ReplaceAllString(name, "$1[$2]$3")
	alt := strings.TrimSuffix(name, ".valid") + ".$valid$"
	for _, want := range []string{name, name + "$", name + ".$valid$", alt} {
		for i, k := range t.Key {
			if k.Name == want {
				return i, nil
			}
		}
	}
	var names []string
	for i, k := range t.Key {
		if strings.HasSuffix(k.Name, "."+name) || strings.HasSuffix(k.Name, "."+name+"$") ||
			name == "valid" && strings.HasSuffix(k.Name, "$valid$") {
			return i, nil
		}
		names = append(names, k.Name)
	}
	return 0, fmt.Errorf("table %q has no key %q: it has %s", t.Name, name,
		strings.Join(names, ", "))
}
