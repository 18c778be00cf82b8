package gateway

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

func local(t *testing.T, ports int) netip.AddrPort {
	t.Helper()
	// A row of free ports: found by trying, since the kernel only promises one.
	for base := uint16(22000); base < 60000; base += 100 {
		if free(base, ports) {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), base)
		}
	}
	t.Skip("no row of free UDP ports")
	return netip.AddrPort{}
}

func free(base uint16, n int) bool {
	for i := range n {
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		c, err := transport.ListenUDP(netip.AddrPortFrom(loopback, base+uint16(i)))
		if err != nil {
			return false
		}
		c.Close()
	}
	return true
}

func TestClientsTakeDistinctSlots(t *testing.T) {
	base := local(t, 3)
	sw, err := transport.ListenUDP(netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	defer sw.Close()
	g := clusterfile.Gateway{
		Switch: netip.AddrPortFrom(base.Addr(), sw.LocalAddr().Port()), Client: base,
		Host: netip.MustParseAddrPort("10.0.200.1:21580"), Slots: 3,
	}
	seen := map[netip.AddrPort]bool{}
	var last transport.Conn
	for range g.Slots {
		c, err := Dial(g)
		if err != nil {
			t.Fatal(err)
		}
		seen[c.LocalAddr()] = true
		last = c
		defer c.Close()
	}
	if len(seen) != g.Slots {
		t.Errorf("addresses %v", seen)
	}
	if _, err := Dial(g); !errors.Is(err, ErrFull) {
		t.Errorf("a fourth client: %v", err)
	}
	want := last.LocalAddr()
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Dial(g)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.LocalAddr() != want {
		t.Errorf("got %v, want the slot that was freed, %v", again.LocalAddr(), want)
	}
}

func TestFramesReachTheSlotOfTheSwitch(t *testing.T) {
	base := local(t, 1)
	sw, err := transport.ListenUDP(netip.AddrPortFrom(base.Addr(), 0))
	if err != nil {
		t.Fatal(err)
	}
	defer sw.Close()
	c, err := Dial(clusterfile.Gateway{
		Switch: sw.LocalAddr(), Client: base,
		Host: netip.MustParseAddrPort("10.0.200.1:21580"), Slots: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	to := netip.MustParseAddrPort("10.0.255.1:21579")
	if err := c.WriteBatch([]transport.Message{{Addr: to, Payload: []byte("hello")}}); err != nil {
		t.Fatal(err)
	}
	msgs := make([]transport.Message, 1)
	for len(msgs[0].Payload) == 0 { // an empty datagram only greets
		if _, err := sw.ReadBatch(msgs); err != nil {
			t.Fatal(err)
		}
	}
	flow, payload, ok := wire.ParseFrame(msgs[0].Payload)
	if !ok || flow.Src != c.LocalAddr() || flow.Dst != to || string(payload) != "hello" ||
		msgs[0].Addr != base {
		t.Errorf("got %+v %q from %v", flow, payload, msgs[0].Addr)
	}
}
