package metrics

import (
	"context"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/link"
	"github.com/turbokv/turbokv/bmv2/port"
)

func TestMetricsAreWellNamedAndCount(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sw, err := daemon.New(daemon.Config{Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	defer sw.Close()
	inner, outer := port.NewPair(4)
	if err := sw.AddPort(7, inner); err != nil {
		t.Fatal(err)
	}
	if _, err := outer.WriteBatch([][]byte{make([]byte, 60), make([]byte, 40)}); err != nil {
		t.Fatal(err)
	}
	if err := sw.RemovePort(7); err != nil { // waits until the frames are through
		t.Fatal(err)
	}
	slow, _ := port.NewPair(4)
	shaped := port.Shape(slow, link.Spec{Loss: 1})
	if err := sw.AddPort(8, shaped); err != nil {
		t.Fatal(err)
	}
	if _, err := shaped.WriteBatch([][]byte{make([]byte, 60)}); err != nil {
		t.Fatal(err)
	}
	c := New(sw)
	problems, err := testutil.CollectAndLint(c)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	want := `
# HELP p4switch_port_received_packets_total Frames taken from a port.
# TYPE p4switch_port_received_packets_total counter
p4switch_port_received_packets_total{port="510"} 0
p4switch_port_received_packets_total{port="8"} 0
# HELP p4switch_link_lost_packets_total Frames that a link with the property loss has lost, by direction: sent, received.
# TYPE p4switch_link_lost_packets_total counter
p4switch_link_lost_packets_total{direction="received",port="8"} 0
p4switch_link_lost_packets_total{direction="sent",port="8"} 1
`
	err = testutil.CollectAndCompare(c, strings.NewReader(want), "p4switch_port_received_packets_total",
		"p4switch_link_lost_packets_total")
	if err != nil {
		t.Error(err)
	}
}

func TestMetricsOfAProgramAndOfControllers(t *testing.T) {
	loaded, _, err := daemon.ReadPipeline("../p4rt/testdata/basic.json", "")
	if err != nil {
		t.Fatal(err)
	}
	sw, err := daemon.New(daemon.Config{Address: "127.0.0.1:0", Program: loaded})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- sw.Run(ctx) }()
	conn, err := grpc.NewClient(sw.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	client := p4v1.NewP4RuntimeClient(conn)
	if _, err := client.Capabilities(t.Context(), &p4v1.CapabilitiesRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := client.Write(t.Context(), &p4v1.WriteRequest{DeviceId: 77}); err == nil {
		t.Error("a write to another device succeeds")
	}
	conn.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	want := `
# HELP p4switch_p4runtime_calls_total Calls of P4Runtime methods that have ended, by method and code of the answer. A StreamChannel ends when its controller leaves.
# TYPE p4switch_p4runtime_calls_total counter
p4switch_p4runtime_calls_total{code="NotFound",method="Write"} 1
p4switch_p4runtime_calls_total{code="OK",method="Capabilities"} 1
# HELP p4switch_program_info 1, with the name of the program in service.
# TYPE p4switch_program_info gauge
p4switch_program_info{program="basic.p4"} 1
`
	c := New(sw)
	err = testutil.CollectAndCompare(c, strings.NewReader(want), "p4switch_p4runtime_calls_total",
		"p4switch_program_info")
	if err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(c, "p4switch_table_max_entries"); n != len(loaded.Tables()) {
		t.Errorf("%d tables have a size, want %d", n, len(loaded.Tables()))
	}
}

// docs/SWITCH.md tells all metrics.
func TestMetricsAreDocumented(t *testing.T) {
	guide, err := os.ReadFile("../../docs/SWITCH.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(chan *prometheus.Desc, 100)
	new(Collector).Describe(all)
	close(all)
	name := regexp.MustCompile(`fqName: "([a-z0-9_]+)"`)
	for d := range all {
		if n := name.FindStringSubmatch(d.String())[1]; !strings.Contains(string(guide), "`"+n+"`") {
			t.Errorf("docs/SWITCH.md does not have %s", n)
		}
	}
}
