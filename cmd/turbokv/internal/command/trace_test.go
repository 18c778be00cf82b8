package command

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/bmv2/trace"
	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// tracedSwitch is a switch with the real program and one cable, that serves traces.
func tracedSwitch(t *testing.T) (address string, cable *port.Mem) {
	t.Helper()
	info, err := p4src.P4Info()
	if err != nil {
		t.Fatal(err)
	}
	inner, outer := port.NewPair(64)
	sw, err := daemon.New(daemon.Config{Address: "127.0.0.1:0", Ports: map[uint16]port.Port{1: inner},
		Pipeline: &p4v1.ForwardingPipelineConfig{P4Info: info, P4DeviceConfig: p4src.DeviceConfig()}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(trace.Handler(sw))
	t.Cleanup(func() {
		server.Close()
		if err := sw.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.Listener.Addr().String(), outer
}

// getFrame asks for a key of the system keyspace, whose partitioner everybody knows.
func getFrame(key string) []byte {
	p := wire.Packet(wire.AppendKeyed(wire.Append(nil, wire.OpGet), []byte(key), nil))
	p.SetKeyspace(kv.SystemKeyspace)
	p.SetRequest(7, 12, 12)
	p.SetIndexKey(kv.RangePartitioned.IndexKey([]byte(key)))
	p.Seal()
	flow := wire.Flow{Src: netip.MustParseAddrPort("10.0.1.1:40000"), Dst: netip.MustParseAddrPort("10.0.9.9:21579")}
	return wire.AppendFrame(nil, flow, p)
}

const traceTopology = `{"hosts": {"h1": {"ip": "10.0.1.1/24", "mac": "02:00:00:00:01:01"}},
	"switches": {"s1": {}}, "links": [["h1", "s1-p1"]]}`

func TestTraceShowsARequestAtEachSwitch(t *testing.T) {
	first, cable := tracedSwitch(t)
	second, other := tracedSwitch(t)
	file := filepath.Join(t.TempDir(), "topology.json")
	if err := os.WriteFile(file, []byte(traceTopology), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"trace", "--switch", "s1=" + first, "--switch", "s4=" + second, "--key", "user:42",
		"-k", kv.SystemDescriptor.Name, "--topology", file, "-n", "2"}
	send := sync.OnceFunc(func() {
		for _, c := range []*port.Mem{cable, other} {
			if _, err := c.WriteBatch([][]byte{getFrame("user:41"), getFrame("user:42")}); err != nil {
				t.Error(err)
			}
		}
	})
	sending := func(text string, _ func()) {
		if strings.Contains(text, "following packets at 2 switches") {
			send()
		}
	}
	text, code := background(t, Streams{}, sending, args...)
	for _, want := range []string{
		"s1 in 1 from h1: GET user:42: ", "s4 in 1: GET user:42: ", "; dropped: NO_ROUTE\n", "no entry -> no_route",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if code != 0 || strings.Contains(text, "user:41") || strings.Count(text, "\n") != 3 {
		t.Errorf("exit %d\n%s", code, text)
	}
	text, code = background(t, Streams{}, func(text string, _ func()) {
		if strings.Contains(text, "following packets at 2 switches") {
			go cable.WriteBatch([][]byte{getFrame("user:42")})
		}
	}, append(args[:len(args)-1], "1", "-o", "json")...)
	_, object, _ := strings.Cut(text, "\n")
	var out traceOutput
	if err := json.Unmarshal([]byte(object), &out); err != nil || code != 0 {
		t.Fatalf("exit %d, %v\n%s", code, err, text)
	}
	if out.Switch != "s1" || out.Packet != "GET user:42" || out.Sequence != 12 || len(out.Trace.Passes) != 1 {
		t.Errorf("got %+v", out)
	}
}

func TestTraceExplainsMistakes(t *testing.T) {
	address, _ := tracedSwitch(t)
	for want, args := range map[string][]string{
		"which switches?":                {},
		"must be NAME=ADDRESS":           {"--switch", "s1"},
		"there is another s1":            {"--switch", "s1=a:1", "--switch", "s1=b:1"},
		"there are GET, SCAN":            {"--switch", "s1=" + address, "--op", "fetch"},
		"--client \"x\"":                 {"--switch", "s1=" + address, "--client", "x"},
		"HEADER.FIELD=VALUE":             {"--switch", "s1=" + address, "--where", "prot=1"},
		"the fields of ipv4 are version": {"--switch", "s1=" + address, "--where", "ipv4.dst=1"},
		"switch s2: ":                    {"--switch", "s1=" + address, "--switch", "s2=127.0.0.1:1"},
		"--switch must not be given too": {"--switch", "s1=" + address, "--run", "x"},
		"-n -1":                          {"--switch", "s1=" + address, "-n", "-1"},
		"no such file":                   {"--switch", "s1=" + address, "--topology", "/no/such/file"},
	} {
		text, code := background(t, Streams{}, func(string, func()) {}, append([]string{"trace"}, args...)...)
		if code == 0 || !strings.Contains(text, want) {
			t.Errorf("trace %v: exit %d, want %q in\n%s", args, code, want, text)
		}
	}
}

// TestTracesAreMergedByTime has two switches tell the same moments in turn, one of them with a delay.
func TestTracesAreMergedByTime(t *testing.T) {
	begin := time.Unix(1000, 0)
	var sources []traceSource
	for i := range 2 {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			out := json.NewEncoder(w)
			for k := range 50 {
				line := trace.Line{Time: begin.Add(time.Duration(2*k+i) * time.Millisecond), Trace: &v1model.Trace{}}
				if err := out.Encode(line); err != nil {
					t.Error(err)
				}
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			<-r.Context().Done()
		}))
		defer server.Close()
		sources = append(sources, traceSource{fmt.Sprint("s", i), server.Listener.Addr().String()})
	}
	m := traceMerger{sources: sources, patience: patience, count: 100, warn: func(string) {}}
	var told []string
	err := m.run(t.Context(), func(source string, _ trace.Line) error {
		told = append(told, source)
		return nil
	})
	if err != nil || strings.Join(told, "") != strings.Repeat("s0s1", 50) {
		t.Errorf("%v, in the order %v", err, told)
	}
}
