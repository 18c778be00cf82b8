package trace

import (
	"errors"
	"io"
	"sync"

	"github.com/zeebo/xxh3"

	"github.com/turbokv/turbokv/wire"
	"github.com/turbokv/turbokv/workload"
)

// counterPrefix keeps counters apart from the records of the same name.
const counterPrefix = '#'

// Stats is what a replay has handed out so far.
type Stats struct {
	Requests uint64 `json:"requests"`
	Rows     uint64 `json:"rows"`
	// Misses are reads that missed when the trace was recorded.
	Misses uint64 `json:"misses"`
	// CutValues and CutKeys are requests whose value or key is longer than fits and was replayed
	// at the largest size.
	CutValues uint64 `json:"cut_values"`
	CutKeys   uint64 `json:"cut_keys"`
	// Written are the distinct keys written, deleted or incremented.
	Written uint64 `json:"written"`
	// ByKind counts the requests of each kind.
	ByKind [workload.OpKinds]uint64 `json:"-"`
}

// Replay hands out the requests of a trace to any number of clients, each request to one of them
// and in the order of the trace. It keeps one entry for each distinct key that is written. All
// methods are safe for concurrent use.
type Replay struct {
	mu      sync.Mutex
	reader  *Reader
	row     Request
	left    uint64 // requests of row not yet handed out
	err     error
	stats   Stats
	numbers map[string]workload.Record
	keys    []string // by record number
}

// NewReplay replays what the reader has left.
func NewReplay(r *Reader) *Replay {
	return &Replay{reader: r, numbers: make(map[string]workload.Record)}
}

// Next implements workload.Source. After a malformed line it ends; Err tells.
func (p *Replay) Next(op *workload.Op) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 && !p.advance() {
		return false
	}
	p.left--
	p.stats.Requests++
	p.stats.ByKind[p.row.Kind]++
	p.fill(op, &p.row)
	return true
}

// advance reads the next row.
func (p *Replay) advance() bool {
	if p.err != nil {
		return false
	}
	if p.err = p.reader.Next(&p.row); p.err != nil {
		return false
	}
	p.stats.Rows++
	p.left = p.row.Count
	if p.row.Kind == workload.Read && p.row.ValueSize == 0 {
		p.stats.Misses += p.row.Count
	}
	return true
}

// fill makes an operation of a row.
func (p *Replay) fill(op *workload.Op, row *Request) {
	*op = workload.Op{Kind: row.Kind, Key: op.Key[:0], Delta: 1}
	if row.Kind == workload.Increment {
		op.Key = append(op.Key, counterPrefix)
	}
	size := min(row.KeySize, wire.MaxKeySize-len(op.Key))
	if size < row.KeySize {
		p.stats.CutKeys++
	}
	op.Key = appendKey(op.Key, row.Key, size)
	if row.Kind == workload.Update {
		op.Size = min(row.ValueSize, wire.MaxRecordSize-len(op.Key))
		if op.Size < row.ValueSize {
			p.stats.CutValues++
		}
	}
	if row.Kind.Writes() {
		op.Record = p.intern(op.Key)
	}
}

// intern numbers a key that is written.
func (p *Replay) intern(key []byte) workload.Record {
	n, ok := p.numbers[string(key)]
	if !ok {
		n = workload.Record(len(p.keys))
		k := string(key)
		p.numbers[k] = n
		p.keys = append(p.keys, k)
		p.stats.Written++
	}
	return n
}

// appendKey reproduces an anonymised key at the size the real one had: padded when it is shorter,
// and folded to a hash when it is longer, so that different keys stay different.
func appendKey(dst, key []byte, size int) []byte {
	size = max(size, 1)
	if len(key) <= size {
		dst = append(dst, key...)
		for range size - len(key) {
			dst = append(dst, '.')
		}
		return dst
	}
	hash := xxh3.Hash128(key).Bytes()
	dst = append(dst, hash[:min(size, len(hash))]...)
	if size > len(hash) {
		dst = append(dst, key[:size-len(hash)]...)
	}
	return dst
}

// Done implements workload.Source.
func (p *Replay) Done(*workload.Op) {}

// Key appends the key of a record that was written to dst.
func (p *Replay) Key(dst []byte, n workload.Record) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(dst, p.keys[n]...)
}

// Stats returns what was handed out so far.
func (p *Replay) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Err returns why the replay ended early, or nil.
func (p *Replay) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(p.err, io.EOF) {
		return nil
	}
	return p.err
}
