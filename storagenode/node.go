package storagenode

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode/engine"
	"github.com/turbokv/turbokv/storagenode/engine/memory"
	"github.com/turbokv/turbokv/transport"
)

// Node is a running storage node.
type Node struct {
	cfg         Config
	id          kv.NodeID
	incarnation uint64
	started     time.Time
	dir         *dataDir         // nil without a data directory
	durable     serverlib.Engine // nil without a data directory
	volatile    serverlib.Engine

	mu     sync.Mutex // guards what follows, down to the blank line
	server *serverlib.Server
	out    []transport.Message // reused by flush
	fast   bool                // the ticker runs at tickBusy

	wake    chan struct{} // tells the ticker that the server has become busy
	changed chan struct{} // tells the session that a replica's state has changed
	syncs   chan uint64   // token of the fsync that the server asked for
	stats   stats

	stop    context.CancelFunc
	workers sync.WaitGroup
	ended   chan struct{}         // closed when a worker ended for good
	why     atomic.Pointer[error] // the reason
	closing sync.Once
	closed  error
}

// Run runs a node until ctx is done, then stops it in an orderly way. The error is nil then, unless
// stopping met one.
func Run(ctx context.Context, cfg Config) error {
	n, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-n.Done():
	}
	return n.Close()
}

// Start opens the data directory, recovers what is in it, and begins to serve until ctx is done or
// Close is called; Close must be called in any case. It takes over cfg.Conn only when it succeeds.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg:      cfg,
		id:       kv.NodeIDOf(cfg.Conn.LocalAddr().Addr()),
		started:  time.Now(),
		volatile: memory.New(),
		wake:     make(chan struct{}, 1),
		changed:  make(chan struct{}, 1),
		syncs:    make(chan uint64, 1),
		ended:    make(chan struct{}),
	}
	if err := n.open(); err != nil {
		return nil, fmt.Errorf("node %v: %w", n.id, errors.Join(err, n.release()))
	}
	ctx, n.stop = context.WithCancel(ctx)
	n.workers.Go(func() { n.receive(ctx) })
	n.workers.Go(func() { n.tick(ctx) })
	n.workers.Go(func() { n.sync(ctx) })
	if cfg.Control.Target != "" {
		n.workers.Go(func() { n.control(ctx) })
	}
	return n, nil
}

// open fills the node from its data directory.
func (n *Node) open() (err error) {
	// Without a directory to remember it, the clock has to make the incarnation grow.
	n.incarnation = uint64(n.started.UnixNano())
	if n.cfg.DataDir != "" {
		if n.dir, err = openDataDir(n.cfg.DataDir); err != nil {
			return err
		}
		if err = n.dir.claim(n.id); err != nil {
			return err
		}
		if n.incarnation, err = n.dir.nextIncarnation(); err != nil {
			return err
		}
		if n.durable, err = engine.Open(n.cfg.Engine, n.dir.engine()); err != nil {
			return err
		}
	}
	if n.cfg.wrap != nil && n.durable != nil {
		n.durable = n.cfg.wrap(n.durable)
	}
	n.server, err = serverlib.New(serverlib.Config{
		Node:        n.id,
		Port:        n.cfg.Conn.LocalAddr().Port(),
		Incarnation: n.incarnation,
		Volatile:    n.volatile,
		Durable:     n.durable,
		Limits:      n.cfg.Limits,
		Events: serverlib.Events{
			StateChanged: n.noteChange,
			EngineFailed: n.cfg.Events.Failed,
		},
	})
	return err
}

// release gives back what open took, as far as it came.
func (n *Node) release() error {
	var errs error
	if n.durable != nil {
		errs = errors.Join(errs, n.durable.Close())
	}
	if n.dir != nil {
		errs = errors.Join(errs, n.dir.close())
	}
	return errs
}

// ID returns the identity of the node.
func (n *Node) ID() kv.NodeID { return n.id }

// Incarnation numbers the starts of this node.
func (n *Node) Incarnation() uint64 { return n.incarnation }

// Done is closed when the node cannot go on; Close tells why.
func (n *Node) Done() <-chan struct{} { return n.ended }

// fail ends the node because of err.
func (n *Node) fail(err error) {
	if n.why.CompareAndSwap(nil, &err) {
		close(n.ended)
	}
}

// Close stops the node, syncs its engine and releases the data directory. It returns the error
// that ended the node, if one did, or the one that closing met.
func (n *Node) Close() error {
	n.closing.Do(func() {
		n.stop()
		n.workers.Wait()
		errs := n.release()
		if why := n.why.Load(); why != nil {
			errs = errors.Join(*why, errs)
		}
		if errs != nil {
			n.closed = fmt.Errorf("node %v: %w", n.id, errs)
		}
	})
	return n.closed
}

// Configure puts an assignment into force. When it returns nil, the assignment survives a restart,
// as far as anything of its durability does.
func (n *Node) Configure(a kv.Assignment) error {
	if err := n.configure(a); err != nil {
		return err
	}
	return n.persist()
}

func (n *Node) configure(a kv.Assignment) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	err := n.server.Configure(now, a)
	n.flush(now)
	return err
}

// Revoke removes the replica of a sub-range with its data, if it is of the given epoch or an older
// one. When it returns nil, the removal survives a restart.
func (n *Node) Revoke(id kv.SubRangeID, epoch kv.Epoch) error {
	if err := n.revoke(id, epoch); err != nil {
		return err
	}
	return n.persist()
}

func (n *Node) revoke(id kv.SubRangeID, epoch kv.Epoch) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	// The server is given the first epoch that does not list the node any more.
	err := n.server.Revoke(now, id, epoch+1)
	n.flush(now)
	return err
}

// persist waits until everything that the server has stored is durable.
func (n *Node) persist() error {
	if n.durable == nil {
		return nil
	}
	return n.durable.Sync()
}

// Reports describes all replicas in ascending order of sub-range.
func (n *Node) Reports() []serverlib.Report {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.server.Report()
}
