package trace

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

func TestParseQuery(t *testing.T) {
	q := url.Values{
		"ipv4.dst_addr": {"10.0.1.2"}, "ipv4.src_addr": {"10.0.0.0/8"}, "ethernet.dst": {"02:00:00:00:00:0a"},
		"kv.key": {"0x1ff"}, "kv.op": {"260"}, "port": {"3", "510"}, "limit": {"7"}, "bytes": {"12:0800"},
	}
	f, limit, err := ParseQuery(q)
	want := v1model.Filter{
		Ports: []uint16{3, 510},
		Raw:   []v1model.RawFilter{{Offset: 12, Bytes: []byte{8, 0}}},
		Fields: []v1model.FieldFilter{
			{Name: "ethernet.dst", Value: []byte{2, 0, 0, 0, 0, 10}, Prefix: -1},
			{Name: "ipv4.dst_addr", Value: []byte{10, 0, 1, 2}, Prefix: -1},
			{Name: "ipv4.src_addr", Value: []byte{10, 0, 0, 0}, Prefix: 8},
			{Name: "kv.key", Value: []byte{1, 0xff}, Prefix: -1},
			{Name: "kv.op", Value: []byte{1, 4}, Prefix: -1},
		},
	}
	if err != nil || limit != 7 || !reflect.DeepEqual(f, want) {
		t.Errorf("got %+v, limit %d, %v, want %+v", f, limit, err, want)
	}
	for query, want := range map[string]string{
		"prot=3":         "prot=3: unknown parameter",
		"port=511":       "from 0 to 510",
		"limit=0":        "from 1 on",
		"bytes=4":        "at least one byte",
		"bytes=-1:00":    "from 0 to 2048",
		"a.b=x":          "want a number",
		"a.b=-1":         "want a number",
		"a.b=1/":         "bits after the slash",
		"a.b=1&a.b=0x/3": "a.b=0x/3",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := ParseQuery(q); !errors.Is(err, ErrQuery) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", query, err, want)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add("ipv4.dst_addr=10.0.1.2/24&port=3&limit=10&bytes=42:0a0b&x.y=0x123")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		filter, limit, err := ParseQuery(q)
		if err != nil {
			return
		}
		parts := len(filter.Fields) + len(filter.Ports) + len(filter.Raw) + len(q["limit"])
		given := 0
		for _, values := range q {
			given += len(values)
		}
		if parts != given || limit < 0 {
			t.Errorf("%q became %+v, limit %d", text, filter, limit)
		}
	})
}

// lab is a switch with a cable, whose program drops what it does not know.
type lab struct {
	t      *testing.T
	sw     *daemon.Daemon
	cable  *port.Mem
	server *httptest.Server
}

func newLab(t *testing.T) *lab {
	device, err := os.ReadFile("../p4rt/testdata/basic.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../p4rt/testdata/basic.p4info.txtpb")
	if err != nil {
		t.Fatal(err)
	}
	info := new(p4config.P4Info)
	if err := prototext.Unmarshal(text, info); err != nil {
		t.Fatal(err)
	}
	inner, outer := port.NewPair(1024)
	sw, err := daemon.New(daemon.Config{Address: "127.0.0.1:0", DeviceID: 7,
		Ports:    map[uint16]port.Port{3: inner},
		Pipeline: &p4v1.ForwardingPipelineConfig{P4Info: info, P4DeviceConfig: device}})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t, sw, outer, httptest.NewServer(Handler(sw))}
	t.Cleanup(func() {
		l.server.Close()
		if err := sw.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// follow collects lines; send is called when the switch follows packets.
func (l *lab) follow(query url.Values, send func()) (lines []Line, err error) {
	err = Follow(l.t.Context(), l.server.Listener.Addr().String(), query, send, func(x Line) error {
		lines = append(lines, x)
		return nil
	})
	return lines, err
}

func (l *lab) send(destinations ...byte) {
	for _, dst := range destinations {
		frame := make([]byte, 60)
		frame[5] = dst
		if n, err := l.cable.WriteBatch([][]byte{frame}); n != 1 || err != nil {
			l.t.Errorf("WriteBatch = %d, %v", n, err)
		}
	}
}

func TestStreamHasTheFramesAskedFor(t *testing.T) {
	l := newLab(t)
	query := url.Values{"ethernet.dst": {"0x04/46"}, "port": {"3"}, "limit": {"3"}}
	lines, err := l.follow(query, func() { l.send(1, 5, 9, 4, 7, 6) })
	if err != nil || len(lines) != 3 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for i, dst := range []byte{5, 4, 7} {
		x := lines[i]
		if x.Switch != 7 || x.Port != 3 || len(x.Frame) != 60 || x.Frame[5] != dst || x.Time.IsZero() {
			t.Errorf("line %d: %+v", i, x)
		}
		if p := x.Passes[0]; p.Drop == "" || len(p.Steps) == 0 || p.Headers[0].Name != "ethernet" {
			t.Errorf("line %d: pass %+v", i, p)
		}
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	l := newLab(t)
	for query, want := range map[string]string{
		"ethernet.dts=1": "the fields of ethernet are",
		"port=9999":      "from 0 to 510",
		"bogus=1":        ErrQuery.Error(),
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.follow(q, func() { t.Errorf("%s: is followed", query) })
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "400") {
			t.Errorf("%s: error %v, want %q in it", query, err, want)
		}
	}
	response, err := http.Post(l.server.URL+"/trace", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
}

func TestReadersAreBounded(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	address := l.server.Listener.Addr().String()
	var ended []chan error
	for range mostReaders {
		following, end := make(chan struct{}), make(chan error, 1)
		go func() {
			end <- Follow(ctx, address, nil, func() { close(following) }, func(Line) error { return nil })
		}()
		<-following
		ended = append(ended, end)
	}
	if _, err := l.follow(nil, func() {}); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("one reader too many: %v", err)
	}
	cancel()
	for _, end := range ended {
		if err := <-end; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow: %v", err)
		}
	}
}

// TestSlowReaderIsToldWhatItLost fills the queue of a reader that does not read.
func TestSlowReaderIsToldWhatItLost(t *testing.T) {
	x := &reader{lines: make(chan Line, waiting), ended: make(chan error, 1)}
	for range waiting + 10 {
		x.take(&v1model.Trace{})
	}
	out := httptest.NewRecorder()
	x.stream(out, httptest.NewRequest(http.MethodGet, "/trace", nil), waiting)
	lost := []uint64{}
	for in := json.NewDecoder(out.Body); in.More(); {
		var line Line
		if err := in.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lost = append(lost, line.Lost)
	}
	if len(lost) != waiting || lost[0] != 10 || slices.Max(lost[1:]) != 0 {
		t.Errorf("lost %v", lost)
	}
}
