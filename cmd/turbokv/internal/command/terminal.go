package command

import (
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// terminal tells the size of the terminal that standard output is, if it is one.
func (a *app) terminal() (columns, rows int, ok bool) {
	if a.Size != nil {
		return a.Size()
	}
	f, isFile := a.Out.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, 0, false
	}
	columns, rows, err := term.GetSize(int(f.Fd()))
	return columns, rows, err == nil
}

// readable is the form of bytes that may not be a text: as they are, or quoted on a terminal that
// they would disturb. Characters in allowed do not disturb.
func (a *app) readable(b []byte, allowed string) string {
	if _, _, terminal := a.terminal(); terminal && !printable(b, allowed) {
		return fmt.Sprintf("%q", b)
	}
	return string(b)
}

// printable reports whether a terminal shows bytes as they are.
func printable(b []byte, allowed string) bool {
	for rest := b; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 ||
			!unicode.IsPrint(r) && !strings.ContainsRune(allowed, r) {
			return false
		}
		rest = rest[size:]
	}
	return true
}

// shown is the form of a text of others in a table: as it is, or quoted when that would disturb a
// terminal.
func shown(text string) string {
	if printable([]byte(text), "") {
		return text
	}
	return fmt.Sprintf("%q", text)
}

// fit cuts a text to the lines and columns of a screen, and tells how many lines are missing.
func fit(text string, columns, rows int) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if over := len(lines) - rows; over > 0 && rows > 0 {
		lines = append(lines[:rows-1:rows-1], fmt.Sprintf("... %d more lines", over+1))
	}
	for i, line := range lines {
		if utf8.RuneCountInString(line) > columns && columns > 0 {
			lines[i] = string([]rune(line)[:columns])
		}
	}
	return lines
}
