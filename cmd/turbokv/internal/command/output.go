package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// The output formats.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// print writes v as JSON, or calls table for people.
func (a *app) print(v any, table func(w io.Writer) error) error {
	if a.output == outputTable {
		return table(a.Out)
	}
	e := json.NewEncoder(a.Out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table prints rows under a header, in columns.
func table(w io.Writer, header string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(header, " ", "\t"))
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// shown is the form of a key in a table: as it is, or quoted when that would disturb a terminal.
func shown(b []byte) string {
	for _, r := range string(b) {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return fmt.Sprintf("%q", b)
		}
	}
	return string(b)
}
