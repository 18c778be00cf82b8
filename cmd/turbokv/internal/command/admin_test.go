package command

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/admin/admintest"
	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/kv"
)

// Scripts in testdata/admin run against a controller that a test plays.
func TestAdminScripts(t *testing.T) {
	for _, path := range scripts(t, "admin") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			played(t, scenes[filepath.Base(path)])
			runScript(t, path)
		})
	}
}

// scenes prepare the clusters of the scripts.
var scenes = map[string]func(*admintest.Server){
	"nodes.txt": func(s *admintest.Server) {
		s.Change(func(c *adminpb.StatusResponse) {
			c.Nodes = append(c.Nodes, &adminpb.Node{
				Id: admintest.Node(6), State: "failed", ReportAgeMs: -1, SwitchName: "s1", Port: 6,
			})
		})
	},
	"tree.txt": func(s *admintest.Server) {
		s.Change(func(c *adminpb.StatusResponse) {
			c.Switches = append(c.Switches, &adminpb.Switch{Name: "s2", Target: "127.0.0.1:9560", Level: 1,
				Primary: true, Entries: 50, PartitionEntries: 4, Revision: 11})
			c.Links = []*adminpb.Link{
				{A: "s1-p6", B: "s2-p1", Up: true},
				{A: "s1-p7", B: "s2-p2", Why: "s2-p2 does not hear s1-p7", SinceUnixMs: c.TimeUnixMs},
			}
		})
	},
	"plans.txt": func(s *admintest.Server) {
		s.Propose(&adminpb.RebalanceResponse{
			Plans: []*adminpb.Plan{
				{Kind: admin.PlanMove, SubRange: 5, From: admintest.Node(1), To: admintest.Node(4),
					Why: "10.0.0.1 carries 1.61 of the average, 10.0.0.4 only 0.55"},
				{Kind: admin.PlanSplit, SubRange: 4, Cut: bytes.Repeat([]byte{0xa0}, 16),
					Why: "58 % of the load of its chain"},
			},
			Reasons: []string{"most loaded node: 1.61 -> 1.12 of the average",
				"one key of sub-range 2 is hot: cutting does not help"},
		})
	},
	"events.txt": func(s *admintest.Server) {
		for _, e := range []*adminpb.Event{
			{Kind: "node joined", Severity: admin.SeverityInfo, Node: admintest.Node(2)},
			{Kind: "node failed", Severity: admin.SeverityAlarm, Node: admintest.Node(2)},
			{Kind: "plan begun", Severity: admin.SeverityInfo, Plan: 4, SubRange: 2},
			{Kind: "keyspace ready", Severity: admin.SeverityWarning, Keyspace: "\x1b[31mred"},
		} {
			e.Text = e.Kind + ": " + kv.NodeID(e.GetNode()).String() + e.GetKeyspace()
			s.Tell(e)
		}
	},
	"trouble.txt": func(s *admintest.Server) {
		s.Change(func(c *adminpb.StatusResponse) {
			c.Problems = []string{
				`LOST: 1 of 4 sub-ranges of keyspace "users", such as sub-range 5: no member has its state`,
				"node 10.0.0.2 is failed: \x1b[31mits session has ended",
			}
			c.Nodes[1].State, c.Nodes[1].Online = "failed", false
			c.Nodes[2].State, c.Nodes[2].Online = "suspected", false
			for _, r := range c.SubRanges[1:4] {
				r.State, r.Why = "degraded", "2 of 3 replicas"
			}
			c.SubRanges[4].State, c.SubRanges[4].Why = "lost", "all members have lost their state"
			c.SubRanges[4].Learner = admintest.Node(5)
		})
	},
}

// played starts a controller that a test plays, and makes its cluster the default one.
func played(t *testing.T, prepare func(*admintest.Server)) *admintest.Server {
	t.Helper()
	s := admintest.Start(t, admintest.Cluster())
	if prepare != nil {
		prepare(s)
	}
	file := layout.Plan{Nodes: 5, Base: layout.DefaultBase, DataDir: "unused"}.ClusterFile()
	file.Admin = s.Addr
	path := clusterfile.Path(t.TempDir())
	if err := file.Write(path); err != nil {
		t.Fatal(err)
	}
	t.Setenv(clusterfile.Variable, path)
	return s
}

// background runs a command until the test stops it; onOutput sees all output so far, whenever
// there is more.
func background(t *testing.T, s Streams, onOutput func(text string, stop func()), args ...string) (
	output string, code int,
) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	out := &watched{saw: func(text string) { onOutput(text, stop) }}
	s.In, s.Out, s.Err = strings.NewReader(""), out, out
	code = Run(ctx, args, s)
	if ctx.Err() == context.DeadlineExceeded {
		t.Fatalf("turbokv %s: nothing more after %v than\n%s", strings.Join(args, " "), patience,
			out.text)
	}
	return out.text, code
}

// watched calls saw with everything that was written.
type watched struct {
	mu   sync.Mutex
	text string
	saw  func(string)
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text += string(p)
	w.saw(w.text)
	return len(p), nil
}

func TestDrainWaitsUntilTheNodeIsEmpty(t *testing.T) {
	s := played(t, nil)
	text, code := background(t, Streams{}, func(text string, _ func()) {
		go s.Change(func(c *adminpb.StatusResponse) { // away bit by bit, as it is looked at
			switch n := c.Nodes[2]; {
			case n.Replicas > 1:
				n.Replicas--
				n.State = "suspected" // for a moment, which does not end the waiting
			default:
				n.Replicas, n.State = 0, "drained"
			}
		})
	}, "drain", "10.0.0.3", "--wait")
	if code != 0 || !strings.Contains(text, "draining, 3 sub-ranges to go") ||
		!strings.HasSuffix(text, "node 10.0.0.3 carries nothing and may be stopped\n") {
		t.Errorf("exit %d\n%s", code, text)
	}
}

func TestDrainStopsWaitingWhenTakenBack(t *testing.T) {
	s := played(t, nil)
	text, code := background(t, Streams{}, func(string, func()) {
		go s.Change(func(c *adminpb.StatusResponse) { c.Nodes[2].State = "alive" })
	}, "drain", "10.0.0.3", "--wait")
	if code != exitFailure || !strings.Contains(text, "it is not being drained any more") {
		t.Errorf("exit %d\n%s", code, text)
	}
}

func TestAPlanThatIsWaitedForTellsItsEnd(t *testing.T) {
	for _, severity := range []string{admin.SeverityInfo, admin.SeverityWarning} {
		s := played(t, nil)
		text, code := background(t, Streams{}, func(text string, _ func()) {
			if !strings.Contains(text, "plan 1: fork") || strings.Contains(text, "halves") {
				return
			}
			go func() {
				s.Tell(&adminpb.Event{Kind: "plan done", Plan: 1, Severity: severity, Text: "two halves"})
				s.Change(func(c *adminpb.StatusResponse) { c.Plans = nil })
			}()
		}, "split", "2", "--wait")
		want := exitOK
		if severity != admin.SeverityInfo {
			want = exitFailure
		}
		if code != want || !strings.Contains(text, "two halves\n") {
			t.Errorf("%s: exit %d, want %d\n%s", severity, code, want, text)
		}
	}
}

func TestEventsAreFollowed(t *testing.T) {
	s := played(t, nil)
	s.Tell(&adminpb.Event{Kind: "node joined", Severity: admin.SeverityInfo, Text: "first"})
	told := false
	text, code := background(t, Streams{}, func(text string, stop func()) {
		switch {
		case strings.Contains(text, "second"):
			stop()
		case !told:
			told = true
			go s.Tell(&adminpb.Event{Kind: "node failed", Severity: admin.SeverityAlarm, Text: "second"})
		}
	}, "events", "--follow")
	if code != 0 || strings.Count(text, "\n") != 2 {
		t.Errorf("exit %d\n%s", code, text)
	}
}

func TestStatusIsRedrawnInPlaceOnATerminal(t *testing.T) {
	played(t, nil)
	screen := func() (int, int, bool) { return 60, 10, true }
	text, code := background(t, Streams{Size: screen}, func(text string, stop func()) {
		if strings.Count(text, "\x1b[H") == 2 {
			stop()
		}
	}, "status", "--watch", "--interval", "10ms")
	blocks := strings.Split(text, "\x1b[H")
	if code != 0 || len(blocks) < 3 || blocks[0] != "" {
		t.Fatalf("exit %d\n%q", code, text)
	}
	lines := strings.Split(blocks[1], "\r\n")
	if len(lines) != 10 || !strings.HasPrefix(lines[9], "... ") {
		t.Errorf("%d lines, last %q; want those of the screen", len(lines), lines[len(lines)-1])
	}
	for _, line := range lines {
		if len(strings.NewReplacer("\x1b[K", "", "\x1b[J", "").Replace(line)) > 60 {
			t.Errorf("%q is wider than the screen", line)
		}
	}
}

func TestStatusIsWatchedThroughAPipe(t *testing.T) {
	played(t, nil)
	twice := func(text string, stop func()) {
		if strings.Count(text, "EXAMPLE") == 2 {
			stop()
		}
	}
	text, code := background(t, Streams{}, twice, "status", "-w", "--interval", "10ms")
	if code != 0 || strings.Contains(text, "\x1b") || strings.Count(text, "cluster EXAMPLE") < 2 {
		t.Errorf("exit %d\n%s", code, text)
	}
	text, code = background(t, Streams{}, twice, "status", "-w", "--interval", "10ms", "-o", "json")
	var s statusOutput
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&s); code != 0 || err != nil ||
		s.Leader != "controller-1" {
		t.Errorf("exit %d, %v\n%s", code, err, text)
	}
}

func TestWatchingNeedsAControllerToBeginWith(t *testing.T) {
	played(t, nil)
	text, code := background(t, Streams{}, func(string, func()) {}, "status", "-w", "--admin",
		"127.0.0.1:1", "--timeout", "1s")
	if code != exitUnavailable || !strings.Contains(text, "controller at 127.0.0.1:1") {
		t.Errorf("exit %d\n%s", code, text)
	}
}

func TestBytesThatDisturbATerminalAreQuotedThere(t *testing.T) {
	terminal := func() (int, int, bool) { return 80, 24, true }
	for _, c := range []struct {
		bytes, allowed, want string
	}{
		{"héllo\tworld\n", "\n\t", "héllo\tworld\n"},
		{"two\nlines", "", `"two\nlines"`},
		{"\x1b[31mred", "\n", `"\x1b[31mred"`},
		{"\xff\xfe", "", `"\xff\xfe"`},
		{"\uFFFD is a character", "", "\uFFFD is a character"},
	} {
		onTerminal, piped := app{Streams: Streams{Size: terminal}}, app{}
		if got := onTerminal.readable([]byte(c.bytes), c.allowed); got != c.want {
			t.Errorf("%q on a terminal: %s, want %s", c.bytes, got, c.want)
		}
		if got := piped.readable([]byte(c.bytes), c.allowed); got != c.bytes {
			t.Errorf("%q through a pipe: %q", c.bytes, got)
		}
	}
}

func TestSinceIsATimeAgoATimeOrANumber(t *testing.T) {
	now := time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"10m": now.Add(-10 * time.Minute), "2026-03-01T02:00:00Z": now.Add(-30 * time.Minute),
		"2026-03-01 02:00:00": now.Add(-30 * time.Minute),
	} {
		if _, got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	if id, _, err := parseSince("417", now); err != nil || id != 417 {
		t.Errorf("417: %d, %v", id, err)
	}
}

func TestAddWaitsForANodeThatIsStartedByHand(t *testing.T) {
	s := played(t, nil)
	text, code := background(t, Streams{}, func(text string, _ func()) {
		if strings.Contains(text, "waiting for node") && !strings.Contains(text, "has joined") {
			go s.Change(func(c *adminpb.StatusResponse) {
				c.Nodes = append(c.Nodes, &adminpb.Node{Id: admintest.Node(9), Online: true, State: "alive"})
			})
		}
	}, "add", "--addr", "10.0.0.9")
	want := "turbokv node --addr 10.0.0.9:21579 --port 6 --controller " + s.Addr +
		" --data-dir node-10.0.0.9\n"
	if code != 0 || !strings.Contains(text, want) || !strings.HasSuffix(text, "node 10.0.0.9 has joined\n") {
		t.Errorf("exit %d, want %s\n%s", code, want, text)
	}
}
