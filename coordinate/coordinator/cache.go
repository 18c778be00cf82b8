package coordinator

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Source fetches the present partition map.
type Source func(ctx context.Context) (*coordinate.Map, error)

// Times of the refreshing of maps.
const (
	// refreshEvery is how old a map gets that nobody has complained of.
	refreshEvery = time.Second
	// refreshPause is the least time between two fetches: while a sub-range is being repaired, all
	// coordinators ask at once, and every controller must stand that.
	refreshPause = 50 * time.Millisecond
	// fetchTimeout bounds one fetch.
	fetchTimeout = 2 * time.Second
)

// Cache is a partition map that is kept fresh.
type Cache struct {
	source Source
	now    atomic.Pointer[fetched]
	wanted chan struct{} // room for one wish
	cancel context.CancelFunc
	worker sync.WaitGroup

	mu     sync.Mutex // guards missed
	missed map[kv.KeyspaceID]uint64
}

// fetched is a map and which fetch it came from, counted from 1.
type fetched struct {
	m      *coordinate.Map
	number uint64
}

// NewCache begins to fetch, until ctx is done or Close is called; Close must be called in any case.
// Until the first fetch has succeeded the map is nil, with which requests are answered TRY_AGAIN.
func NewCache(ctx context.Context, source Source) *Cache {
	c := &Cache{source: source, wanted: make(chan struct{}, 1), missed: make(map[kv.KeyspaceID]uint64)}
	c.now.Store(new(fetched))
	ctx, c.cancel = context.WithCancel(ctx)
	c.worker.Go(func() { c.refresh(ctx) })
	return c
}

// Close ends the fetching; the last map stays.
func (c *Cache) Close() {
	c.cancel()
	c.worker.Wait()
}

// refresh fetches until ctx is done. A fetch that fails leaves the map as it is: serving needs no
// live controller.
func (c *Cache) refresh(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	every := time.NewTicker(refreshEvery)
	defer every.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		c.fetch(ctx)
		pause.Reset(refreshPause)
		if c.Map() == nil {
			continue
		}
		select {
		case <-c.wanted:
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *Cache) fetch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if m, err := c.source(ctx); err == nil {
		c.now.Store(&fetched{m, c.now.Load().number + 1})
	}
}

// Map returns the newest map; nil before there is one.
func (c *Cache) Map() *coordinate.Map { return c.now.Load().m }

// want has the map fetched soon.
func (c *Cache) want() {
	select {
	case c.wanted <- struct{}{}:
	default:
	}
}

// Refused tells that a node has refused an epoch of a sub-range.
func (c *Cache) Refused(id kv.SubRangeID, epoch kv.Epoch) {
	if c.Map().Outdated(id, epoch) {
		c.want()
	}
}

// For returns the map with which to resolve a request, of which at least the header must be there:
// the newest one, or nil if that does not know the keyspace but may be older than it. A keyspace is
// only known to be missing when a fetch that began after somebody asked for it did not find it.
func (c *Cache) For(request wire.Packet) *coordinate.Map {
	f := c.now.Load()
	if id := request.SubRange(); id != 0 { // what the client was refused with
		c.Refused(id, request.Epoch())
	}
	if f.m.Has(request.Keyspace()) || c.lacks(request.Keyspace(), f.number) {
		return f.m
	}
	return nil
}

// lacks is told that the map of that fetch does not have a keyspace, and reports whether that is the
// truth. The fetch after the one that was first found without may have begun before.
func (c *Cache) lacks(id kv.KeyspaceID, number uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first, known := c.missed[id]
	if known && first+2 <= number {
		return true
	}
	if !known {
		c.missed[id] = number
	}
	c.want()
	return false
}
