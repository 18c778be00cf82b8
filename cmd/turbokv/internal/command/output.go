package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
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
	e := a.encoder()
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printLine writes v as JSON on one line, or calls text for people: for commands that print one
// thing after the other.
func (a *app) printLine(v any, text func(w io.Writer) error) error {
	if a.output == outputTable {
		return text(a.Out)
	}
	return a.encoder().Encode(v)
}

// encoder writes JSON for programs and people, not for web pages: < and > stay.
func (a *app) encoder() *json.Encoder {
	e := json.NewEncoder(a.Out)
	e.SetEscapeHTML(false)
	return e
}

// printDone writes v as JSON; people are told nothing when all is well.
func (a *app) printDone(v any) error {
	return a.print(v, func(io.Writer) error { return nil })
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
