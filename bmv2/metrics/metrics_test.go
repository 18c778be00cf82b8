package metrics

import (
	"net"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

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
