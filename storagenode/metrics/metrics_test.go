package metrics

import (
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/storagenode"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

func TestMetricsAreWellNamedAndTellOfReplicas(t *testing.T) {
	network := transport.NewNetwork()
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), wire.Port)
	conn, err := network.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	node, err := storagenode.Start(t.Context(), storagenode.Config{Conn: conn})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	err = node.Configure(kv.Assignment{
		SubRange: 7, Epoch: 1, Keyspace: 1, Partitioner: kv.RangePartitioned, Interval: kv.FullInterval,
		Durability: kv.DurabilityMemory, Chain: kv.Chain{node.ID()}, Create: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := New(func() []*storagenode.Node { return []*storagenode.Node{node} })
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*dto.MetricFamily)
	for _, f := range families {
		byName[f.GetName()] = f
	}
	if len(byName) != 18 {
		t.Errorf("%d metrics", len(byName))
	}
	serving := byName["turbokv_node_replicas"].GetMetric()[0]
	if serving.GetGauge().GetValue() != 1 || serving.GetLabel()[1].GetValue() != "serving" {
		t.Errorf("replicas: %v", serving)
	}
	h := byName["turbokv_node_sync_duration_seconds"].GetMetric()[0].GetHistogram()
	if len(h.GetBucket()) != len(storagenode.SyncBounds()) || h.GetSampleCount() != 0 {
		t.Errorf("histogram of fsyncs of a node without a disk: %v", h)
	}
	start := byName["turbokv_node_start_time_seconds"].GetMetric()[0].GetGauge().GetValue()
	if age := time.Now().Unix() - int64(start); age < 0 || age > 60 {
		t.Errorf("started %d s ago", age)
	}
}
