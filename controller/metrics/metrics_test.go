package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/admin/admintest"
	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/controller/watch"
)

// patience bounds waits; a good run waits a small part of it.
const patience = 20 * time.Second

// watching returns a watcher of the service that has seen something for which enough holds.
func watching(t *testing.T, s *admintest.Server, enough func(*watch.Watcher) bool) *watch.Watcher {
	t.Helper()
	w := watch.New(watch.Config{Source: s.Client(t), Interval: 10 * time.Millisecond})
	go w.Run(t.Context())
	end := time.After(patience)
	for {
		_, news := w.Last()
		if enough(w) {
			return w
		}
		select {
		case <-news:
		case <-end:
			t.Fatal("the watcher does not see what it should")
		}
	}
}

func TestMetricsAreWellNamedAndTrue(t *testing.T) {
	s := admintest.Start(t, admintest.Cluster())
	s.Tell(&adminpb.Event{Kind: "evicted", Severity: admin.SeverityWarning, Node: admintest.Node(2)})
	s.Change(func(c *adminpb.StatusResponse) {
		c.Links = []*adminpb.Link{{A: "s1-p4", B: "s4-p1", Up: true}, {A: "s1-p5", B: "s5-p1"}}
		c.Plans = []*adminpb.Plan{{Id: 1, Kind: admin.PlanRepair, SubRange: 2}}
		c.SubRanges[1].State, c.SubRanges[1].Chain = "degraded", c.SubRanges[1].GetChain()[:2]
	})
	w := watching(t, s, func(w *watch.Watcher) bool {
		look, _ := w.Last()
		return look.Err == nil && len(look.Status.Plans) == 1 && len(w.Events(0)) == 1
	})
	c := New(w)
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	want := `
# HELP turbokv_controller_reachable 1 if a controller answered the last time it was asked.
# TYPE turbokv_controller_reachable gauge
turbokv_controller_reachable 1
# HELP turbokv_directory_sub_ranges Sub-ranges, by keyspace and state.
# TYPE turbokv_directory_sub_ranges gauge
turbokv_directory_sub_ranges{keyspace="system",state="serving"} 1
turbokv_directory_sub_ranges{keyspace="users",state="degraded"} 1
turbokv_directory_sub_ranges{keyspace="users",state="serving"} 3
# HELP turbokv_evictions_total Nodes taken out of chains because they failed.
# TYPE turbokv_evictions_total counter
turbokv_evictions_total 1
# HELP turbokv_link_up 1 if a link between two switches carries frames both ways.
# TYPE turbokv_link_up gauge
turbokv_link_up{a="s1-p4",b="s4-p1"} 1
turbokv_link_up{a="s1-p5",b="s5-p1"} 0
# HELP turbokv_plans Plans in progress, by kind.
# TYPE turbokv_plans gauge
turbokv_plans{kind="merge"} 0
turbokv_plans{kind="move"} 0
turbokv_plans{kind="reorder"} 0
turbokv_plans{kind="repair"} 1
turbokv_plans{kind="split"} 0
# HELP turbokv_switch_index_entries Entries of the index in the switch, by its level and by table: those of partition are prefixes, one row of a TCAM each.
# TYPE turbokv_switch_index_entries gauge
turbokv_switch_index_entries{level="0",switch="s1",table="partition"} 5
turbokv_switch_index_entries{level="0",switch="s1",table="sub_range"} 5
# HELP turbokv_switch_dropped_packets_total Packets that the program dropped, by reason.
# TYPE turbokv_switch_dropped_packets_total counter
turbokv_switch_dropped_packets_total{reason="no route",switch="s1"} 7
`
	err := testutil.CollectAndCompare(c, strings.NewReader(want), "turbokv_controller_reachable",
		"turbokv_directory_sub_ranges", "turbokv_evictions_total", "turbokv_plans",
		"turbokv_switch_dropped_packets_total", "turbokv_link_up", "turbokv_switch_index_entries")
	if err != nil {
		t.Error(err)
	}
}

// A gauge of a controller that is gone would look like a cluster at rest.
func TestNothingIsMeasuredOfAControllerThatIsAway(t *testing.T) {
	c := New(watch.New(watch.Config{}))
	if n := testutil.CollectAndCount(c, "turbokv_controller_reachable"); n != 1 {
		t.Errorf("%d metrics tell that it is away", n)
	}
	if n := testutil.CollectAndCount(c, "turbokv_directory_nodes", "turbokv_balancer_node_load"); n != 0 {
		t.Errorf("%d metrics of a controller that was never there", n)
	}
}
