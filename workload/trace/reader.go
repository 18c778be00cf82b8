package trace

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Reader reads the requests of a trace in order.
type Reader struct {
	lines  *bufio.Reader
	line   int // number of the last line read, from 1
	parse  func(line []byte, r *Request) error
	format string
	first  []byte // first line of a file without header, not yet returned
}

// maxLine bounds a line of a trace in bytes; keys are below 4 KiB.
const maxLine = 64 << 10

// Open tells the layout of a trace by its first line.
func Open(r io.Reader) (*Reader, error) {
	t := &Reader{lines: bufio.NewReaderSize(r, maxLine)}
	line, err := t.readLine()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: the file is empty", ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	if columns, ok := parseHeader(line); ok {
		t.format, t.parse = "cachelib", columns.parse
		return t, columns.check()
	}
	t.format, t.parse = "twitter", parseTwitter
	t.first = bytes.Clone(line)
	var probe Request
	if err := parseTwitter(t.first, &probe); err != nil {
		return nil, fmt.Errorf("line 1 is neither a CacheLib header nor a Twitter request: %w", err)
	}
	return t, nil
}

// Format names the layout: cachelib or twitter.
func (t *Reader) Format() string { return t.format }

// Next fills in the next request. After the last it returns io.EOF.
func (t *Reader) Next(r *Request) error {
	line := t.first
	if t.first = nil; line == nil {
		var err error
		if line, err = t.readLine(); err != nil {
			return err
		}
	}
	if err := t.parse(line, r); err != nil {
		return fmt.Errorf("line %d: %w", t.line, err)
	}
	return nil
}

// readLine returns the next line that is not blank, without its end.
func (t *Reader) readLine() ([]byte, error) {
	for {
		line, err := t.lines.ReadSlice('\n')
		if len(line) > 0 {
			t.line++
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("%w: line %d is longer than %d bytes", ErrFormat, t.line, maxLine)
		}
		if trimmed := bytes.TrimRight(line, "\r\n"); len(trimmed) > 0 {
			return trimmed, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// parseTwitter reads timestamp,key,key size,value size,client id,operation,TTL. The five columns
// after the key are taken from the right, since nothing forbids a comma in a key.
func parseTwitter(line []byte, r *Request) error {
	var column [5][]byte
	rest := line
	for i := len(column) - 1; i >= 0; i-- {
		at := bytes.LastIndexByte(rest, ',')
		if at < 0 {
			return fmt.Errorf("%w: fewer than 7 columns", ErrFormat)
		}
		column[i], rest = rest[at+1:], rest[:at]
	}
	time, key, ok := bytes.Cut(rest, []byte{','})
	if !ok || len(key) == 0 {
		return fmt.Errorf("%w: fewer than 7 columns, or an empty key", ErrFormat)
	}
	var n numbers
	*r = Request{
		Second: n.number("timestamp", time, math.MaxUint64), Key: key, Count: 1,
		KeySize:   int(n.number("key size", column[0], maxSize)),
		ValueSize: int(n.number("value size", column[1], maxSize)),
	}
	n.number("TTL", column[4], math.MaxUint64)
	if n.err != nil {
		return n.err
	}
	var err error
	r.Kind, err = parseKind(column[3])
	return err
}

// numbers keeps the first error of several parseNumber.
type numbers struct{ err error }

func (n *numbers) number(column string, text []byte, limit uint64) uint64 {
	v, err := parseNumber(column, text, limit)
	if n.err == nil {
		n.err = err
	}
	return v
}

// columns is where the header of a CacheLib file puts what we need; -1 where it lacks it.
type columns struct {
	time, key, keySize, op, count, size int
	total                               int
}

// parseHeader reports whether the line is the header of a CacheLib file.
func parseHeader(line []byte) (columns, bool) {
	c := columns{time: -1, key: -1, keySize: -1, op: -1, count: -1, size: -1}
	known := map[string]*int{
		"op_time": &c.time, "key": &c.key, "key_size": &c.keySize, "op": &c.op,
		"op_count": &c.count, "size": &c.size,
	}
	for name := range strings.SplitSeq(string(line), ",") {
		if at := known[strings.TrimSpace(name)]; at != nil {
			*at = c.total
		}
		c.total++
	}
	return c, c.key >= 0 || c.op >= 0
}

// check demands what a request cannot do without.
func (c columns) check() error {
	if c.key < 0 || c.op < 0 {
		return fmt.Errorf("%w: the header must name at least the columns key and op", ErrFormat)
	}
	return nil
}

// parse reads one row. Absent columns mean one request, a key as long as recorded, no value.
func (c columns) parse(line []byte, r *Request) error {
	*r = Request{Count: 1, KeySize: -1}
	var n numbers
	var op []byte
	at := 0
	for text := range bytes.SplitSeq(line, []byte{','}) {
		switch at {
		case c.time:
			r.Second = n.number("op_time", text, math.MaxUint64)
		case c.key:
			r.Key = text
		case c.keySize:
			r.KeySize = int(n.number("key_size", text, maxSize))
		case c.op:
			op = text
		case c.count:
			r.Count = n.number("op_count", text, maxCount)
		case c.size:
			r.ValueSize = int(n.number("size", text, maxSize))
		}
		at++
	}
	switch {
	case at != c.total:
		return fmt.Errorf("%w: %d columns, the header has %d", ErrFormat, at, c.total)
	case n.err != nil:
		return n.err
	case len(r.Key) == 0 || r.Count == 0:
		return fmt.Errorf("%w: an empty key, or an op_count of 0", ErrFormat)
	}
	if r.KeySize < 0 {
		r.KeySize = len(r.Key)
	}
	var err error
	r.Kind, err = parseKind(op)
	return err
}
