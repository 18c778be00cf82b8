package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/p4rt"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// Defaults of Config.
const (
	DefaultDeviceID = 1
	DefaultCPUPort  = 510
	// DefaultAddress is where P4Runtime is served, the port that IANA assigned to it.
	DefaultAddress = "127.0.0.1:9559"
	// cpuQueue is the number of packets from controllers that wait for the pipeline.
	cpuQueue = 1024
)

// Errors of the port methods.
var (
	ErrPortInUse = errors.New("port number is in use")
	ErrNoPort    = errors.New("no such port")
	ErrClosed    = errors.New("switch is closed")
)

// Config describes a switch. The zero value is a switch without ports that listens on
// DefaultAddress.
type Config struct {
	// DeviceID is the P4Runtime device id. 0: DefaultDeviceID, or 0 if DeviceZero is set.
	DeviceID uint64
	// DeviceZero makes the device id 0, which simple_switch_grpc has if it is told nothing.
	DeviceZero bool
	// Address is where P4Runtime is served, see [Listen]. "": DefaultAddress.
	Address string
	// Listener serves P4Runtime instead of Address; the switch closes it.
	Listener net.Listener
	// ServerOptions are those of the gRPC server, such as transport credentials.
	ServerOptions []grpc.ServerOption
	// CPUPort is the port of packet-in and packet-out. 0: DefaultCPUPort.
	CPUPort uint16
	// DropPort is the value of egress_spec that drops. 0: 511.
	DropPort uint16
	// Specs are ports to open, see [port.ParseSpec].
	Specs []port.Spec
	// Ports are ports that are open already; the switch closes them.
	Ports map[uint16]port.Port
	// Pipeline is put into service at the start. Nil: a controller has to send one.
	Pipeline *p4v1.ForwardingPipelineConfig
	// Program processes packets from the start, with empty tables, until a controller sends a
	// pipeline: without P4Info, P4Runtime has none to speak about. Pipeline goes before it.
	Program *bmv2.Program
	// Fill fills the tables of Pipeline or Program before any packet comes; it is not called for
	// pipelines of controllers. Nil: they are as the program says.
	Fill func(*v1model.Switch) error
	// Now returns microseconds since the start, for timestamps in packets; it is called once per
	// batch. Nil: the clock.
	Now func() uint64
	// Rand returns random bits for the extern random. Nil: a seed of its own.
	Rand func() uint64
	// Events reports what happens. Its functions must not wait.
	Events Events
}

// Events are the observations of a switch; nil functions are not called.
type Events struct {
	// PortFailed reports a port that stopped working for good. It is closed; an interface that goes
	// away is not of this kind.
	PortFailed func(number uint16, err error)
	// PortState reports that the cable of a port went down or came back, or that its interface went
	// away. Not of ports that are added or removed.
	PortState func(number uint16, s port.State)
	// Log receives the texts of the extern log_msg.
	Log func(string)
	// Control are those of the P4Runtime server.
	Control p4rt.Events
}

func (c Config) withDefaults() Config {
	if c.DeviceID == 0 && !c.DeviceZero {
		c.DeviceID = DefaultDeviceID
	}
	if c.Address == "" {
		c.Address = DefaultAddress
	}
	if c.CPUPort == 0 {
		c.CPUPort = DefaultCPUPort
	}
	if c.Now == nil {
		start := time.Now()
		c.Now = func() uint64 { return uint64(time.Since(start).Microseconds()) }
	}
	if c.Rand == nil {
		c.Rand = rand.Uint64
	}
	return c
}

// Daemon is a running switch.
type Daemon struct {
	cfg      Config
	server   *p4rt.Server
	listener net.Listener
	packets  *port.Mem // the controller's end of the CPU port

	sw   atomic.Pointer[v1model.Switch] // nil until there is a pipeline
	now  atomic.Uint64                  // microseconds, as of the latest batch
	past v1model.Stats                  // of earlier pipelines; guarded by mu

	followers []*follower // guarded by mu
	calls     calls

	mu     sync.Mutex
	table  atomic.Pointer[portTable] // replaced under mu, read by every loop
	closed bool
	loops  sync.WaitGroup
	lost   atomic.Uint64
}

// Run runs a switch until the context ends.
func Run(ctx context.Context, cfg Config) error {
	d, err := New(cfg)
	if err != nil {
		return err
	}
	return d.Run(ctx)
}

// New opens all ports, which start to forward at once when there is a pipeline, and listens for
// controllers. The switch must be closed, or run.
func New(cfg Config) (*Daemon, error) {
	d := &Daemon{cfg: cfg.withDefaults()}
	d.table.Store(new(portTable))
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("switch: %w", errors.Join(err, d.closeGiven(), d.Close()))
	}
	return d, nil
}

// closeGiven closes what the caller handed over and the switch did not get round to take.
func (d *Daemon) closeGiven() error {
	var errs []error
	for _, p := range d.cfg.Ports {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

func (d *Daemon) open() error {
	var err error
	d.server, err = p4rt.New(p4rt.Config{
		DeviceID:  d.cfg.DeviceID,
		NewSwitch: d.newSwitch,
		Activate:  d.activate,
		PacketOut: d.packetOut,
		Events:    d.cfg.Events.Control,
	})
	if err != nil {
		return err
	}
	if d.listener = d.cfg.Listener; d.listener == nil {
		if d.listener, err = Listen(d.cfg.Address); err != nil {
			return err
		}
	}
	if err := d.begin(); err != nil {
		return err
	}
	return d.openPorts()
}

// begin puts the program of the configuration into service, if there is one.
func (d *Daemon) begin() error {
	switch {
	case d.cfg.Pipeline != nil:
		if err := d.server.SetPipeline(d.cfg.Pipeline); err != nil {
			return err
		}
	case d.cfg.Program != nil:
		sw, err := d.newSwitch(d.cfg.Program)
		if err != nil {
			return err
		}
		d.activate(sw)
	}
	if sw := d.sw.Load(); sw != nil && d.cfg.Fill != nil {
		return d.cfg.Fill(sw)
	}
	return nil
}

func (d *Daemon) openPorts() error {
	inner, outer := port.NewPair(cpuQueue)
	d.packets = outer
	if err := d.AddPort(d.cfg.CPUPort, &cpuPort{inner, d.server}); err != nil {
		return fmt.Errorf("cpu port: %w", err)
	}
	for number, p := range d.cfg.Ports {
		if err := d.AddPort(number, p); err != nil {
			return err
		}
	}
	for _, spec := range d.cfg.Specs {
		p, err := spec.Open()
		if err != nil {
			return fmt.Errorf("port %v: %w", spec, err)
		}
		if err := d.AddPort(spec.Number, p); err != nil {
			return errors.Join(err, p.Close())
		}
	}
	return nil
}

// newSwitch makes a switch for the server; packets meet it once it is activated.
func (d *Daemon) newSwitch(program *bmv2.Program) (*v1model.Switch, error) {
	return v1model.NewSwitch(program, v1model.Config{
		Now:      d.now.Load,
		Clock:    d.cfg.Now,
		Rand:     d.cfg.Rand,
		DropPort: d.cfg.DropPort,
		OnDigest: d.server.Digest,
		OnLog:    d.cfg.Events.Log,
		HasPort:  d.hasPort,
		Backlog:  d.backlog,
		Yield:    runtime.Gosched,
	})
}

func (d *Daemon) activate(sw *v1model.Switch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if before := d.sw.Swap(sw); before != nil {
		d.past = sum(d.past, before.Stats())
	}
	d.tellSwitch(sw)
	d.refollow(sw)
}

// packetOut queues a frame of the controller for the CPU port.
func (d *Daemon) packetOut(frame []byte) error {
	n, err := d.packets.WriteBatch([][]byte{frame})
	if err == nil && n == 0 {
		err = fmt.Errorf("packet of %d bytes was dropped: more than %d wait, or longer than %d",
			len(frame), cpuQueue, port.MaxFrame)
	}
	return err
}

// Addr returns the address that P4Runtime is served on.
func (d *Daemon) Addr() net.Addr { return d.listener.Addr() }

// DeviceID returns the P4Runtime device id.
func (d *Daemon) DeviceID() uint64 { return d.cfg.DeviceID }

// CPUPort returns the port of packet-in and packet-out.
func (d *Daemon) CPUPort() uint16 { return d.cfg.CPUPort }

// Server returns the P4Runtime server.
func (d *Daemon) Server() *p4rt.Server { return d.server }

// serverOptions notice within a minute that a controller is gone without a word, so that a backup takes
// over, and let controllers do the same with the switch. Who connects and says nothing is sent away.
func serverOptions() []grpc.ServerOption {
	const probe, patience, often = 20 * time.Second, 20 * time.Second, 5 * time.Second
	return []grpc.ServerOption{
		grpc.ConnectionTimeout(patience),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: probe, Timeout: patience}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: often, PermitWithoutStream: true,
		}),
	}
}

// Run serves P4Runtime until the context ends, and closes the switch. The error is nil when the
// context ended it.
func (d *Daemon) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	options := slices.Concat(
		p4rt.ServerOptions(), serverOptions(), d.calls.options(), d.cfg.ServerOptions)
	g := grpc.NewServer(options...)
	d.server.Register(g)
	var served error
	var group sync.WaitGroup
	group.Go(func() {
		served = g.Serve(&limitedListener{Listener: d.listener})
		cancel()
	})
	group.Go(func() { _ = d.server.Run(ctx) })
	group.Go(func() { d.watchIdle(ctx) })
	<-ctx.Done()
	g.Stop()
	group.Wait()
	if errors.Is(served, grpc.ErrServerStopped) { // the context ended before the server began
		served = nil
	}
	if served != nil {
		served = fmt.Errorf("switch: p4runtime: %w", served)
	}
	return errors.Join(served, d.Close())
}

// Close closes all ports and waits for the goroutines that read them.
func (d *Daemon) Close() error {
	d.mu.Lock()
	d.closed = true
	before := d.table.Swap(new(portTable))
	d.mu.Unlock()
	var errs []error
	for _, p := range before {
		if p != nil {
			errs = append(errs, p.port.Close())
		}
	}
	d.loops.Wait()
	if d.listener != nil {
		if err := d.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Stats returns what happened to packets, over all pipelines so far.
func (d *Daemon) Stats() v1model.Stats {
	d.mu.Lock()
	past := d.past
	d.mu.Unlock()
	if sw := d.sw.Load(); sw != nil {
		return sum(past, sw.Stats())
	}
	return past
}

// TableSizes returns how many entries every table of the pipeline in service has; none without one.
func (d *Daemon) TableSizes() map[string]int {
	if sw := d.sw.Load(); sw != nil {
		return sw.TableSizes()
	}
	return nil
}

// Program returns the program in service; nil without one.
func (d *Daemon) Program() *bmv2.Program {
	if sw := d.sw.Load(); sw != nil {
		return sw.Program()
	}
	return nil
}

// Undeliverable returns the frames that were sent to numbers without a port, or were longer than
// [port.MaxFrame].
func (d *Daemon) Undeliverable() uint64 { return d.lost.Load() }
