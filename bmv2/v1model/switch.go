package v1model

import (
	"github.com/turbokv/turbokv/bmv2"
)

// Switch is a live v1model switch. Its methods are safe for concurrent use; packets go through
// a [Worker].
type Switch struct {
	cfg Config
}

// NewSwitch returns a switch that runs prog with the tables as the program declares them.
func NewSwitch(prog *bmv2.Program, cfg Config) (*Switch, error) {
	panic("not written yet")
}

// Program returns the program that is running.
func (s *Switch) Program() *bmv2.Program { panic("not written yet") }

// SetProgram replaces the program and forgets all tables, sessions, groups and cells. Packets in
// flight finish on the old program. On error the old program keeps running.
func (s *Switch) SetProgram(prog *bmv2.Program) error { panic("not written yet") }

// NewWorker returns a context that processes packets, for one goroutine.
func (s *Switch) NewWorker() *Worker { panic("not written yet") }

// Worker processes packets. It is not safe for concurrent use; make one per goroutine.
type Worker struct{}

// Process handles one frame received on port and calls out for every frame that leaves the
// switch, in order. It returns when the frame and all its copies are done. frame is only read,
// never kept; the slice passed to out is valid only during the call.
func (w *Worker) Process(port uint16, frame []byte, out func(port uint16, frame []byte)) {
	panic("not written yet")
}

// Stats counts what happened to packets since the switch was made.
type Stats struct {
	Received     uint64 // frames given to Process
	Sent         uint64 // frames given to out
	Dropped      uint64 // by the program: mark_to_drop in ingress or egress
	Resubmitted  uint64
	Recirculated uint64
	Cloned       uint64
	Replicated   uint64 // multicast copies
	TooManyLoops uint64 // dropped because Config.MaxPasses was reached
	ParserErrors uint64 // the packet went on with parser_error set
}

// Stats returns the sum over all workers.
func (s *Switch) Stats() Stats { panic("not written yet") }

// Update applies a batch. Each operation succeeds or fails for itself, in order; all changes
// become visible to packets at one instant. It returns nil when all succeeded, else one error
// (or nil) per operation.
func (s *Switch) Update(ops []Op) []error { panic("not written yet") }

// UpdateAtomic applies all operations or, when one fails, none; it returns the index of the
// operation that failed and its error, or -1 and nil.
func (s *Switch) UpdateAtomic(ops []Op) (int, error) { panic("not written yet") }

// Insert adds one table entry.
func (s *Switch) Insert(e *Entry) error { panic("not written yet") }

// Modify replaces action and parameters of the entry with the same match and priority. Its
// direct counter goes on.
func (s *Switch) Modify(e *Entry) error { panic("not written yet") }

// Delete removes the entry with the same match and priority.
func (s *Switch) Delete(e *Entry) error { panic("not written yet") }

// SetDefault sets what a table does on a miss.
func (s *Switch) SetDefault(d *DefaultEntry) error { panic("not written yet") }

// Entries returns the entries of a table in the order of their insertion, const entries first.
// Entries and their values must not be changed.
func (s *Switch) Entries(table string) ([]*Entry, error) { panic("not written yet") }

// Entry returns the entry with the match and priority of e.
func (s *Switch) Entry(e *Entry) (*Entry, error) { panic("not written yet") }

// Default returns the default entry of a table; nil when the table has none.
func (s *Switch) Default(table string) (*DefaultEntry, error) { panic("not written yet") }

// DirectCounter returns the counter of the table entry with the match and priority of e.
func (s *Switch) DirectCounter(e *Entry) (CounterValue, error) { panic("not written yet") }

// ReadCounter returns one cell of an indirect counter array.
func (s *Switch) ReadCounter(name string, index int) (CounterValue, error) {
	panic("not written yet")
}

// WriteCounter sets one cell of an indirect counter array.
func (s *Switch) WriteCounter(name string, index int, v CounterValue) error {
	panic("not written yet")
}

// ReadRegister returns one cell as a big-endian byte string of the full width.
func (s *Switch) ReadRegister(name string, index int) ([]byte, error) { panic("not written yet") }

// WriteRegister sets one cell.
func (s *Switch) WriteRegister(name string, index int, value []byte) error {
	panic("not written yet")
}

// CloneSessions returns all clone sessions by ascending id. They must not be changed.
func (s *Switch) CloneSessions() []*CloneSession { panic("not written yet") }

// MulticastGroups returns all multicast groups by ascending id. They must not be changed.
func (s *Switch) MulticastGroups() []*MulticastGroup { panic("not written yet") }
