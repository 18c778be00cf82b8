package clientlib_test

import (
	"context"
	"net/netip"
	"sync"
	"testing"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/clientlib/internal/teststore"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

var (
	serviceAddr = netip.MustParseAddrPort("10.10.0.1:21579")
	clientAddr  = netip.MustParseAddrPort("10.0.0.9:40000")
	users       = kv.Descriptor{Name: "users", ID: 7, Partitioner: kv.RangePartitioned}
	sessions    = kv.Descriptor{Name: "sessions", ID: 8, Partitioner: kv.HashPartitioned}
)

// server is a cluster of one object behind an in-memory network.
type server struct {
	network *transport.Network
	conn    transport.Conn
	done    sync.WaitGroup

	mu    sync.Mutex // guards what follows
	store *teststore.Store
	mute  bool // drop all requests
}

// newServer starts a server and stops it when the test ends.
func newServer(t testing.TB) *server {
	t.Helper()
	s, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// startServer starts a server with the keyspaces "users" (range) and "sessions" (hash).
func startServer() (*server, error) {
	s := &server{network: transport.NewNetwork(), store: teststore.New(0, users.ID, sessions.ID)}
	for _, d := range []kv.Descriptor{users, sessions} {
		s.store.Put(kv.SystemKeyspace, d.Name, string(d.Encode()))
	}
	conn, err := s.network.Listen(serviceAddr)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	s.done.Go(s.run)
	return s, nil
}

func (s *server) stop() error {
	err := s.conn.Close()
	s.done.Wait()
	return err
}

func (s *server) run() {
	in := make([]transport.Message, transport.BatchSize)
	for {
		n, err := s.conn.ReadBatch(in)
		if err != nil {
			return
		}
		var out []transport.Message
		s.mu.Lock()
		for _, m := range in[:n] {
			if s.mute {
				continue
			}
			s.store.Handle(m.Payload, func(p wire.Packet) {
				out = append(out, transport.Message{Addr: m.Addr, Payload: p})
			})
		}
		s.mu.Unlock()
		_ = s.conn.WriteBatch(out)
	}
}

// with runs f while the server does nothing else.
func (s *server) with(f func(*teststore.Store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.store)
}

func (s *server) setMute(mute bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = mute
}

// dial returns a client of the server; edit may change its configuration.
func (s *server) dial(t testing.TB, edit func(*clientlib.Config)) *clientlib.Client {
	t.Helper()
	conn, err := s.network.Listen(clientAddr)
	if err != nil {
		t.Fatal(err)
	}
	cfg := clientlib.Config{Conn: conn, Service: serviceAddr, Keyspace: users.Name, Seed: 1}
	if edit != nil {
		edit(&cfg)
	}
	c, err := clientlib.Dial(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
