package p4rt

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	configv1 "github.com/p4lang/p4runtime/go/p4/config/v1"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

// ErrUnknownName is wrapped by errors about names and ids that P4Info does not have.
var ErrUnknownName = errors.New("not in P4Info")

// Info finds the objects of a P4 program by name and by id.
type Info struct {
	proto     *configv1.P4Info
	tables    index[*tableInfo]
	actions   index[*actionInfo]
	counters  index[*configv1.Counter]
	digests   index[*digestInfo]
	packetIn  *headerInfo
	packetOut *headerInfo
}

// index finds objects of one kind by alias, full name or id.
type index[T any] struct {
	kind   string
	byName map[string]T
	byID   map[uint32]T
	names  []string // aliases, for error messages
}

type tableInfo struct {
	id       uint32
	name     string // alias
	size     int64
	fields   map[string]*fieldInfo
	byID     map[uint32]*fieldInfo
	actions  map[string]*actionInfo
	priority bool // has a field kind that needs priorities
}

type fieldInfo struct {
	id   uint32
	name string
	bits int
	kind tables.Kind
}

type actionInfo struct {
	id     uint32
	name   string // alias
	params map[string]*paramInfo
	byID   map[uint32]*paramInfo
}

type paramInfo struct {
	id   uint32
	name string
	bits int
}

type digestInfo struct {
	id   uint32
	name string
}

// headerInfo describes packet-in or packet-out metadata, without padding.
type headerInfo struct {
	fields map[string]*paramInfo
	byID   map[uint32]*paramInfo
}

func newIndex[T any](kind string) index[T] {
	return index[T]{kind: kind, byName: make(map[string]T), byID: make(map[uint32]T)}
}

func (x *index[T]) add(p *configv1.Preamble, object T) {
	x.byName[p.GetName()] = object
	x.byName[p.GetAlias()] = object
	x.byID[p.GetId()] = object
	x.names = append(x.names, p.GetAlias())
}

func (x *index[T]) find(name string) (T, error) {
	object, ok := x.byName[name]
	if !ok {
		return object, fmt.Errorf("%s %q: %w; it has %s", x.kind, name, ErrUnknownName,
			strings.Join(x.names, ", "))
	}
	return object, nil
}

func (x *index[T]) findID(id uint32) (T, error) {
	object, ok := x.byID[id]
	if !ok {
		return object, fmt.Errorf("%s with id %#x: %w", x.kind, id, ErrUnknownName)
	}
	return object, nil
}

// NewInfo indexes P4Info. It keeps p, which the caller must not change any more.
func NewInfo(p *configv1.P4Info) (*Info, error) {
	i := &Info{
		proto: p, tables: newIndex[*tableInfo]("table"), actions: newIndex[*actionInfo]("action"),
		counters: newIndex[*configv1.Counter]("counter"), digests: newIndex[*digestInfo]("digest"),
		packetIn: newHeader(nil), packetOut: newHeader(nil),
	}
	for _, a := range p.GetActions() {
		i.actions.add(a.GetPreamble(), newAction(a))
	}
	for _, t := range p.GetTables() {
		table, err := i.newTable(t)
		if err != nil {
			return nil, err
		}
		i.tables.add(t.GetPreamble(), table)
	}
	for _, c := range p.GetCounters() {
		i.counters.add(c.GetPreamble(), c)
	}
	for _, d := range p.GetDigests() {
		pre := d.GetPreamble()
		i.digests.add(pre, &digestInfo{id: pre.GetId(), name: pre.GetAlias()})
	}
	for _, h := range p.GetControllerPacketMetadata() {
		switch h.GetPreamble().GetName() {
		case "packet_in":
			i.packetIn = newHeader(h)
		case "packet_out":
			i.packetOut = newHeader(h)
		}
	}
	return i, nil
}

func newAction(a *configv1.Action) *actionInfo {
	info := &actionInfo{
		id: a.GetPreamble().GetId(), name: a.GetPreamble().GetAlias(),
		params: make(map[string]*paramInfo), byID: make(map[uint32]*paramInfo),
	}
	for _, p := range a.GetParams() {
		param := &paramInfo{id: p.GetId(), name: p.GetName(), bits: int(p.GetBitwidth())}
		info.params[param.name], info.byID[param.id] = param, param
	}
	return info
}

func (i *Info) newTable(t *configv1.Table) (*tableInfo, error) {
	info := &tableInfo{
		id: t.GetPreamble().GetId(), name: t.GetPreamble().GetAlias(), size: t.GetSize(),
		fields: make(map[string]*fieldInfo), byID: make(map[uint32]*fieldInfo),
		actions: make(map[string]*actionInfo),
	}
	for _, m := range t.GetMatchFields() {
		kind, ok := kinds[m.GetMatchType()]
		if !ok {
			return nil, fmt.Errorf("table %s, field %s: match type %v is not supported", info.name,
				m.GetName(), m.GetMatchType())
		}
		f := &fieldInfo{id: m.GetId(), name: m.GetName(), bits: int(m.GetBitwidth()), kind: kind}
		info.fields[f.name], info.byID[f.id] = f, f
		info.priority = info.priority || kind != tables.Exact && kind != tables.LPM
	}
	for _, r := range t.GetActionRefs() {
		a, err := i.actions.findID(r.GetId())
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", info.name, err)
		}
		info.actions[a.name] = a
	}
	return info, nil
}

var kinds = map[configv1.MatchField_MatchType]tables.Kind{
	configv1.MatchField_EXACT:    tables.Exact,
	configv1.MatchField_LPM:      tables.LPM,
	configv1.MatchField_TERNARY:  tables.Ternary,
	configv1.MatchField_RANGE:    tables.Range,
	configv1.MatchField_OPTIONAL: tables.Optional,
}

func newHeader(h *configv1.ControllerPacketMetadata) *headerInfo {
	info := &headerInfo{fields: make(map[string]*paramInfo), byID: make(map[uint32]*paramInfo)}
	for _, m := range h.GetMetadata() {
		if slices.Contains(m.GetAnnotations(), "@padding") {
			continue
		}
		f := &paramInfo{id: m.GetId(), name: m.GetName(), bits: int(m.GetBitwidth())}
		info.fields[f.name], info.byID[f.id] = f, f
	}
	return info
}

// TableSize returns how many entries a table holds.
func (i *Info) TableSize(name string) (int, error) {
	t, err := i.tables.find(name)
	if err != nil {
		return 0, err
	}
	return int(t.size), nil
}

// CounterSize returns how many cells a counter array has.
func (i *Info) CounterSize(name string) (int, error) {
	c, err := i.counters.find(name)
	if err != nil {
		return 0, err
	}
	return int(c.GetSize()), nil
}

// choices lists the names that would have been right.
func choices[T any](m map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
