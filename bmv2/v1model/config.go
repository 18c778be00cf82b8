package v1model

import (
	"errors"
	"fmt"

	"github.com/turbokv/turbokv/bmv2"
)

// Config holds what a switch takes from its surroundings. The zero value works for programs
// that use neither time nor randomness.
type Config struct {
	// Now returns the time since the switch started in microseconds, for the timestamps of standard
	// metadata, meters and hits of entries. Nil: time stands still at zero. Called from every worker.
	Now func() uint64
	// Clock is the same for the control side: insertion of entries, idle timeouts, configuration of
	// meters. It is for owners whose Now stands still while no packets come. Nil: Now.
	Clock func() uint64
	// Rand returns uniformly distributed random bits, for the extern random. Nil: zero.
	// Called from every worker.
	Rand func() uint64
	// Litter decides what the fields of headers hold that are not valid, to find out whether a program
	// depends on them: P4 leaves them undefined. It gets them as an earlier packet left them. Nil: they
	// are zero. Called from every worker.
	Litter func(fields []byte)
	// DropPort is the value of egress_spec that drops a packet. 0: 511, as in simple_switch.
	DropPort uint16
	// MaxPasses bounds how many times the copies of one received frame may go through a control
	// again (clones, replicas, resubmits, recirculations). What exceeds it is dropped and
	// counted. 0: 4096, enough for every finite use we know, and a loop still ends soon.
	MaxPasses int
	// OnDigest is called for each digest a packet generates, in the middle of its processing. It
	// must not block; the sample is valid only during the call. Called from every worker.
	OnDigest func(Digest)
	// OnLog receives the texts of the extern log_msg. Nil: they are not formatted at all.
	OnLog func(string)
	// Yield is called now and then in a batch of changes, so that packets need not wait for its end
	// where they have to share a processor with it. Nil: batches run to their end.
	Yield func()
	// Backlog returns how many frames wait to leave by a port, and how long that takes in microseconds,
	// for the queueing depths of standard metadata. Nil: queues are empty. Called from every worker.
	Backlog func(port uint16) (frames, wait uint64)
	// HasPort tells, for traces, whether frames can leave by a port. Nil: by all.
	HasPort func(port uint16) bool
}

// Digest is one digest message. Values holds the fields in the order of List.Fields as
// big-endian byte strings of whole bytes; it is valid only during the call.
type Digest struct {
	List   *bmv2.FieldList
	Values [][]byte
}

// Defaults of Config.
const (
	DefaultDropPort  = 511
	DefaultMaxPasses = 4096
)

func (c Config) withDefaults() (Config, error) {
	if c.DropPort == 0 {
		c.DropPort = DefaultDropPort
	}
	if c.DropPort >= 1<<9-1 && c.DropPort != DefaultDropPort {
		return c, fmt.Errorf("drop port %d: egress_spec has 9 bits, valid are 1 to 511", c.DropPort)
	}
	if c.MaxPasses < 0 {
		return c, fmt.Errorf("max passes %d: must not be negative", c.MaxPasses)
	}
	if c.MaxPasses == 0 {
		c.MaxPasses = DefaultMaxPasses
	}
	if c.Now == nil {
		c.Now = func() uint64 { return 0 }
	}
	if c.Clock == nil {
		c.Clock = c.Now
	}
	if c.Rand == nil {
		c.Rand = func() uint64 { return 0 }
	}
	return c, nil
}

// Errors of the control methods. They are wrapped with the table, field or name concerned.
var (
	ErrUnknown   = errors.New("unknown name")         // no such table, action, counter, ...
	ErrNotFound  = errors.New("no such entry")        // nothing to modify, delete or read
	ErrExists    = errors.New("entry already exists") // insert of a known key
	ErrTableFull = errors.New("table full")           // max_size of the program is reached
	ErrWidth     = errors.New("value too wide")       // a value exceeds the width of its field
	ErrInvalid   = errors.New("invalid argument")     // malformed entry, wrong count, bad mask
	ErrConst     = errors.New("fixed by the program") // const entries or const default action
	ErrInUse     = errors.New("still in use")         // deletion of what others point at
	ErrSize      = errors.New("profile full")         // a limit of an action profile or group
	ErrRange     = errors.New("index out of range")   // cell of a counter or register array
)
