package storagenode

import (
	"errors"
	"fmt"

	"google.golang.org/grpc"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/storagenode/engine"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// Errors of Start.
var (
	ErrConfig    = errors.New("invalid node configuration")
	ErrDirInUse  = errors.New("data directory is in use by another node")
	ErrDirBroken = errors.New("data directory is damaged")
	ErrOtherNode = errors.New("data directory belongs to another node")
)

// Config is what a Node is made of.
type Config struct {
	// Conn carries the node's datagrams. Its local address is the identity of the node and must
	// be IPv4. The node closes it.
	Conn transport.Conn
	// DataDir keeps what survives a restart; it is made if needed and used by one node at a
	// time. Without one the node holds only sub-ranges of durability memory.
	DataDir string
	// Engine is the durable engine in DataDir; empty stands for engine.DefaultDurable.
	Engine engine.Kind
	// Limits bound the queues of each sub-range; zero values stand for serverlib.DefaultLimits.
	Limits serverlib.Limits
	// Control is how to reach the controller. The zero value leaves the node to Configure and
	// Revoke.
	Control Control
	// Events reports what an operator may want to know.
	Events Events

	// wrap puts something around the durable engine, so that tests can break it.
	wrap func(serverlib.Engine) serverlib.Engine
}

// Control is a node's side of the session with the controller.
type Control struct {
	// Target is a gRPC target, usually host:port, or several with commas between them: the
	// controllers of a cluster, of which one leads. Empty means that there is no controller.
	Target string
	// DialOptions configure the connection and must at least name transport credentials.
	DialOptions []grpc.DialOption
	// MAC is the Ethernet address that owns the node's IPv4 address; zero stands for the one that
	// transport.NewHost derives from it.
	MAC wire.MAC
	// Switch names the switch that the node hangs on; empty stands for the only one.
	Switch string
	// Port is the port of that switch, as P4Runtime numbers it; at least 1.
	Port uint32
}

// Events are called one at a time per kind, from the goroutine in which they happen; they must
// return soon and must not call the node. Each may be nil.
type Events struct {
	// Connected reports that a session with the controller has begun.
	Connected func(target string)
	// Disconnected reports why a session ended or could not begin. The node tries again.
	Disconnected func(err error)
	// Assigned reports an assignment that is in force now, or why it was refused.
	Assigned func(a kv.Assignment, err error)
	// Revoked reports a sub-range that the node no longer has, or why it was not removed.
	Revoked func(id kv.SubRangeID, epoch kv.Epoch, err error)
	// StateChanged reports that a replica serves, recovers, learns, lost its data or failed.
	StateChanged func(id kv.SubRangeID, state serverlib.State)
	// Failed reports an error of the disk or the engine, after which the sub-ranges of this
	// durability are not served any more.
	Failed func(d kv.Durability, err error)
}

func (e *Events) connected(target string) {
	if e.Connected != nil {
		e.Connected(target)
	}
}

func (e *Events) disconnected(err error) {
	if e.Disconnected != nil {
		e.Disconnected(err)
	}
}

func (e *Events) assigned(a kv.Assignment, err error) {
	if e.Assigned != nil {
		e.Assigned(a, err)
	}
}

func (e *Events) revoked(id kv.SubRangeID, epoch kv.Epoch, err error) {
	if e.Revoked != nil {
		e.Revoked(id, epoch, err)
	}
}

func (c *Config) validate() error {
	if c.Conn == nil {
		return fmt.Errorf("%w: no Conn", ErrConfig)
	}
	if addr := c.Conn.LocalAddr(); kv.NodeIDOf(addr.Addr()) == 0 {
		return fmt.Errorf("%w: address %v: a node is named by an IPv4 address other than 0.0.0.0",
			ErrConfig, addr)
	}
	kind, err := engine.ParseKind(string(c.Engine))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c.Engine = kind
	if c.Control.MAC == (wire.MAC{}) {
		c.Control.MAC = transport.MACOf(c.Conn.LocalAddr().Addr())
	}
	if c.DataDir != "" && kind == engine.Memory {
		return fmt.Errorf("%w: data directory %s with engine %s: leave out the directory, "+
			"or choose %s or %s", ErrConfig, c.DataDir, kind, engine.Pebble, engine.Bbolt)
	}
	if c.Control.Target != "" && c.Control.Port == 0 {
		return fmt.Errorf("%w: switch port 0: must be at least 1", ErrConfig)
	}
	return nil
}
