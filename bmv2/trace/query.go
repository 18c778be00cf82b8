package trace

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// ErrQuery is reported for a parameter that cannot be understood.
var ErrQuery = errors.New("valid are HEADER.FIELD=VALUE[/BITS], port=NUMBER, bytes=OFFSET:HEX, limit=NUMBER")

// ParseQuery understands the parameters of a request. limit is 0 if there is none. Whether fields
// exist is known only to the switch.
func ParseQuery(q url.Values) (f v1model.Filter, limit int, err error) {
	for _, name := range sortedKeys(q) {
		for _, value := range q[name] {
			if err := add(&f, &limit, name, value); err != nil {
				return v1model.Filter{}, 0, fmt.Errorf("%s=%s: %w: %w", name, value, err, ErrQuery)
			}
		}
	}
	return f, limit, nil
}

// sortedKeys makes errors and filters the same for the same query.
func sortedKeys(q url.Values) (keys []string) {
	for name := range q {
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return keys
}

func add(f *v1model.Filter, limit *int, name, value string) error {
	switch {
	case strings.Contains(name, "."):
		field, err := parseField(name, value)
		f.Fields = append(f.Fields, field)
		return err
	case name == "port":
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil || n > port.MaxNumber {
			return fmt.Errorf("want a port from 0 to %d", port.MaxNumber)
		}
		f.Ports = append(f.Ports, uint16(n))
		return nil
	case name == "limit":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return errors.New("want a number from 1 on")
		}
		*limit = n
		return nil
	case name == "bytes":
		raw, err := parseRaw(value)
		f.Raw = append(f.Raw, raw)
		return err
	}
	return errors.New("unknown parameter")
}

func parseRaw(text string) (r v1model.RawFilter, err error) {
	offset, digits, _ := strings.Cut(text, ":")
	r.Offset, err = strconv.Atoi(offset)
	bytes, err2 := hex.DecodeString(digits)
	if err != nil || err2 != nil || r.Offset < 0 || r.Offset > port.MaxFrame || len(bytes) == 0 {
		return r, fmt.Errorf("want an offset from 0 to %d and at least one byte", port.MaxFrame)
	}
	r.Bytes = bytes
	return r, nil
}

func parseField(name, text string) (f v1model.FieldFilter, err error) {
	f.Name, f.Prefix = name, -1
	value, bits, cut := strings.Cut(text, "/")
	if cut {
		if f.Prefix, err = strconv.Atoi(bits); err != nil || f.Prefix < 0 {
			return f, errors.New("want a number of bits after the slash")
		}
	}
	if f.Value, err = parseValue(value); err != nil {
		return f, err
	}
	return f, nil
}

// parseValue understands numbers and addresses.
func parseValue(text string) ([]byte, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.AsSlice(), nil
	}
	if m, err := net.ParseMAC(text); err == nil {
		return m, nil
	}
	const longest = 2 * port.MaxFrame
	if digits, ok := strings.CutPrefix(text, "0x"); ok && len(digits) > 0 && len(digits) <= longest {
		if b, err := hex.DecodeString(strings.Repeat("0", len(digits)%2) + digits); err == nil {
			return b, nil
		}
	}
	v, ok := new(big.Int), false
	if len(text) <= longest {
		v, ok = v.SetString(text, 10)
	}
	if !ok || v.Sign() < 0 {
		return nil, errors.New("want a number (decimal or 0x and hexadecimal digits), an IP address, or a " +
			"MAC address")
	}
	return v.Bytes(), nil
}
