package clientlib

import (
	"net/netip"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
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
	// cable to the UDP tunnel port of a built-in switch at that address.
	Network string
	// Local is the IPv4 address and port to send from. A kernel socket finds one itself; behind
	// a tunnel it is the client's address in the data network and must be set.
	Local netip.AddrPort

	// Timeout bounds operations whose context has no deadline. Zero stands for 5 s: longer than
	// a failover takes, shorter than a person waits.
	Timeout time.Duration
	// Window bounds the requests in flight. Zero stands for 1024, what a link of 10 Gbit/s and a
	// round trip of 1 ms hold in small packets. The congestion window moves below it.
	Window int
	// Queue bounds the requests that wait for room in the window. Callers block when it is
	// full. Zero stands for 4096.
	Queue int
	// ScanBudget is into how many further sub-ranges a switch may split one request of a scan.
	// Zero stands for 4: one packet must not become a storm of replies.
	ScanBudget int
	// Seed makes session number and jitter repeatable in tests. Zero stands for a random one.
	Seed uint64
}
