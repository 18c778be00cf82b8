package realswitch_test

import (
	"net/netip"
	"testing"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/suite"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/target"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
	"github.com/turbokv/turbokv/workload"
)

// BenchmarkYCSB measures the same cluster behind either switch, with 64 requests in flight:
//
//	go test -run=- -bench=YCSB -benchtime=3s ./cmd/turbokv/internal/realswitch
func BenchmarkYCSB(b *testing.B) {
	requireNamespaces(b)
	b.Run("built-in", func(b *testing.B) { benchmarkMixes(b, builtIn) })
	b.Run("simple_switch_grpc", func(b *testing.B) {
		requireSimpleSwitch(b)
		benchmarkMixes(b, simple)
	})
}

func benchmarkMixes(b *testing.B, command switchCommand) {
	c := startCluster(b, build(b), command)
	c.operates("keyspace", "create", "bench", "--sub-ranges", "16")
	store := target.New(c.dial(b, "bench"))
	if err := newSuite(b, store, 0).Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"A", "B", "C"} {
		mix, err := workload.ParseMix(name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) { benchmarkMix(b, store, mix) })
	}
}

// benchmarkMix reports the median in the place of the time of an operation, which with many in
// flight is only the inverse of the throughput.
func benchmarkMix(b *testing.B, store *target.Target, mix workload.Mix) {
	s := newSuite(b, store, b.N)
	if err := s.Mix(b.Context(), mix); err != nil {
		b.Fatal(err)
	}
	r := s.Reports()[0]
	if r.Errors > 0 {
		b.Errorf("%d errors: %v", r.Errors, r.ErrorTexts)
	}
	b.ReportMetric(0, "ns/op") // leaves the unit out
	b.ReportMetric(r.Throughput, "ops/s")
	b.ReportMetric(float64(r.Latency.P50), "p50-us")
	b.ReportMetric(float64(r.Latency.P99), "p99-us")
	b.ReportMetric(float64(r.Retries), "retries")
}

func newSuite(b *testing.B, store *target.Target, count int) *suite.Suite {
	b.Helper()
	records := workload.Records{
		KeySize: workload.DefaultKeySize, ValueSize: workload.DefaultValueSize,
	}
	s, err := suite.New(store, suite.Config{
		Records: records, Population: 5000, Threads: 64, InFlight: 1, Theta: workload.DefaultTheta,
		Count: uint64(count), Meter: suite.Silent{},
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// dial opens a client over a socket in the namespace of clients.
func (c *cluster) dial(b *testing.B, keyspace string) *clientlib.Client {
	b.Helper()
	var conn transport.Conn
	err := inside(c.client(), func() (err error) {
		conn, err = transport.ListenUDP(netip.AddrPortFrom(clientAddr, 0))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	client, err := clientlib.Dial(b.Context(), clientlib.Config{
		Keyspace: keyspace, Conn: conn,
		Service: netip.AddrPortFrom(netip.MustParseAddr(service), wire.Port),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	return client
}
