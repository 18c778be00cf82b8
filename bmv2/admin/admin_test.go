package admin

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
)

// lab is a switch with a tunnel as port 1 and a client of its handler.
type lab struct {
	t      *testing.T
	sw     *daemon.Daemon
	server *httptest.Server
	client Client
}

func newLab(t *testing.T, mayChange bool) *lab {
	t.Helper()
	data, err := os.ReadFile("../p4rt/testdata/basic.json")
	if err != nil {
		t.Fatal(err)
	}
	program, err := bmv2.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := port.ParseSpec("1@udp:127.0.0.1:0,127.0.0.1:9,loss=1")
	if err != nil {
		t.Fatal(err)
	}
	sw, err := daemon.New(daemon.Config{Address: "127.0.0.1:0", Specs: []port.Spec{spec}, Program: program})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(Handler(Config{Switch: sw, Specs: []port.Spec{spec}, MayChange: mayChange}))
	t.Cleanup(func() {
		server.Close()
		if err := sw.Close(); err != nil {
			t.Error(err)
		}
	})
	return &lab{t, sw, server, Client{server.Listener.Addr().String()}}
}

// numbers are the ports of the switch.
func (l *lab) numbers() (all []uint16) {
	l.t.Helper()
	ports, err := l.client.Ports(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	for _, p := range ports {
		all = append(all, p.Number)
	}
	return all
}

func TestPortsAreListedAddedAndRemoved(t *testing.T) {
	l := newLab(t, true)
	ports, err := l.client.Ports(t.Context())
	if err != nil || len(ports) != 2 {
		t.Fatalf("%+v, %v", ports, err)
	}
	if p := ports[0]; p.Number != 1 || p.Kind != KindTunnel || p.State != "up" ||
		p.Place != "udp:127.0.0.1:0,127.0.0.1:9,loss=1" {
		t.Errorf("port %+v", p)
	}
	if p := ports[1]; p.Number != daemon.DefaultCPUPort || p.Kind != KindCPU {
		t.Errorf("port %+v", p)
	}
	added, err := l.client.Add(t.Context(), "7@udp:127.0.0.1:0")
	if err != nil || added.Number != 7 || added.Place != "udp:127.0.0.1:0" {
		t.Errorf("added %+v, %v", added, err)
	}
	if got := l.numbers(); len(got) != 3 || got[1] != 7 {
		t.Errorf("ports %v", got)
	}
	if removed, err := l.client.Remove(t.Context(), 7); err != nil || removed.Number != 7 {
		t.Errorf("removed %+v, %v", removed, err)
	}
	if got := l.numbers(); len(got) != 2 {
		t.Errorf("ports %v", got)
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	l := newLab(t, true)
	for spec, want := range map[string]string{
		"1@udp:127.0.0.1:0":   "port number is in use",
		"510@udp:127.0.0.1:0": "port number is in use",
		"veth0":               "valid forms are",
		"3@nowhere-9":         "nowhere-9",
	} {
		if _, err := l.client.Add(t.Context(), spec); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("add %s: %v, want %q", spec, err, want)
		}
	}
	for number, want := range map[uint16]string{
		9: "no such port", daemon.DefaultCPUPort: "the way to controllers", 600: "from 0 to 510",
	} {
		if _, err := l.client.Remove(t.Context(), number); !errors.Is(err, ErrRefused) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("remove %d: %v, want %q", number, err, want)
		}
	}
	if got := l.numbers(); len(got) != 2 {
		t.Errorf("ports %v", got)
	}
}

func TestReadersMayNotChange(t *testing.T) {
	l := newLab(t, false)
	_, adding := l.client.Add(t.Context(), "7@udp:127.0.0.1:0")
	_, removing := l.client.Remove(t.Context(), 1)
	for _, err := range []error{adding, removing} {
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), errReadOnly.Error()) {
			t.Errorf("a change: %v", err)
		}
	}
	if got := l.numbers(); len(got) != 2 {
		t.Errorf("ports %v", got)
	}
}

func TestWebPagesMayNotChange(t *testing.T) {
	l := newLab(t, true)
	for name, c := range map[string]struct{ method, path, host, kind string }{
		"a form":                  {"POST", "/ports", "", "text/plain"},
		"a name of its own":       {"POST", "/ports", "evil.example:80", "application/json"},
		"a name of its own, gone": {"DELETE", "/ports/1", "evil.example", "application/json"},
		"without a type":          {"DELETE", "/ports/1", "", ""},
	} {
		r, err := http.NewRequest(c.method, l.server.URL+c.path, strings.NewReader(`{"port": "7@udp:127.0.0.1:0"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		r.Header.Set("Content-Type", c.kind)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", name, response.Status)
		}
	}
	if got := l.numbers(); len(got) != 2 {
		t.Errorf("ports %v", got)
	}
}

func TestBodiesThatAreNotUnderstood(t *testing.T) {
	l := newLab(t, true)
	for _, body := range []string{"", "{", `{"prot": "1@x"}`, `{"port": 7}`,
		`{"port": "` + strings.Repeat("x", longestRequest) + `"}`} {
		response, err := http.Post(l.server.URL+"/ports", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20q: %s", body, response.Status)
		}
	}
}

func TestTables(t *testing.T) {
	l := newLab(t, false)
	tables, err := l.client.Tables(t.Context())
	if err != nil || len(tables) < 3 {
		t.Fatalf("%+v, %v", tables, err)
	}
	for _, x := range tables {
		if x.Name == "ingress.fixed_table" && x.Entries != 1 {
			t.Errorf("table %+v", x)
		}
	}
}

// A request whose body does not come holds nobody up.
func TestSlowBodyHoldsNobodyUp(t *testing.T) {
	l := newLab(t, true)
	body, slow := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), "POST", l.server.URL+"/ports", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answered := make(chan int)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			answered <- 0
			return
		}
		response.Body.Close()
		answered <- response.StatusCode
	}()
	if _, err := slow.Write([]byte(`{"port": `)); err != nil { // the server has begun to read
		t.Fatal(err)
	}
	if _, err := l.client.Add(t.Context(), "7@udp:127.0.0.1:0"); err != nil {
		t.Error(err)
	}
	if _, err := slow.Write([]byte(`"8@udp:127.0.0.1:0"}`)); err != nil {
		t.Fatal(err)
	}
	_ = slow.Close()
	if got := <-answered; got != http.StatusCreated {
		t.Errorf("the slow one: %d", got)
	}
}
