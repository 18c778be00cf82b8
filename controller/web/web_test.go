package web_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/admin/admintest"
	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/controller/watch"
	"github.com/turbokv/turbokv/controller/web"
	"github.com/turbokv/turbokv/controller/web/webtest"
	"github.com/turbokv/turbokv/kv"
)

// serve serves the page of a controller that a test plays, and returns its URL.
func serve(t *testing.T, s *admintest.Server) string {
	t.Helper()
	w := watch.New(watch.Config{Source: s.Client(t), Interval: 20 * time.Millisecond})
	go w.Run(t.Context())
	server := httptest.NewServer(web.New(w))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	reply, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply, string(body)
}

func TestEveryFileIsServedAndNothingElse(t *testing.T) {
	url := serve(t, admintest.Start(t, admintest.Cluster()))
	files, err := filepath.Glob("static/*")
	if err != nil || len(files) < 7 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range append(files, "") {
		reply, body := get(t, url+"/"+strings.TrimPrefix(f, "static/"))
		policy := reply.Header.Get("Content-Security-Policy")
		if reply.StatusCode != http.StatusOK || reply.Header.Get("Content-Type") == "" ||
			!strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: %s with %v", f, reply.Status, reply.Header)
		}
		if strings.Contains(body, "innerHTML") || strings.Contains(body, "//cdn") {
			t.Errorf("%s makes HTML of texts, or loads from elsewhere", f)
		}
	}
	for _, path := range []string{"/web.go", "/static/app.js", "/..%2fweb.go", "/nothing"} {
		if reply, _ := get(t, url+path); reply.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, reply.Status)
		}
	}
}

func TestTheStreamBeginsWithWhatIsRemembered(t *testing.T) {
	s := admintest.Start(t, admintest.Cluster())
	s.Tell(&adminpb.Event{Kind: "node joined", Severity: admin.SeverityInfo, Text: "two\nlines"})
	reply, err := http.Get(serve(t, s) + "/api/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	lines := bufio.NewScanner(reply.Body)
	lines.Buffer(nil, 1<<20)
	seen := map[string]bool{}
	kind, cuts := "", 0
	for len(seen) < 3 && lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			kind = name
			if len(seen) == 0 && kind != "hello" {
				t.Fatalf("the stream begins with %q", kind)
			}
			seen[kind] = true
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if ok && !json.Valid([]byte(data)) {
			t.Errorf("%s: %s", kind, data)
		}
		cuts += strings.Count(data, `"first":[`)
	}
	if !seen["hello"] || !seen["state"] || lines.Err() != nil {
		t.Errorf("saw %v, %v", seen, lines.Err())
	}
	if cuts > 2 { // of two keyspaces that are never cut
		t.Errorf("%d cuts were sent", cuts)
	}
}

// hostile is what a user may call a keyspace.
const hostile = `<img src=x onerror="document.title='taken'"><b>bold</b>`

func TestThePageShowsTheClusterLive(t *testing.T) {
	s := admintest.Start(t, admintest.Cluster())
	s.Change(func(c *adminpb.StatusResponse) {
		c.Keyspaces[1].Name = hostile
		c.Problems = []string{"problem " + hostile}
		c.Nodes[4].State = "draining"
		c.SubRanges[2].Learner = admintest.Node(1)
		c.Plans = []*adminpb.Plan{{
			Id: 7, Kind: admin.PlanMove, SubRange: 3, From: admintest.Node(5), To: admintest.Node(1),
			Step: "join", Progress: 0.25, Why: "drain " + hostile, BeganUnixMs: c.GetTimeUnixMs(),
		}}
	})
	s.Tell(&adminpb.Event{Kind: "node failed", Severity: admin.SeverityAlarm, Text: "event " + hostile})
	p := webtest.Open(t, serve(t, s), 1440, 900)
	p.Await(`document.body.dataset.ready === "true"`)
	for what, expression := range map[string]string{
		"nodes":        `document.querySelectorAll(".node").length === 5`,
		"state":        `document.querySelectorAll(".node")[4].innerText.includes("draining")`,
		"roles":        `document.querySelectorAll(".role[data-role=H]").length === 5`,
		"learner":      `document.querySelectorAll(".role[data-role=L]").length === 1`,
		"plan":         `document.querySelector(".plan").innerText.includes("10.0.0.5 → 10.0.0.1")`,
		"progress":     `document.querySelector(".plan progress").value === 0.25`,
		"event":        `document.querySelector(".event[data-severity=alarm]") !== null`,
		"switch":       `document.querySelector("#switches").innerText.includes("7 no route")`,
		"maps":         `document.querySelectorAll("canvas.heat").length === 2`,
		"text for map": `/reads and/.test(document.querySelector("canvas.heat").ariaLabel)`,
		"one h1":       `document.querySelectorAll("h1").length === 1`,
		"labelled": `[...document.querySelectorAll("button,select,canvas,progress")].every((e) =>
			e.ariaLabel || e.ariaHidden || e.labels?.length || e.innerText)`,
		"painted": `[...document.querySelector("canvas.heat").getContext("2d")
			.getImageData(20, 2, 1, 1).data].some((v) => v > 0)`,
		"keyspace's name": `document.querySelector(".keyspace h3").textContent.startsWith("<img")`,
		"problem's text": `document.querySelector("#problem-list li").textContent
			.includes("<b>bold</b>")`,
		"no HTML of it": `document.querySelectorAll("main img, main b:not(.hint b)").length === 0 &&
			!document.title.includes("taken")`,
	} {
		t.Run(what, func(t *testing.T) { p.Await(expression) })
	}
	p.Shoot("played")

	s.Change(func(c *adminpb.StatusResponse) { c.Plans[0].Progress = 0.75 })
	p.Await(`document.querySelector(".plan progress").value === 0.75`)
	s.Change(func(c *adminpb.StatusResponse) { c.Plans, c.Problems = nil, nil })
	p.Await(`document.querySelector(".plan") === null && document.querySelector("#problems").hidden`)
	s.Tell(&adminpb.Event{Kind: "plan done", Severity: admin.SeverityInfo, Text: "plan 7 is done"})
	p.Await(`document.querySelector(".event").innerText.includes("plan 7 is done")`)
	p.Await(`document.querySelectorAll(".event").length === 2`)
	webtest.Eval[any](p, `(() => { const s = document.querySelector("#least"); s.value = "alarm";
		s.dispatchEvent(new Event("change")); return 1; })()`)
	p.Await(`document.querySelectorAll(".event").length === 1`)
}

// A split shows in the map, as a column that begins.
func TestASplitIsSeen(t *testing.T) {
	s := admintest.Start(t, admintest.Cluster())
	p := webtest.Open(t, serve(t, s), 1000, 800)
	p.Await(`document.querySelector(".keyspace .facts")?.innerText.includes("4 sub-ranges")`)
	s.Change(func(c *adminpb.StatusResponse) {
		cut := kv.RangePartitioned.IndexKey([]byte("user5"))
		low := c.SubRanges[2]
		high := &adminpb.SubRange{
			Id: 9, Keyspace: 1, FirstIndexKey: cut[:], LastIndexKey: low.GetLastIndexKey(), Epoch: 1,
			Chain: low.GetChain(), State: "serving", ReadRate: 400,
		}
		c.SubRanges = append(c.SubRanges, high)
	})
	p.Await(`document.querySelector(".keyspace .facts").innerText.includes("5 sub-ranges")`)
	webtest.Eval[any](p, `(document.querySelector(".keyspace details").open = true, 1)`)
	p.Await(`document.querySelector(".keyspace table").innerText.includes("“user5”")`)
}

func TestThePageFitsAPhone(t *testing.T) {
	s := admintest.Start(t, admintest.Cluster())
	s.Tell(&adminpb.Event{Kind: "x", Severity: admin.SeverityInfo, Text: strings.Repeat("long", 100)})
	s.Change(func(c *adminpb.StatusResponse) {
		c.Problems = []string{strings.Repeat("x", 300)}
		c.Keyspaces[1].Name = strings.Repeat("keyspace", 20)
	})
	p := webtest.Open(t, serve(t, s), 380, 800)
	p.Await(`document.body.dataset.ready === "true" && document.querySelector(".event") !== null`)
	for _, width := range []int64{380, 600, 1024, 1440} {
		p.Resize(width, 800)
		if got := webtest.Eval[int64](p, `document.documentElement.scrollWidth`); got > width {
			t.Errorf("at %d pixels the page is %d wide", width, got)
		}
	}
	for _, theme := range []string{"light", "dark"} {
		webtest.Eval[any](p, `(document.querySelector("#theme").click(), 1)`)
		p.Shoot("phone-" + theme)
	}
}

// A page whose controller is away says so, and comes back by itself.
func TestThePageSaysWhenItIsNotOfNow(t *testing.T) {
	w := watch.New(watch.Config{})
	server := httptest.NewServer(web.New(w))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p := webtest.Open(t, server.URL, 800, 600)
	p.Await(`document.querySelector("#live").innerText.includes("away")`)
	p.Await(`document.querySelector("#problem-list").innerText.includes("This is not of now")`)
}
