package clientlib

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// Config says how to reach a cluster. Service is required, and one of Keyspace and Descriptor; the
// zero value of everything else works.
type Config struct {
	// Service is the cluster's service address. Port 0 stands for wire.Port.
	Service netip.AddrPort
	// Keyspace is the name of the keyspace that the Client works on.
	Keyspace string
	// Descriptor describes the keyspace and saves Dial the look-up of its name.
	Descriptor *kv.Descriptor

	// Conn is the socket to use. The Client closes it. If it is nil, Network says which to open.
	Conn transport.Conn
	// Network is "udp" for a socket of the kernel, the default, or "tunnel:HOST:PORT" for a
	// cable to the UDP tunnel port of a built-in switch at that IPv4 address.
	Network string
	// Local is the IPv4 address and port to send from. A kernel socket finds one itself; behind
	// a tunnel it is the client's address in the data network and must be set.
	Local netip.AddrPort

	// Timeout bounds operations whose context has no deadline. Zero stands for 5 s: longer than
	// a failover takes, shorter than a person waits.
	Timeout time.Duration
	// Window bounds the requests in flight; the congestion window moves below it. Zero stands
	// for 1024, what a link of 10 Gbit/s and a round trip of 1 ms hold in packets of 1 KB.
	Window int
	// Queue bounds the requests that wait for room in the window. Callers block while it is
	// full. Zero stands for 4096.
	Queue int
	// ScanBudget is into how many further sub-ranges a switch may split one request of a scan,
	// at most 255. Zero stands for 4: one packet must not become a storm of replies.
	ScanBudget int
	// Observe, if it is set, is told of every request that has ended, as package clientlib/metrics
	// wants it. It is called while the session is locked: it must return at once and not use the
	// Client.
	Observe func(Observation)
	// Seed makes session number and jitter repeatable in tests. Zero stands for a random one.
	Seed uint64
}

// Observation is the end of one request. A Scan makes several.
type Observation struct {
	Op      wire.Op
	Outcome session.Outcome
	Latency time.Duration // from call to end, time in the queue included
}

// Defaults of Config.
const (
	DefaultTimeout    = 5 * time.Second
	DefaultScanBudget = 4
)

// complete fills in the defaults and rejects what cannot work.
func (cfg Config) complete() (Config, error) {
	if cfg.Service.Port() == 0 {
		cfg.Service = netip.AddrPortFrom(cfg.Service.Addr(), wire.Port)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.ScanBudget == 0 {
		cfg.ScanBudget = DefaultScanBudget
	}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	switch {
	case !cfg.Service.Addr().Unmap().Is4():
		return cfg, fmt.Errorf("service address %v: must be IPv4", cfg.Service)
	case cfg.Keyspace == "" && cfg.Descriptor == nil:
		return cfg, errors.New("keyspace: its name or its descriptor must be set")
	case cfg.Timeout < 0:
		return cfg, fmt.Errorf("timeout %v: must be positive", cfg.Timeout)
	case cfg.ScanBudget < 0 || cfg.ScanBudget > maxScanBudget:
		return cfg, fmt.Errorf("scan budget %d: must be 1 to %d", cfg.ScanBudget, maxScanBudget)
	}
	return cfg, nil
}

// maxScanBudget is what the header field holds.
const maxScanBudget = 255

// session returns the part of the configuration that is the session's.
func (cfg Config) session() session.Config {
	return session.Config{
		Rand: rand.New(rand.NewPCG(cfg.Seed, 0)), Window: cfg.Window, Queue: cfg.Queue,
	}
}

// open returns the socket that the configuration names.
func (cfg Config) open() (transport.Conn, error) {
	if cfg.Conn != nil {
		return cfg.Conn, nil
	}
	if peer, ok := strings.CutPrefix(cfg.Network, "tunnel:"); ok {
		return cfg.openTunnel(peer)
	}
	if cfg.Network != "" && cfg.Network != "udp" {
		return nil, fmt.Errorf("network %q: must be udp or tunnel:HOST:PORT", cfg.Network)
	}
	local := cfg.Local
	if !local.IsValid() {
		local = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return transport.ListenUDP(local)
}

func (cfg Config) openTunnel(peer string) (transport.Conn, error) {
	to, err := netip.ParseAddrPort(peer)
	if err != nil {
		return nil, fmt.Errorf("network %q: %w", cfg.Network, err)
	}
	link, err := transport.DialTunnel(netip.AddrPort{}, to)
	if err != nil {
		return nil, fmt.Errorf("network %q: %w", cfg.Network, err)
	}
	host, err := transport.NewHost(link, transport.HostConfig{Addr: cfg.Local})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("network %q: %w", cfg.Network, err), link.Close())
	}
	return host, nil
}
