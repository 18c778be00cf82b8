package p4rt

import (
	"testing"

	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

func anyOf(t testing.TB, body map[string]any) *anypb.Any {
	t.Helper()
	s, err := structpb.NewStruct(body)
	if err != nil {
		t.Fatal(err)
	}
	m, err := anypb.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPortStatusIsRead(t *testing.T) {
	m := anyOf(t, map[string]any{"port_status": map[string]any{"port": 3, "up": true}})
	if port, up, ok := portStatusOf(m); port != 3 || !up || !ok {
		t.Errorf("port %d, up %v, %v", port, up, ok)
	}
	for name, body := range map[string]map[string]any{
		"something else": {"color": "blue"},
		"no port":        {"port_status": map[string]any{"up": true}},
		"no state":       {"port_status": map[string]any{"port": 3}},
		"negative":       {"port_status": map[string]any{"port": -1, "up": true}},
		"too large":      {"port_status": map[string]any{"port": 1e12, "up": true}},
		"no message":     {"port_status": 3},
	} {
		if _, _, ok := portStatusOf(anyOf(t, body)); ok {
			t.Errorf("%s: taken for a port status", name)
		}
	}
}

func FuzzPortStatus(f *testing.F) {
	m := anyOf(f, map[string]any{"port_status": map[string]any{"port": 3, "up": true}})
	f.Add(m.GetTypeUrl(), m.GetValue())
	f.Fuzz(func(t *testing.T, url string, value []byte) {
		port, up, ok := portStatusOf(&anypb.Any{TypeUrl: url, Value: value})
		if !ok && (port != 0 || up) {
			t.Errorf("port %d, up %v of nothing", port, up)
		}
	})
}
