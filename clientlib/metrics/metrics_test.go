package metrics_test

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/clientlib/internal/teststore"
	"github.com/turbokv/turbokv/clientlib/metrics"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// serve answers requests on an in-memory network until the test ends.
func serve(t *testing.T, network *transport.Network, at netip.AddrPort, keyspace kv.KeyspaceID) {
	t.Helper()
	conn, err := network.Listen(at)
	if err != nil {
		t.Fatal(err)
	}
	store := teststore.New(keyspace)
	var running sync.WaitGroup
	running.Go(func() {
		in := make([]transport.Message, transport.BatchSize)
		for {
			n, err := conn.ReadBatch(in)
			if err != nil {
				return
			}
			var out []transport.Message
			for _, m := range in[:n] {
				store.Handle(m.Payload, func(p wire.Packet) {
					out = append(out, transport.Message{Addr: m.Addr, Payload: p})
				})
			}
			_ = conn.WriteBatch(out)
		}
	})
	t.Cleanup(func() { conn.Close(); running.Wait() })
}

func TestMetricsAreWellNamedAndCount(t *testing.T) {
	network := transport.NewNetwork()
	service := netip.MustParseAddrPort("10.10.0.1:21579")
	users := kv.Descriptor{Name: "users", ID: 7, Partitioner: kv.RangePartitioned}
	serve(t, network, service, users.ID)
	conn, err := network.Listen(netip.MustParseAddrPort("10.0.0.9:40000"))
	if err != nil {
		t.Fatal(err)
	}
	m := metrics.New()
	client, err := clientlib.Dial(t.Context(), clientlib.Config{
		Service: service, Descriptor: &users, Conn: conn, Observe: m.Observe,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	m.Watch(client)
	for range 3 {
		if _, err := client.Put(t.Context(), []byte("k"), []byte("v"), nil); err != nil {
			t.Fatal(err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Get(ended, []byte("k")); err == nil {
		t.Fatal("a request whose context has ended was answered")
	}
	if problems, err := testutil.CollectAndLint(m); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	want := `
# HELP turbokv_client_ended_requests_total Requests that have ended, by outcome: answered, unavailable, unknown.
# TYPE turbokv_client_ended_requests_total counter
turbokv_client_ended_requests_total{outcome="answered"} 3
turbokv_client_ended_requests_total{outcome="unavailable"} 1
turbokv_client_ended_requests_total{outcome="unknown"} 0
`
	name := "turbokv_client_ended_requests_total"
	if err := testutil.CollectAndCompare(m, strings.NewReader(want), name); err != nil {
		t.Error(err)
	}
	n := observed(t, m)
	if n["PUT answered"] != 3 || n["GET unavailable"] != 1 || n["GET answered"] != 0 {
		t.Errorf("latencies of %v", n)
	}
}

// observed counts the latencies by operation and outcome.
func observed(t *testing.T, m *metrics.Collector) map[string]uint64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]uint64)
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			if h := metric.GetHistogram(); h != nil {
				l := metric.GetLabel()
				out[l[0].GetValue()+" "+l[1].GetValue()] = h.GetSampleCount()
			}
		}
	}
	return out
}
