package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
)

// patience bounds waits of tests; a good run waits a small part of it.
const patience = 60 * time.Second

// signalWriter closes seen when the text has been written.
type signalWriter struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	text string
	seen chan struct{}
	once sync.Once
}

func (w *signalWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(p)
	if strings.Contains(w.buf.String(), w.text) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}

func (w *signalWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// up runs `turbokv up` until the test ends and makes its cluster the default one. Ports that are in
// use by somebody else are not an error of the test, so it tries a few.
func up(t *testing.T, more ...string) {
	t.Helper()
	for base := 31590; base < 40000; base += 1000 {
		dir := t.TempDir()
		ctx, stop := context.WithCancel(context.Background())
		out := &signalWriter{text: "is ready", seen: make(chan struct{})}
		args := append([]string{
			"up", "--nodes", "3", "--data-dir", dir, "--base-port", strconv.Itoa(base),
		}, more...)
		ended := make(chan int, 1)
		go func() { ended <- Run(ctx, args, Streams{In: strings.NewReader(""), Out: out, Err: out}) }()
		select {
		case <-out.seen:
			t.Setenv(clusterfile.Variable, clusterfile.Path(dir))
			t.Cleanup(func() {
				stop()
				if code := <-ended; code != 0 {
					t.Errorf("up: exit %d\n%s", code, out.String())
				}
			})
			return
		case code := <-ended:
			stop()
			if !strings.Contains(out.String(), "address already in use") {
				t.Fatalf("up: exit %d\n%s", code, out.String())
			}
		case <-time.After(patience):
			stop()
			t.Fatalf("up is not ready after %v\n%s", patience, out.String())
		}
	}
	t.Fatal("no free ports")
}

// run executes a command that must succeed and returns its standard output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), args, Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	if code != 0 {
		t.Fatalf("turbokv %s: exit %d\n%s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.String()
}

// Scripts in testdata/cluster run against a fresh cluster that `turbokv up` started.
func TestClusterScripts(t *testing.T) {
	for _, path := range scripts(t, "cluster") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			up(t)
			runScript(t, path)
		})
	}
}

func TestStatusTellsTheWholeCluster(t *testing.T) {
	up(t)
	var s statusOutput
	if err := json.Unmarshal([]byte(run(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Switches) != 1 || len(s.Nodes) != 3 || len(s.Keyspaces) != 2 || len(s.SubRanges) < 2 {
		t.Fatalf("%d switches, %d nodes, %d keyspaces, %d sub-ranges",
			len(s.Switches), len(s.Nodes), len(s.Keyspaces), len(s.SubRanges))
	}
	for _, n := range s.Nodes {
		if !n.Online || n.Replicas == 0 {
			t.Errorf("node %+v", n)
		}
	}
	for _, r := range s.SubRanges {
		if len(r.Chain) != 3 || r.Keyspace == "" || r.State != "serving" {
			t.Errorf("sub-range %+v", r)
		}
	}
	text := run(t, "status")
	for _, want := range []string{"10.0.0.1>", "default", "synced", "PORT"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// benchmark runs bench with few operations and returns its results.
func benchmark(t *testing.T, more ...string) (out benchOutput) {
	t.Helper()
	args := append([]string{
		"bench", "--json", "--count", "300", "--duration", "0", "--records", "200",
	}, more...)
	if err := json.Unmarshal([]byte(run(t, args...)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBenchMeasuresAndVerifies(t *testing.T) {
	up(t)
	for _, more := range [][]string{
		{"-w", "A,E", "--threads", "2,4", "--in-flight", "2", "--durability", "sync"},
		{"-w", "a,d", "--distribution", "uniform", "--value-size", "10", "--key-size", "8"},
	} {
		out := benchmark(t, more...)
		if len(out.Reports) < 4 || out.Verification == nil || out.Verification.Checked < 200 {
			t.Fatalf("%v: %+v", more, out)
		}
		for _, r := range out.Reports[1 : len(out.Reports)-1] {
			if r.Count != 300 || r.Errors != 0 || r.Latency.P50 <= 0 || r.Latency.Max < r.Latency.P99 {
				t.Errorf("%v: %+v", more, r)
			}
		}
	}
	if list := run(t, "keyspace", "list"); strings.Contains(list, "bench-") {
		t.Errorf("a keyspace was left behind:\n%s", list)
	}
}

func TestBenchReplaysTraces(t *testing.T) {
	up(t)
	folder := filepath.Join("..", "..", "..", "..", "workload", "trace", "testdata")
	for file, requests := range map[string]uint64{"twitter.csv": 12, "cachelib_202401.csv": 26} {
		out := benchmark(t, "--trace", filepath.Join(folder, file), "--in-flight", "4")
		if out.Trace == nil || out.Trace.Requests != requests || out.Verification.Err() != nil {
			t.Errorf("%s: %+v", file, out)
		}
	}
}

func TestDemoPrintsOneTable(t *testing.T) {
	text := run(t, "demo", "--records", "300", "--duration", "100ms", "--threads", "2", "--nodes", "3",
		"--trace", filepath.Join("..", "..", "..", "..", "workload", "trace", "testdata", "twitter.csv"))
	lines := strings.Split(text, "\n")
	want := []string{
		"run", "load", "YCSB A", "YCSB B", "YCSB C", "YCSB E", "YCSB F", "YCSB A, a node stops",
		"verify", "trace", "verify trace", "trace:", "node 10.0.0.", "verified:",
	}
	for i, prefix := range want {
		if i >= len(lines) || !strings.HasPrefix(strings.TrimSpace(lines[i]), prefix) {
			t.Fatalf("line %d does not begin with %q:\n%s", i+1, prefix, text)
		}
	}
}

func TestASecondUpNamesTheFirst(t *testing.T) {
	up(t)
	first, err := clusterfile.Read("")
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddrPort(first.Admin)
	firstDir := filepath.Dir(os.Getenv(clusterfile.Variable))
	for _, c := range []struct{ dir, base, want string }{
		{t.TempDir(), strconv.Itoa(int(address.Port())), "base port " + strconv.Itoa(int(address.Port()))},
		{firstDir, "41590", "data directory " + firstDir + " is in use"},
	} {
		var out bytes.Buffer
		code := Run(t.Context(), []string{"up", "--data-dir", c.dir, "--base-port", c.base},
			Streams{In: strings.NewReader(""), Out: &out, Err: &out})
		who := fmt.Sprintf("another turbokv up (process %d,", os.Getpid())
		if code == 0 || !strings.Contains(out.String(), c.want) || !strings.Contains(out.String(), who) {
			t.Errorf("up in %s at %s: exit %d: %s", c.dir, c.base, code, out.String())
		}
	}
}

func TestAddedNodesComeBackWithTheCluster(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		if err := os.Mkdir(layout.NodeDir(dir, i), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	up(t, "--data-dir", dir, "--nodes", "0")
	t.Setenv(clusterfile.Variable, clusterfile.Path(dir))
	var nodes []nodeOutput
	if err := json.Unmarshal([]byte(run(t, "nodes", "-o", "json")), &nodes); err != nil {
		t.Fatal(err)
	}
	if len(nodes) != 4 {
		t.Errorf("%d nodes, want the 4 of the data directory", len(nodes))
	}
}

func TestBenchNeedsAnEmptyKeyspace(t *testing.T) {
	up(t)
	run(t, "keyspace", "create", "h", "--partitioner", "hash")
	bench := []string{"bench", "--count", "20", "--duration", "0", "--records", "20", "-k"}
	for _, keyspace := range []string{"default", "h"} {
		run(t, append(bench, keyspace)...)
		refused := func() bool { // by hash, the counters of the switch tell, which are read every second
			var out bytes.Buffer
			code := Run(t.Context(), append(bench, keyspace),
				Streams{In: strings.NewReader(""), Out: &out, Err: &out})
			return code == exitUsage && strings.Contains(out.String(), "--keyspace "+keyspace)
		}
		for end := time.Now().Add(patience); !refused(); time.Sleep(readyPoll) {
			if time.Now().After(end) {
				t.Fatalf("bench in %s, where a benchmark has been, is not refused", keyspace)
			}
		}
	}
}
