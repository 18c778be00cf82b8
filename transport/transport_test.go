package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// pairs opens two connected Conns of each kind.
func pairs(t *testing.T) map[string][2]Conn {
	t.Helper()
	must := func(c Conn, err error) Conn {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	mem := NewNetwork()
	listen := func(a string) (Conn, error) { return mem.Listen(netip.MustParseAddrPort(a)) }
	udp := func() (Conn, error) { return ListenUDP(loopback) }
	left, right := tunnelPair(t)
	host := func(l Link, a string) (Conn, error) {
		return NewHost(l, HostConfig{Addr: netip.MustParseAddrPort(a)})
	}
	return map[string][2]Conn{
		"memory": {must(listen("10.0.0.1:1")), must(listen("10.0.0.2:2"))},
		"udp":    {must(udp()), must(udp())},
		"tunnel": {must(host(left, "10.0.0.1:1")), must(host(right, "10.0.0.2:2"))},
	}
}

// tunnelPair connects two tunnels to each other: the second learns the first one's address by
// being opened last.
func tunnelPair(t *testing.T) (left, right *Tunnel) {
	t.Helper()
	placeholder, err := ListenUDP(loopback)
	if err != nil {
		t.Fatal(err)
	}
	rightAddr := placeholder.LocalAddr()
	placeholder.Close()
	if left, err = DialTunnel(loopback, rightAddr); err != nil {
		t.Fatal(err)
	}
	if right, err = DialTunnel(rightAddr, left.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	return left, right
}

func TestDatagramsArriveInOrderWithTheirSender(t *testing.T) {
	for name, pair := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			a, b := pair[0], pair[1]
			var out []Message
			for i := range 150 { // more than two batches
				out = append(out, Message{b.LocalAddr(), fmt.Appendf(nil, "message %d", i)})
			}
			if err := a.WriteBatch(out); err != nil {
				t.Fatal(err)
			}
			in := make([]Message, BatchSize)
			for got := 0; got < len(out); {
				n, err := b.ReadBatch(in)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range in[:n] {
					if string(m.Payload) != fmt.Sprintf("message %d", got) || m.Addr != a.LocalAddr() {
						t.Fatalf("message %d: %q from %v", got, m.Payload, m.Addr)
					}
					got++
				}
			}
		})
	}
}

func TestCloseUnblocksRead(t *testing.T) {
	for name, pair := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			done := make(chan error)
			go func() {
				_, err := pair[0].ReadBatch(make([]Message, 1))
				done <- err
			}()
			pair[0].Close()
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Fatalf("read after close: %v", err)
			}
		})
	}
}

func TestHostSkipsFramesForOthers(t *testing.T) {
	left, right := tunnelPair(t)
	a, err := NewHost(left, HostConfig{Addr: netip.MustParseAddrPort("10.0.0.1:1")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewHost(right, HostConfig{Addr: netip.MustParseAddrPort("10.0.0.2:2")})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	msgs := []Message{
		{netip.MustParseAddrPort("10.0.0.3:2"), []byte("other address")},
		{netip.MustParseAddrPort("10.0.0.2:3"), []byte("other port")},
		{b.LocalAddr(), []byte("mine")},
	}
	if err := a.WriteBatch(msgs); err != nil {
		t.Fatal(err)
	}
	in := make([]Message, BatchSize)
	n, err := b.ReadBatch(in)
	for err == nil && string(in[n-1].Payload) != "mine" {
		t.Fatalf("got %q", in[n-1].Payload)
	}
	if err != nil || b.Foreign() != 2 {
		t.Fatalf("%v, %d foreign frames, want 2", err, b.Foreign())
	}
}

func TestHostNeedsAnIPv4AddressWithPort(t *testing.T) {
	for _, bad := range []string{"10.0.0.1:0", "[::1]:5"} {
		if _, err := NewHost(nil, HostConfig{Addr: netip.MustParseAddrPort(bad)}); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}
