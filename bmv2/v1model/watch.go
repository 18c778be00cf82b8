package v1model

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/engine"
)

// Filter says which received frames are followed: those that meet all of it. The zero value is met
// by all.
type Filter struct {
	// Ports are where the frame came in; empty: anywhere.
	Ports []uint16
	// Fields are compared after the parser. A field of a header that the frame does not have meets
	// nothing.
	Fields []FieldFilter
	// Raw bytes of the frame.
	Raw []RawFilter
}

// FieldFilter is met by a field, named as in "ipv4.dst_addr", whose first Prefix bits are those of
// Value. A value shorter than the field is padded with zeroes on the left.
type FieldFilter struct {
	Name   string
	Value  []byte
	Prefix int // bits of the field; negative: all
}

// RawFilter is met by a frame that has these bytes at an offset.
type RawFilter struct {
	Offset int
	Bytes  []byte
}

// watcher is somebody who follows packets of one program.
type watcher struct {
	rt     *runtime
	filter Filter
	fields []fieldTest
	done   func(*Trace)
}

// fieldTest is a compiled FieldFilter.
type fieldTest struct {
	ref         bmv2.FieldRef
	value, mask []byte
}

// Watch has done told the trace of every frame that meets the filter, after the frame and all its
// copies are through. done is called by the worker and must not wait; what it is told must not be
// changed. Watching ends with stop, and with the program. Frames that do not meet the filter are
// parsed once more than usual; without any Watch nothing is.
func (s *Switch) Watch(f Filter, done func(*Trace)) (stop func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &watcher{rt: s.snap.Load().rt, filter: f, done: done}
	for _, r := range f.Raw {
		if r.Offset < 0 {
			return nil, fmt.Errorf("%w: bytes at offset %d", ErrInvalid, r.Offset)
		}
	}
	for _, x := range f.Fields {
		t, err := w.rt.fieldTest(x)
		if err != nil {
			return nil, err
		}
		w.fields = append(w.fields, t)
	}
	s.setWatchers(append(s.allWatchers(), w))
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.setWatchers(slices.DeleteFunc(s.allWatchers(), func(x *watcher) bool { return x == w }))
	}, nil
}

// allWatchers returns a copy.
func (s *Switch) allWatchers() []*watcher {
	if p := s.watchers.Load(); p != nil {
		return slices.Clone(*p)
	}
	return nil
}

func (s *Switch) setWatchers(all []*watcher) {
	if len(all) == 0 {
		s.watchers.Store(nil)
		return
	}
	s.watchers.Store(&all)
}

func (rt *runtime) fieldTest(f FieldFilter) (t fieldTest, err error) {
	if t.ref, err = rt.field(f.Name); err != nil {
		return t, err
	}
	width := t.ref.Width()
	if t.value, err = fit(f.Value, width); err != nil {
		return t, fmt.Errorf("field %q: %w", f.Name, err)
	}
	if f.Prefix > width {
		return t, fmt.Errorf("field %q: %w: prefix of %d bits, the field has %d", f.Name, ErrInvalid,
			f.Prefix, width)
	}
	if f.Prefix < 0 {
		f.Prefix = width
	}
	t.mask = ones(width, f.Prefix)
	return t, nil
}

// field finds a field by its full name; names of headers and fields may have dots of their own.
func (rt *runtime) field(full string) (bmv2.FieldRef, error) {
	var known *bmv2.Header
	for i, c := range full {
		if c != '.' {
			continue
		}
		h := rt.prog.Header(full[:i])
		if h == nil {
			continue
		}
		known = h
		if k := h.Type.FieldIndex(full[i+1:]); k >= 0 {
			return bmv2.FieldRef{Header: h, Index: k}, nil
		}
	}
	if known != nil {
		return bmv2.FieldRef{}, fmt.Errorf("field %q: %w: the fields of %s are %s", full, ErrUnknown,
			known.Name, strings.Join(fieldNames(known), ", "))
	}
	return bmv2.FieldRef{}, fmt.Errorf("field %q: %w: want HEADER.FIELD, the headers are %s", full,
		ErrUnknown, strings.Join(rt.headerNames(), ", "))
}

func (rt *runtime) headerNames() (names []string) {
	for _, h := range rt.prog.Headers {
		if !h.Metadata {
			names = append(names, h.Name)
		}
	}
	return names
}

func fieldNames(h *bmv2.Header) (names []string) {
	for _, f := range h.Type.Fields {
		names = append(names, f.Name)
	}
	return names
}

// match decides about a parsed packet.
func (w *watcher) match(st *engine.State, port uint16, frame []byte) bool {
	if len(w.filter.Ports) > 0 && !slices.Contains(w.filter.Ports, port) {
		return false
	}
	for _, r := range w.filter.Raw {
		if r.Offset > len(frame) || !bytes.HasPrefix(frame[r.Offset:], r.Bytes) {
			return false
		}
	}
	for _, t := range w.fields {
		if !t.holds(w.rt.machine, st) {
			return false
		}
	}
	return true
}

func (t *fieldTest) holds(m *engine.Machine, st *engine.State) bool {
	if !m.Valid(st, t.ref.Header) {
		return false
	}
	have := m.Value(st, t.ref)
	lead := len(t.value) - len(have) // a variable-length field may be shorter than it can be
	for i, want := range t.value {
		b := byte(0)
		if i >= lead {
			b = have[i-lead]
		}
		if (b^want)&t.mask[i] != 0 {
			return false
		}
	}
	return true
}
