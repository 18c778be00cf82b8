// Package dataset reads records to be loaded from CSV or JSON lines.
package dataset

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Record is one record of a file.
type Record struct {
	Key, Value []byte
}

// Reader reads records in order. After the last it returns io.EOF. Errors name the line.
type Reader interface {
	Read() (Record, error)
}

// ErrFormat marks input that cannot be understood.
var ErrFormat = errors.New("malformed input")

// The formats.
const (
	CSV       = "csv"
	JSONLines = "jsonl"
)

// New returns a reader of that format.
func New(format string, r io.Reader) (Reader, error) {
	switch format {
	case CSV:
		return newCSV(r)
	case JSONLines:
		return &lines{decoder: json.NewDecoder(r)}, nil
	}
	return nil, fmt.Errorf("%w: format %q: must be %s or %s", ErrFormat, format, CSV, JSONLines)
}

// table reads CSV: two columns key and value, or a header that names them among others.
type table struct {
	rows       *csv.Reader
	key, value int
	first      []string // row that turned out not to be a header
}

func newCSV(r io.Reader) (Reader, error) {
	t := &table{rows: csv.NewReader(r)}
	first, err := t.rows.Read()
	if errors.Is(err, io.EOF) {
		return t, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	t.key, t.value = slices.Index(first, "key"), slices.Index(first, "value")
	switch {
	case t.key >= 0 && t.value >= 0:
		return t, nil
	case len(first) == 2:
		t.key, t.value, t.first = 0, 1, first
		return t, nil
	}
	return nil, fmt.Errorf("%w: line 1: %d columns: give two, key and value, or a header that names "+
		"them", ErrFormat, len(first))
}

func (t *table) Read() (Record, error) {
	row := t.first
	if t.first = nil; row == nil {
		var err error
		if row, err = t.rows.Read(); err != nil {
			if errors.Is(err, io.EOF) {
				return Record{}, io.EOF
			}
			return Record{}, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	if row[t.key] == "" {
		line, _ := t.rows.FieldPos(t.key)
		return Record{}, fmt.Errorf("%w: line %d: the key is empty", ErrFormat, line)
	}
	return Record{[]byte(row[t.key]), []byte(row[t.value])}, nil
}

// lines reads JSON objects with the members key and value, as `turbokv scan -o json` writes them.
type lines struct {
	decoder *json.Decoder
	count   int
}

func (l *lines) Read() (Record, error) {
	var r struct{ Key, Value *Octets }
	err := l.decoder.Decode(&r)
	if errors.Is(err, io.EOF) {
		return Record{}, io.EOF
	}
	l.count++
	switch {
	case err != nil:
		return Record{}, fmt.Errorf("%w: record %d: %w", ErrFormat, l.count, err)
	case r.Key == nil || r.Value == nil || len(*r.Key) == 0:
		return Record{}, fmt.Errorf("%w: record %d: needs a key and a value, and the key must not be "+
			"empty", ErrFormat, l.count)
	}
	return Record{*r.Key, *r.Value}, nil
}
