package coordinator_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/coordinate/coordinator"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// Addresses of a network without a switch: two nodes, of which the second holds everything.
var (
	firstAddr   = netip.MustParseAddrPort("10.0.0.1:21579")
	tailAddr    = netip.MustParseAddrPort("10.0.0.2:21579")
	askerAddr   = netip.MustParseAddrPort("10.0.9.1:40000")
	serviceAddr = netip.MustParseAddrPort("10.0.255.1:21579")
)

// fixed is a Source of one map: all of keyspace 0 is on the second node, and only the first may be
// chosen as a coordinator.
func fixed(context.Context) (*coordinate.Map, error) {
	first, tail := kv.NodeIDOf(firstAddr.Addr()), kv.NodeIDOf(tailAddr.Addr())
	return coordinate.NewMap([]coordinate.SubRange{
		{ID: 1, Interval: kv.FullInterval, Epoch: 3, Chain: kv.Chain{tail}},
	}, []kv.NodeID{first})
}

func listen(t *testing.T, n *transport.Network, addr netip.AddrPort) transport.Conn {
	t.Helper()
	conn, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func receive(t *testing.T, conn transport.Conn) transport.Message {
	t.Helper()
	msgs := make([]transport.Message, 1)
	if _, err := conn.ReadBatch(msgs); err != nil {
		t.Fatal(err)
	}
	return msgs[0]
}

// TestWayOfReplies sends a request by a node that does not hold it: the reply comes straight from the
// node that does, or back through the first one if the client wants that.
func TestWayOfReplies(t *testing.T) {
	for name, through := range map[string]bool{"straight": false, "through": true} {
		t.Run(name, func(t *testing.T) {
			var network = transport.NewNetwork()
			cache := coordinator.NewCache(t.Context(), fixed)
			defer cache.Close()
			await(t, func() bool { return cache.Map() != nil })
			first, err := coordinator.NewNode(listen(t, network, firstAddr), cache)
			if err != nil {
				t.Fatal(err)
			}
			go func() { // it only forwards
				_, _ = first.ReadBatch(make([]transport.Message, 8))
			}()
			tail := listen(t, network, tailAddr)
			client, err := coordinator.NewSpray(listen(t, network, askerAddr), serviceAddr, cache,
				coordinator.SprayConfig{ReplyThrough: through})
			if err != nil {
				t.Fatal(err)
			}
			request := requestTo(0)
			request.SetRequest(7, 1, 1)
			request.Seal()
			if err := client.WriteBatch([]transport.Message{{Addr: serviceAddr, Payload: request}}); err != nil {
				t.Fatal(err)
			}
			got := wire.Packet(receive(t, tail).Payload)
			if got.Epoch() != 3 || got.ChainLength() != 1 || got.ChainPosition() != 0 {
				t.Errorf("the tail got a request of %v, chain of %d", got.Epoch(), got.ChainLength())
			}
			reply := wire.Packet(got.AppendReply(nil, wire.StatusOK))
			reply.Seal()
			if err := tail.WriteBatch([]transport.Message{{Addr: got.ClientAddr(), Payload: reply}}); err != nil {
				t.Fatal(err)
			}
			from := tailAddr
			if through {
				from = firstAddr
			}
			m := receive(t, client)
			if m.Addr != from {
				t.Errorf("the reply came from %v, want %v", m.Addr, from)
			}
			if _, err := wire.Parse(m.Payload); err != nil {
				t.Errorf("the reply: %v", err)
			}
		})
	}
}

func TestASocketMustKnowItsAddress(t *testing.T) {
	conn := listen(t, transport.NewNetwork(), netip.MustParseAddrPort("0.0.0.0:21579"))
	if _, err := coordinator.NewNode(conn, nil); err == nil {
		t.Error("a node coordinates without knowing its address")
	}
}
