package bbolt

import (
	"bytes"

	"github.com/tidwall/btree"
	"go.etcd.io/bbolt"
)

// source is a sequence of updates in key order. A key of nil means the end.
type source interface {
	head() (key []byte, u update)
	next()
}

// merge yields the records of sources that lie before end, in key order, until yield returns false.
// Where several sources know a record, the first one of them is right.
func merge(sources []source, end []byte, yield func(key, value []byte) bool) {
	for {
		key, u := least(sources)
		if key == nil || len(end) > 0 && bytes.Compare(key, end) >= 0 {
			return
		}
		if !u.deleted && !yield(key, u.value) {
			return
		}
		pass(sources, key)
	}
}

// least returns the smallest key at the head of any source, with the update of the first source
// that has it.
func least(sources []source) (least []byte, u update) {
	for _, s := range sources {
		key, v := s.head()
		if key != nil && (least == nil || bytes.Compare(key, least) < 0) {
			least, u = key, v
		}
	}
	return least, u
}

// pass moves every source beyond key.
func pass(sources []source, key []byte) {
	for _, s := range sources {
		if k, _ := s.head(); k != nil && bytes.Equal(k, key) {
			s.next()
		}
	}
}

// overlaySource walks an overlay.
type overlaySource struct {
	iter btree.MapIter[string, update]
	key  []byte // of the head
}

// from returns the updates of records from start on.
func (o *overlay) from(start []byte) source {
	s := &overlaySource{}
	if o != nil {
		s.iter = o.updates.Iter()
		s.load(s.iter.Seek(string(start)))
	}
	return s
}

func (s *overlaySource) load(ok bool) {
	if !ok {
		s.key = nil
		return
	}
	// A new slice, because pass compares other sources with the key that was the head before.
	s.key = []byte(s.iter.Key())
}

func (s *overlaySource) head() ([]byte, update) {
	if s.key == nil {
		return nil, update{}
	}
	return s.key, s.iter.Value()
}

func (s *overlaySource) next() { s.load(s.iter.Next()) }

// fileSource walks the file.
type fileSource struct {
	cursor     *bbolt.Cursor
	key, value []byte
}

func fileFrom(b *bbolt.Bucket, start []byte) source {
	s := &fileSource{cursor: b.Cursor()}
	s.key, s.value = s.cursor.Seek(start)
	return s
}

func (s *fileSource) head() ([]byte, update) { return s.key, update{value: s.value} }

func (s *fileSource) next() { s.key, s.value = s.cursor.Next() }
