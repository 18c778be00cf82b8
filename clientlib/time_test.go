package clientlib_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/clientlib/internal/teststore"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// The tests of this file run in virtual time: nothing in them waits.

var key = []byte("key")

// elapsed fails the test unless about want has passed since start: the clock ticks every 2.5 ms.
func elapsed(t *testing.T, start time.Time, want time.Duration) {
	t.Helper()
	if d := time.Since(start); d < want || d > want+5*time.Millisecond {
		t.Errorf("after %v, want %v", d, want)
	}
}

// is fails the test unless err wraps all of want.
func is(t *testing.T, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("error %v, want %v", err, w)
		}
	}
}

func TestRequestsAreRepeatedUntilAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c := s.dial(t, nil)
		for _, idle := range []time.Duration{0, time.Minute} { // the clock falls asleep when idle
			synctest.Wait()
			<-time.After(idle)
			s.setMute(true)
			unmute := time.AfterFunc(100*time.Millisecond, func() { s.setMute(false) })
			start := time.Now()
			if _, err := c.Put(context.Background(), key, []byte("v"), nil); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d < 100*time.Millisecond || d > 400*time.Millisecond {
				t.Errorf("answered after %v", d)
			}
			unmute.Stop()
		}
		if n := c.Stats().Retransmitted; n < 2 || n > 20 {
			t.Errorf("%d retransmissions", n)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c := s.dial(t, func(cfg *clientlib.Config) { cfg.Timeout = time.Second })
		s.setMute(true)
		ctx, cancel := context.WithTimeout(context.Background(), 70*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := c.Get(ctx, key)
		is(t, err, clientlib.ErrUnavailable, context.DeadlineExceeded)
		elapsed(t, start, 70*time.Millisecond)

		start = time.Now()
		_, err = c.Put(context.Background(), key, nil, nil)
		is(t, err, clientlib.ErrOutcomeUnknown, context.DeadlineExceeded)
		elapsed(t, start, time.Second) // the Client's timeout

		start = time.Now()
		for _, err := range c.Scan(context.Background(), nil, nil, nil) {
			is(t, err, clientlib.ErrUnavailable)
		}
		elapsed(t, start, time.Second)
	})
}

func TestNothingIsSentAfterItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newServer(t).dial(t, nil)
		before := c.Stats().Sent
		ctx, cancel := context.WithDeadline(context.Background(), time.Now())
		defer cancel()
		_, err := c.Put(ctx, key, nil, nil)
		is(t, err, clientlib.ErrUnavailable, context.DeadlineExceeded)
		is(t, c.StartPut(ctx, key, nil, nil).Wait(context.Background()).Err, clientlib.ErrUnavailable)
		if n := c.Stats().Sent - before; n != 0 {
			t.Errorf("%d packets sent", n)
		}
	})
}

func TestCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c := s.dial(t, nil)
		s.setMute(true)
		run := func(op func(context.Context) error) error {
			ctx, cancel := context.WithCancel(context.Background())
			defer time.AfterFunc(30*time.Millisecond, cancel).Stop()
			start := time.Now()
			err := op(ctx)
			elapsed(t, start, 30*time.Millisecond)
			is(t, err, context.Canceled)
			return err
		}
		err := run(func(ctx context.Context) error { _, err := c.Get(ctx, key); return err })
		is(t, err, clientlib.ErrUnavailable)
		err = run(func(ctx context.Context) error { return c.StartIncrement(ctx, key, 1).Wait(ctx).Err })
		is(t, err, clientlib.ErrOutcomeUnknown)
		b := c.NewBatch()
		b.Get(key)
		b.Put(key, nil, nil)
		is(t, run(b.Do), clientlib.ErrUnavailable)
		is(t, b.Result(1).Err, clientlib.ErrOutcomeUnknown)
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c := s.dial(t, nil)
		s.setMute(true)
		ctx := context.Background()
		get, put := c.StartGet(ctx, key), c.StartPut(ctx, key, nil, nil)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		is(t, get.Wait(ctx).Err, clientlib.ErrUnavailable, clientlib.ErrClosed)
		is(t, put.Wait(ctx).Err, clientlib.ErrOutcomeUnknown, clientlib.ErrClosed)
		_, err := c.Get(ctx, key)
		is(t, err, clientlib.ErrClosed)
		b := c.NewBatch()
		b.Get(key)
		b.Get(key)
		is(t, b.Do(ctx), clientlib.ErrClosed)
	})
}

func TestFullQueueBlocksCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c := s.dial(t, func(cfg *clientlib.Config) { cfg.Window, cfg.Queue = 2, 2 })
		s.setMute(true)
		var done sync.WaitGroup
		for i := range 20 {
			done.Go(func() {
				_, err := c.Put(context.Background(), fmt.Appendf(nil, "%d", i), nil, nil)
				if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if st := c.Stats(); st.InFlight != 2 || st.Queued != 2 {
			t.Errorf("%d in flight, %d queued, want 2 and 2", st.InFlight, st.Queued)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		_, err := c.Put(ctx, key, nil, nil) // never sent
		is(t, err, clientlib.ErrUnavailable, context.DeadlineExceeded)
		s.setMute(false)
		done.Wait()
		if n := len(s.executed()); n != 20 {
			t.Errorf("%d writes executed, want 20", n)
		}
	})
}

// executed returns how often the server executed each write.
func (s *server) executed() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.Executed
}

func TestIncrementsCountOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c := s.dial(t, nil)
		n := 0
		s.with(func(store *teststore.Store) { // a rough network, the same in each run
			store.Refuse = func(wire.Packet) teststore.Refusal {
				n++
				switch n % 11 {
				case 1, 4:
					return teststore.Refusal{Silent: true}
				case 2:
					return teststore.Refusal{Status: wire.StatusWrongEpoch}
				case 7:
					return teststore.Refusal{Status: wire.StatusTryAgain, FromSwitch: true}
				}
				return teststore.Refusal{}
			}
		})
		var done sync.WaitGroup
		for range 8 {
			done.Go(func() {
				for range 50 {
					if _, err := c.Increment(context.Background(), key, 1); err != nil {
						t.Error(err)
					}
				}
			})
		}
		done.Wait()
		if sum, err := c.Increment(context.Background(), key, 0); err != nil || sum != 400 {
			t.Errorf("sum %d, %v, want 400", sum, err)
		}
		if st := c.Stats(); st.Refused == 0 || st.Retransmitted == 0 {
			t.Errorf("the network was not rough: %+v", st)
		}
	})
}

func TestDialWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, err := transport.NewNetwork().Listen(clientAddr)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err = clientlib.Dial(ctx, clientlib.Config{
			Conn: conn, Service: serviceAddr, Keyspace: "users",
		})
		is(t, err, clientlib.ErrUnavailable, context.DeadlineExceeded)
		if !strings.HasPrefix(err.Error(), `dial: keyspace "users": GET system/"users": `) {
			t.Errorf("the error does not say what was wanted: %v", err)
		}
		_, err = conn.ReadBatch(make([]transport.Message, 1))
		is(t, err, net.ErrClosed)
	})
}

// broken is a socket that fails.
type broken struct{ transport.Conn }

var errBroken = errors.New("cable cut")

func (broken) ReadBatch([]transport.Message) (int, error) { return 0, errBroken }
func (broken) WriteBatch([]transport.Message) error       { return errBroken }
func (broken) Close() error                               { return nil }

func TestBrokenSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := clientlib.Dial(context.Background(), clientlib.Config{
			Conn: broken{}, Service: serviceAddr, Descriptor: &users,
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_, err = c.Get(context.Background(), key)
		is(t, err, clientlib.ErrClosed, errBroken)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestConfigErrorsNameTheChoices(t *testing.T) {
	good := clientlib.Config{Service: serviceAddr, Descriptor: &kv.SystemDescriptor}
	for _, c := range []struct {
		edit func(*clientlib.Config)
		want string
	}{
		{func(c *clientlib.Config) { c.Service = netip.AddrPort{} }, "must be IPv4"},
		{func(c *clientlib.Config) { c.Descriptor = nil }, "name or its descriptor must be set"},
		{func(c *clientlib.Config) { c.Network = "tcp" }, "must be udp or tunnel:HOST:PORT"},
		{func(c *clientlib.Config) { c.Network = "tunnel:nowhere" }, `network "tunnel:nowhere"`},
		{func(c *clientlib.Config) { c.Network = "tunnel:127.0.0.1:9" }, "must be IPv4 with a port"},
		{func(c *clientlib.Config) { c.Timeout = -1 }, "must be positive"},
		{func(c *clientlib.Config) { c.ScanBudget = 256 }, "scan budget 256: must be 1 to 255"},
		{func(c *clientlib.Config) { c.Window = -1 }, "window of -1 requests: must be 1 to"},
		{func(c *clientlib.Config) { c.Queue = -1 }, "queue of -1 requests: must be 1 to"},
	} {
		cfg := good
		c.edit(&cfg)
		_, err := clientlib.Dial(context.Background(), cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want ...%s...", err, c.want)
		}
	}
}
