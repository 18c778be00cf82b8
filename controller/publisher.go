package controller

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/controller/core"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// catalogue is the system keyspace, as the publisher needs it.
type catalogue interface {
	Put(ctx context.Context, name string, descriptor []byte) error
	Delete(ctx context.Context, name string) error // of an absent name: no error
	Close() error
}

// publisher writes descriptors into the catalogue, one after the other in the order in which they
// became due, each until it succeeds.
type publisher struct {
	loop      *loop
	catalogue catalogue

	mu    sync.Mutex
	queue []directory.Publication // bounded by the number of keyspaces: each is handed out once
	ready chan struct{}
}

// Bounds of one attempt and of the pause after one that failed: while the cluster starts, the first
// attempts fail.
const (
	publishTimeout = 5 * time.Second
	publishPause   = 100 * time.Millisecond
)

func newPublisher(l *loop, c catalogue) *publisher {
	return &publisher{loop: l, catalogue: c, ready: make(chan struct{}, 1)}
}

// add queues a publication and does not wait.
func (p *publisher) add(publication directory.Publication) {
	p.mu.Lock()
	p.queue = append(p.queue, publication)
	p.mu.Unlock()
	select {
	case p.ready <- struct{}{}:
	default: // it has been woken already
	}
}

func (p *publisher) take() []directory.Publication {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.queue
	p.queue = nil
	return out
}

// run publishes until ctx is done.
func (p *publisher) run(ctx context.Context) {
	for {
		for _, publication := range p.take() {
			if !p.untilDone(ctx, publication) {
				return
			}
		}
		select {
		case <-p.ready:
		case <-ctx.Done():
			return
		}
	}
}

// untilDone reports whether the publication has succeeded before ctx was done.
func (p *publisher) untilDone(ctx context.Context, publication directory.Publication) bool {
	id := publication.Descriptor.ID
	for {
		err := p.once(ctx, publication)
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			p.loop.journal.tell(Event{Kind: PublishFailed, Severity: core.Warning, Err: err,
				Keyspace: publication.Descriptor.Name})
		}
		_ = p.loop.post(ctx, func() { // fails only when all ends
			if err != nil {
				p.loop.failures[id] = err
				return
			}
			delete(p.loop.failures, id)
			p.loop.core.Published(p.loop.now(), publication)
		})
		if err == nil {
			return true
		}
		select {
		case <-time.After(publishPause):
		case <-ctx.Done():
			return false
		}
	}
}

func (p *publisher) once(ctx context.Context, publication directory.Publication) error {
	if p.catalogue == nil { // a controller without an address in the data network
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	d := publication.Descriptor
	if publication.Delete {
		if err := p.catalogue.Delete(ctx, d.Name); err != nil {
			return fmt.Errorf("delete the descriptor of %q: %w", d.Name, err)
		}
		return nil
	}
	if err := p.catalogue.Put(ctx, d.Name, d.Encode()); err != nil {
		return fmt.Errorf("write the descriptor of %q: %w", d.Name, err)
	}
	return nil
}

// clientCatalogue reaches the system keyspace as every client does.
type clientCatalogue struct{ client *clientlib.Client }

func newClientCatalogue(ctx context.Context, link transport.Link, own netip.AddrPort,
	service netip.Addr,
) (*clientCatalogue, error) {
	host, err := transport.NewHost(link, transport.HostConfig{Addr: own})
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	system := kv.SystemDescriptor
	client, err := clientlib.Dial(ctx, clientlib.Config{
		Service: netip.AddrPortFrom(service, wire.Port), Descriptor: &system, Conn: host,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("controller: %w", err), host.Close())
	}
	return &clientCatalogue{client: client}, nil
}

// Put implements catalogue.
func (c *clientCatalogue) Put(ctx context.Context, name string, descriptor []byte) error {
	_, err := c.client.Put(ctx, []byte(name), descriptor, nil)
	return err
}

// Delete implements catalogue.
func (c *clientCatalogue) Delete(ctx context.Context, name string) error {
	err := c.client.Delete(ctx, []byte(name), nil)
	if errors.Is(err, clientlib.ErrNotFound) {
		return nil
	}
	return err
}

// Close implements catalogue.
func (c *clientCatalogue) Close() error { return c.client.Close() }
