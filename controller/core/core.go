package core

import (
	"time"

	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
)

// Config is what the core must know besides its records.
type Config struct {
	Directory directory.Config
	// UnixMS is the wall clock in milliseconds at time 0 of the core. Plans carry when they began.
	UnixMS int64
}

// Core is the state machine. It is not safe for concurrent use; the View is.
//
// Every input carries the time at which it was heard, since any fixed moment, never going back.
type Core struct {
	cfg Config
	dir *directory.Directory
	now time.Duration
	out Effects

	reports map[kv.NodeID]*nodeReport
	refused map[place]refusal
	lost    map[place]time.Duration // when a loss was first heard of
}

// New returns the core that a snapshot describes, after checking it.
func New(cfg Config, s directory.Snapshot) (*Core, error) {
	dir, err := directory.New(cfg.Directory, s)
	if err != nil {
		return nil, err
	}
	return &Core{
		cfg: cfg, dir: dir,
		reports: make(map[kv.NodeID]*nodeReport),
		refused: make(map[place]refusal),
		lost:    make(map[place]time.Duration),
	}, nil
}

// View returns an immutable copy of the records.
func (c *Core) View() directory.View { return c.dir.View() }

// Revision counts the changes of what switches must hold.
func (c *Core) Revision() uint64 { return c.dir.Revision() }

// ClusterID is drawn once, at the first start.
func (c *Core) ClusterID() string { return c.dir.ClusterID() }

// Take does what is due and returns all effects since the last call. The driver calls it after
// every input, or after a batch of them.
func (c *Core) Take() Effects {
	e := c.out
	c.out = Effects{}
	return e
}

// tell adds an event.
func (c *Core) tell(e Event) { c.out.Events = append(c.out.Events, e) }

// take adds what a command of the directory asks for, and tells of keyspaces.
func (c *Core) take(e directory.Effects) {
	c.out.add(e)
	for _, change := range e.Changes {
		if change.Keyspace != nil {
			c.tellKeyspace(change)
		}
	}
}

func (c *Core) tellKeyspace(change directory.Change) {
	kind := KeyspaceCreated
	switch {
	case change.Delete:
		kind = KeyspaceDropped
	case change.Keyspace.Phase == directory.PhaseReady:
		kind = KeyspaceReady
	case change.Keyspace.Phase == directory.PhaseDropping:
		return
	}
	c.tell(Event{Kind: kind, Keyspace: change.Keyspace.Name})
}
