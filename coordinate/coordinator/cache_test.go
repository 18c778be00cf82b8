package coordinator_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/coordinate/coordinator"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// fakeSource has a map of one sub-range whose epoch and keyspace the test sets; a fetch takes a while.
type fakeSource struct {
	epoch    atomic.Uint32
	keyspace atomic.Uint32
	fetches  atomic.Int64
	away     atomic.Bool
}

const fetchTakes = 10 * time.Millisecond

func (s *fakeSource) fetch(context.Context) (*coordinate.Map, error) {
	epoch, keyspace := s.epoch.Load(), s.keyspace.Load() // as of the beginning
	s.fetches.Add(1)
	time.Sleep(fetchTakes)
	if s.away.Load() {
		return nil, errors.New("away")
	}
	return coordinate.NewMap([]coordinate.SubRange{{ID: 1, Keyspace: kv.KeyspaceID(keyspace),
		Interval: kv.FullInterval, Epoch: kv.Epoch(epoch)}}, nil)
}

func requestTo(keyspace kv.KeyspaceID) wire.Packet {
	p := wire.Packet(wire.Append(nil, wire.OpGet))
	p.SetKeyspace(keyspace)
	p.Seal()
	return p
}

func TestARefusedEpochIsFetchedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s fakeSource
		s.epoch.Store(5)
		c := coordinator.NewCache(t.Context(), s.fetch)
		defer c.Close()
		if c.Map() != nil {
			t.Error("there is a map before the first fetch")
		}
		time.Sleep(500 * time.Millisecond)
		if c.Map().Outdated(1, 4) || s.fetches.Load() != 1 {
			t.Fatalf("after %d fetches the map is not of epoch 5", s.fetches.Load())
		}
		s.epoch.Store(6)
		c.Refused(1, 4) // the map says so no longer
		time.Sleep(100 * time.Millisecond)
		if !c.Map().Outdated(1, 5) {
			t.Error("a refusal of an epoch that the map has left behind causes a fetch")
		}
		hint := requestTo(0)
		hint.SetSubRange(1, 5)
		c.For(hint)
		time.Sleep(100 * time.Millisecond)
		if c.Map().Outdated(1, 5) {
			t.Error("100 ms after a request that was refused epoch 5 the map is of epoch 5")
		}
	})
}

func TestRefusalsDoNotFloodTheController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s fakeSource
		s.epoch.Store(5)
		c := coordinator.NewCache(t.Context(), s.fetch)
		defer c.Close()
		for range 1000 {
			c.Refused(1, 5)
			time.Sleep(time.Millisecond)
		}
		if n := s.fetches.Load(); n > 20 {
			t.Errorf("%d fetches in a second", n)
		}
	})
}

func TestAMapOutlivesTheController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s fakeSource
		c := coordinator.NewCache(t.Context(), s.fetch)
		defer c.Close()
		time.Sleep(time.Second)
		s.away.Store(true)
		time.Sleep(time.Minute)
		if c.Map() == nil {
			t.Error("the map is gone with the controller")
		}
		if n := s.fetches.Load(); n < 50 || n > 70 {
			t.Errorf("%d fetches in a minute", n)
		}
	})
}

// TestAKeyspaceIsMissingOnlyWhenSoughtSince asks for a keyspace that appears after the map was
// fetched, and for one that is not there.
func TestAKeyspaceIsMissingOnlyWhenSoughtSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s fakeSource
		s.keyspace.Store(1)
		c := coordinator.NewCache(t.Context(), s.fetch)
		defer c.Close()
		time.Sleep(time.Second + fetchTakes/2) // in the middle of a fetch
		s.keyspace.Store(2)
		for i := range 300 {
			if m := c.For(requestTo(2)); m != nil && !m.Has(2) {
				t.Fatalf("after %d ms the new keyspace is said to be missing", i)
			}
			time.Sleep(time.Millisecond)
		}
		if !c.For(requestTo(2)).Has(2) {
			t.Error("the new keyspace has not been found")
		}
		for range 300 {
			c.For(requestTo(1))
			time.Sleep(time.Millisecond)
		}
		if m := c.For(requestTo(1)); m == nil || m.Has(1) {
			t.Error("the keyspace that is gone is not said to be missing")
		}
	})
}
