package controller

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/p4rt"
	boltstore "github.com/turbokv/turbokv/controller/store"
	"github.com/turbokv/turbokv/controller/store/etcd"
	"github.com/turbokv/turbokv/p4src"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// Controller is the control plane of one cluster.
type Controller struct {
	cfg       Config
	loop      *loop
	publisher *publisher
	drivers   []*switchDriver
	clients   []*p4rt.Client
	listener  net.Listener
	term      uint64
}

// Run is New and Controller.Run. With a store in etcd it controls the cluster whenever this
// controller is elected, and stands by else.
func Run(ctx context.Context, cfg Config) error {
	if strings.HasPrefix(cfg.Store, etcd.Scheme) {
		return runElected(ctx, cfg)
	}
	c, err := New(cfg)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// New opens the store and the listener. Run must follow, which closes both.
func New(cfg Config) (*Controller, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	st, err := boltstore.Open(cfg.Store, newClusterID)
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	c, err := build(cfg, st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return c, nil
}

// nodeKeepalive notices the end of a node whose machine is gone without a word within ten seconds.
var nodeKeepalive = keepalive.ServerParameters{Time: 5 * time.Second, Timeout: 5 * time.Second}

// newClusterID draws 128 random bits.
func newClusterID() string { return rand.Text() }

func build(cfg Config, st store) (*Controller, error) {
	info, err := p4rt.NewInfo(cfg.Pipeline.P4Info)
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	limits, err := limitsOf(info)
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	snapshot, err := st.Load()
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	var names []string
	for _, sw := range cfg.Switches {
		names = append(names, sw.Name)
	}
	began := time.Now()
	decides, err := core.New(core.Config{
		Directory: directory.Config{Limits: limits, ExpectNodes: cfg.ExpectNodes, Switches: names},
		Policy:    cfg.Policy, UnixMS: began.UnixMilli(),
	}, snapshot)
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	term, err := st.NextTerm()
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	l := newLoop(decides, st, newJournal(cfg.Events), began)
	c := &Controller{cfg: cfg, loop: l, listener: cfg.Listener, term: term}
	if c.listener == nil {
		if c.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
			return nil, fmt.Errorf("controller: %w", err)
		}
	}
	return c, nil
}

// limitsOf reads off the program how much a switch can hold.
func limitsOf(info *p4rt.Info) (directory.Limits, error) {
	rows, err1 := info.TableSize(p4src.SubRangeTable)
	reads, err2 := info.CounterSize(p4src.ReadCounter)
	writes, err3 := info.CounterSize(p4src.WriteCounter)
	entries, err4 := info.TableSize(p4src.PartitionTable)
	return directory.Limits{SubRanges: min(rows, reads, writes), PartitionEntries: entries},
		errors.Join(err1, err2, err3, err4)
}

// Addr is where nodes and operators find the controller.
func (c *Controller) Addr() net.Addr { return c.listener.Addr() }

// Run controls the cluster until ctx is done, and returns nil then. Any other end is an error: the
// store failed, or the listener did. The cluster goes on serving without a controller (I2).
func (c *Controller) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() { err = errors.Join(err, c.loop.store.Close()) }()
	closeCatalogue, err := c.connect(ctx)
	if err != nil {
		return errors.Join(err, c.listener.Close())
	}
	server := grpc.NewServer(append([]grpc.ServerOption{grpc.KeepaliveParams(nodeKeepalive)},
		c.cfg.ServerOptions...)...)
	controlpb.RegisterNodeControlServer(server,
		&nodeService{loop: c.loop, cfg: &c.cfg, reports: c.cfg.ReportInterval, beats: c.cfg.BeatInterval})
	adminpb.RegisterAdminServer(server, &adminService{loop: c.loop, switches: c.cfg.Switches,
		name: c.Addr().String(), term: c.term})

	failed := make(chan error, len(c.clients)+2) // one place for everybody who may fail
	var parts sync.WaitGroup
	start := func(part func() error) {
		parts.Go(func() {
			if err := part(); err != nil && ctx.Err() == nil {
				failed <- err
			}
		})
	}
	start(func() error { return c.loop.run(ctx) })
	start(func() error { c.publisher.run(ctx); return nil })
	start(func() error { // who is to carry may be out of reach: then another does
		wait(ctx, dataplane.CarrierPatience)
		return c.loop.post(ctx, c.loop.network.chooseCarrier)
	})
	start(func() error { return server.Serve(c.listener) })
	for i, client := range c.clients {
		start(func() error { return client.Run(ctx, c.drivers[i].work) })
	}
	select {
	case err = <-failed:
		err = fmt.Errorf("controller: %w", err)
	case <-ctx.Done():
	}
	cancel()
	server.Stop()
	err = errors.Join(err, closeCatalogue())
	parts.Wait()
	return err
}

// connect prepares everything that talks to the switches, and gives the catalogue's end.
func (c *Controller) connect(ctx context.Context) (closeCatalogue func() error, err error) {
	closeCatalogue = func() error { return nil }
	var own catalogue
	var link *cpuLink
	if c.cfg.Address.IsValid() {
		link = newCPULink()
		client, err := newClientCatalogue(ctx, link, c.cfg.Address, c.cfg.Service)
		if err != nil {
			return nil, err
		}
		own, closeCatalogue = client, client.Close
		c.loop.probe = newProber(link, c.cfg.Address, c.loop.alive).probe
	}
	c.publisher = newPublisher(c.loop, own)
	c.loop.publish = c.publisher.add
	if c.loop.network, err = newNetwork(c.loop, c.cfg, link); err != nil {
		return nil, errors.Join(err, closeCatalogue())
	}
	hosts := newHostTable(c.cfg)
	for _, sw := range c.cfg.Switches {
		c.loop.switches[sw.Name] = new(switchStatus)
		d := newSwitchDriver(c.cfg, sw.Name, c.loop, link, hosts)
		client, err := d.client(ctx, sw, c.term)
		if err != nil {
			return nil, errors.Join(err, closeCatalogue())
		}
		c.drivers, c.clients = append(c.drivers, d), append(c.clients, client)
	}
	return closeCatalogue, nil
}
