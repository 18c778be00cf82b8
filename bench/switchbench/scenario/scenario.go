// Package scenario holds what the switches of a comparison do: programs, their table entries, and
// frames that enter through one port and leave through another.
//
// The entries speak names, as a controller does, and reach every switch over P4Runtime. The sources
// of the programs stand in p4, with what p4c made of them; "go generate" compiles them again.
package scenario

import (
	"embed"
	"encoding/binary"
	"errors"
	"fmt"

	configv1 "github.com/p4lang/p4runtime/go/p4/config/v1"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

//go:generate p4c-bm2-ss --arch v1model --Werror --p4runtime-files p4/forward.p4info.txtpb -o p4/forward.json p4/forward.p4
//go:generate p4c-bm2-ss --arch v1model --Werror --p4runtime-files p4/routes.p4info.txtpb -o p4/routes.json p4/routes.p4

//go:embed p4/*.json p4/*.txtpb
var programs embed.FS

// Ports of the switch: every frame enters through the first and has to leave through the second.
const (
	In  = 1
	Out = 2
)

// frames is how many different frames a scenario has, so that no cache holds the answer.
const frames = 1024

// Scenario is one program with its entries and its load.
type Scenario struct {
	Name     string
	About    string // one line
	Pipeline p4rt.Pipeline
	Entries  []tables.Entry
	// Frames end with a Stamp, which no program looks at.
	Frames [][]byte
}

// Size returns the length of the frames in bytes.
func (s *Scenario) Size() int { return len(s.Frames[0]) }

// All returns the scenarios in the order in which they are reported.
func All() ([]*Scenario, error) {
	var all []*Scenario
	var errs []error
	add := func(s *Scenario, err error) {
		all, errs = append(all, s), append(errs, err)
	}
	for _, size := range []int{64, 142, 1400} {
		add(forward(size))
	}
	add(gets())
	add(puts())
	add(routes())
	return all, errors.Join(errs...)
}

// load reads a program of this package.
func load(name string) (p p4rt.Pipeline, err error) {
	text, err := programs.ReadFile("p4/" + name + ".p4info.txtpb")
	if err != nil {
		return p, err
	}
	p.P4Info = new(configv1.P4Info)
	if err := prototext.Unmarshal(text, p.P4Info); err != nil {
		return p, fmt.Errorf("P4Info of %s: %w", name, err)
	}
	p.DeviceConfig, err = programs.ReadFile("p4/" + name + ".json")
	return p, err
}

func number(field string, v uint64) tables.Match {
	return tables.Match{Field: field, Kind: tables.Exact, Value: tables.Uint(v)}
}

func param(name string, v uint64) tables.Param {
	return tables.Param{Name: name, Value: tables.Uint(v)}
}

// StampSize is the room in bytes at the end of every frame for the generator's own use.
const StampSize = 16

// stampMagic tells frames of the generator from others.
const stampMagic = 0x7eb0_5717

// SetStamp writes a number and a time in nanoseconds to the end of a frame.
func SetStamp(frame []byte, n uint32, at int64) {
	s := frame[len(frame)-StampSize:]
	binary.BigEndian.PutUint32(s, stampMagic)
	binary.BigEndian.PutUint32(s[4:], n)
	binary.BigEndian.PutUint64(s[8:], uint64(at))
}

// Stamp returns what SetStamp wrote; ok is false for a frame of somebody else.
func Stamp(frame []byte) (n uint32, at int64, ok bool) {
	if len(frame) < StampSize {
		return 0, 0, false
	}
	s := frame[len(frame)-StampSize:]
	if binary.BigEndian.Uint32(s) != stampMagic {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(s[4:]), int64(binary.BigEndian.Uint64(s[8:])), true
}
