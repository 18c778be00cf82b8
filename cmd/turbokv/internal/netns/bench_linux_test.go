package netns_test

import (
	"testing"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/suite"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/target"
	"github.com/turbokv/turbokv/workload"
)

// BenchmarkYCSB measures the same network with either switch, with 64 requests in flight:
//
//	go test -run=- -bench=YCSB -benchtime=3s ./cmd/turbokv/internal/netns
func BenchmarkYCSB(b *testing.B) {
	requireNamespaces(b)
	for _, shape := range []string{"single:4", "spine-leaf:2x3x2"} {
		for _, kind := range []netplan.Kind{netplan.Builtin, netplan.BMv2} {
			b.Run(shape+"/"+string(kind), func(b *testing.B) {
				if err := netns.Need(netplan.DefaultSimpleSwitch); kind == netplan.BMv2 && err != nil {
					b.Skip(err)
				}
				benchmarkMixes(b, shape, kind)
			})
		}
	}
}

func benchmarkMixes(b *testing.B, shape string, kind netplan.Kind) {
	n := up(b, planOf(b, shape, netplan.Options{Switch: kind, Binary: program(b)}))
	n.must(netplan.Ctl, "turbokv", "keyspace", "create", "bench", "--sub-ranges", "16",
		"--durability", "memory")
	hosts := n.Plan().Topology.HostsOf(n.Plan().Topology.Switches[0].Name)
	store := target.New(n.dial(hosts[len(hosts)-1].Name, "bench"))
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
