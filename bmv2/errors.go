package bmv2

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnsupported is matched by every [UnsupportedError].
var ErrUnsupported = errors.New("unsupported construct")

// UnsupportedError names a construct of the JSON that this switch does not implement.
type UnsupportedError struct {
	Construct string   // such as "meter array \"MyIngress.m\""
	Where     string   // such as "action \"MyIngress.police\"", or ""
	Supported []string // the alternatives, or nil
}

// Error implements error.
func (e *UnsupportedError) Error() string {
	var b strings.Builder
	b.WriteString(e.Construct)
	if e.Where != "" {
		b.WriteString(" in " + e.Where)
	}
	b.WriteString(" is not supported")
	if len(e.Supported) > 0 {
		b.WriteString("; supported: " + strings.Join(e.Supported, ", "))
	}
	return b.String()
}

// Is makes errors.Is(err, ErrUnsupported) true.
func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }

// in adds the place to an error. The innermost place of an UnsupportedError stays.
func in(err error, kind, name string) error {
	if err == nil {
		return nil
	}
	where := fmt.Sprintf("%s %q", kind, name)
	var u *UnsupportedError
	if errors.As(err, &u) {
		if u.Where == "" {
			u.Where = where
		}
		return err
	}
	return fmt.Errorf("%s: %w", where, err)
}

func unsupported(construct string, supported ...string) error {
	return &UnsupportedError{Construct: construct, Supported: supported}
}
