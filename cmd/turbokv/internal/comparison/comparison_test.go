package comparison

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"image/png"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/coordinate/coordinator"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/workload"
)

// embedded is a rig in this process.
type embedded struct {
	*cluster.Cluster
	master netip.AddrPort
}

func (e *embedded) Service() netip.AddrPort      { return cluster.Service }
func (e *embedded) Master() netip.AddrPort       { return e.master }
func (e *embedded) Used() map[Part]time.Duration { return nil }
func (e *embedded) Status(ctx context.Context) (admin.Status, error) {
	return e.Admin().Status(ctx)
}

func newEmbedded(t *testing.T) *embedded {
	t.Helper()
	newCache := func(controller string) (*coordinator.Cache, error) {
		client, err := admin.Dial(controller, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		cache := coordinator.NewCache(t.Context(), coordinator.FromController(client))
		t.Cleanup(func() {
			cache.Close()
			if err := client.Close(); err != nil {
				t.Error(err)
			}
		})
		return cache, nil
	}
	c, err := cluster.Start(t.Context(), cluster.Config{
		NodeConn: func(conn transport.Conn, controller string) (transport.Conn, error) {
			cache, err := newCache(controller)
			if err != nil {
				return nil, err
			}
			return coordinator.NewNode(conn, cache)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &embedded{Cluster: c}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	cache, err := newCache(c.ControllerAddr())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := c.Connect()
	if err != nil {
		t.Fatal(err)
	}
	e.master = conn.LocalAddr()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- coordinator.Master(ctx, conn, cache) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return e
}

var small = Config{
	Modes: allModes, Thetas: []float64{0, 1.2}, Writes: []int{0, 50, 100}, Scans: true,
	Depths: []int{1, 16}, Rounds: 2, Turn: time.Minute, TurnCount: 32, Count: 500, Seed: 1,
	Records: workload.Records{KeySize: 16, ValueSize: 64},
}

// TestEveryWayIsMeasured runs a whole comparison over a cluster that loses a node meanwhile: every
// cell has its samples, no operation fails, and everything acknowledged is there in every way.
func TestEveryWayIsMeasured(t *testing.T) {
	rig := newEmbedded(t)
	spec := Keyspace(16, kv.DurabilityMemory)
	if err := rig.CreateKeyspace(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), rig, spec.Name, small)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	steps := 0
	report, err := b.Run(t.Context(), func(string) {
		if steps++; steps == 3 {
			if err := rig.StopNode(0); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range allModes {
		v, err := b.Verify(t.Context(), m)
		if err = errors.Join(err, v.Err()); err != nil {
			t.Errorf("%s-driven: %v", m, err)
		}
		if v.Checked != small.Count {
			t.Errorf("%s-driven: %d records read back, want %d", m, v.Checked, small.Count)
		}
	}
	if n := report.Failures(); n > 0 {
		t.Errorf("%d operations failed", n)
	}
	checkComplete(t, report)
	checkOutputs(t, report)
}

func checkComplete(t *testing.T, r *Report) {
	t.Helper()
	for _, p := range small.Points() {
		for _, d := range small.Depths {
			for _, m := range small.Modes {
				x := r.Result(p, d, m)
				if len(x.Samples) != small.Rounds || x.Of(Throughput).Min <= 0 || x.Of(Mean).Min <= 0 {
					t.Errorf("%v, %d in flight, %s: %+v", p, d, m, x.Samples)
				}
				if s := r.Ratio(x.Cell, Throughput); m == Server && (s != Spread{1, 1, 1, 1, 1}) {
					t.Errorf("%v: server-driven over itself is %v", p, s)
				}
			}
		}
	}
}

func checkOutputs(t *testing.T, r *Report) {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if want := 1 + len(small.Points())*len(small.Depths)*len(small.Modes); err != nil || len(rows) != want {
		t.Errorf("CSV of %d rows, want %d; error %v", len(rows), want, err)
	}
	b.Reset()
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteSummary(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"uniform, reads", "zipf 1.2, scans", "zipf 1.2, 50 % writes", "master", "zipf, mixed"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, &b)
		}
	}
	b.Reset()
	if err := r.WritePNG(&b); err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(&b); err != nil || img.Bounds().Dx() < 1000 {
		t.Errorf("PNG: %v", err)
	}
	b.Reset()
	if err := r.WriteSVG(&b); err != nil || !strings.Contains(b.String(), "zipf 1.2") {
		t.Errorf("SVG of %d bytes: %v", b.Len(), err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"modes": func(c *Config) { c.Modes = nil }, "rounds": func(c *Config) { c.Rounds = 0 },
		"turn": func(c *Config) { c.Turn = 0 }, "depth": func(c *Config) { c.Depths = []int{0} },
		"theta": func(c *Config) { c.Thetas = []float64{-1} }, "writes": func(c *Config) { c.Writes = []int{101} },
	} {
		c := small
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s: %+v is accepted", name, c)
		}
	}
	for _, names := range [][]string{{"swich"}, {"switch", "switch"}} {
		if _, err := ParseModes(names); err == nil {
			t.Errorf("ways %v are accepted", names)
		}
	}
}

func TestSpreads(t *testing.T) {
	r := newReport(Config{Modes: []Mode{Switch, Server}, Depths: []int{1}, Thetas: []float64{0}, Writes: []int{0}})
	p := r.Points[0]
	for _, pair := range [][2]float64{{130, 100}, {90, 60}, {100, 200}} {
		r.add(Cell{p, 1, Switch}, Sample{Throughput: pair[0]})
		r.add(Cell{p, 1, Server}, Sample{Throughput: pair[1]})
	}
	if got := r.Result(p, 1, Switch).Of(Throughput); (got != Spread{90, 95, 100, 115, 130}) {
		t.Errorf("throughput %v", got)
	}
	if got := r.Ratio(Cell{p, 1, Switch}, Throughput); (got != Spread{0.5, 0.9, 1.3, 1.4, 1.5}) {
		t.Errorf("ratio, turn by turn: %v", got)
	}
	if got := r.Result(p, 1, Master).Of(Throughput); (got != Spread{}) {
		t.Errorf("without samples: %v", got)
	}
}
