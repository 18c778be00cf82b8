package topology

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// tutorial is in the form of the exercises, with what they have and we leave alone.
const tutorial = `{
  "hosts": {
    "h1": {"ip": "10.0.1.1/24", "mac": "08:00:00:00:01:11",
           "commands": ["route add default gw 10.0.1.10 dev eth0"]},
    "h10": {"ip": "10.0.2.2/24", "role": "node"},
    "h2": {"ip": "10.0.2.1/24"}
  },
  "switches": {
    "s1": {"runtime_json": "s1-runtime.json"},
    "s2": {"device_id": 7, "p4runtime": "10.253.0.2:9559"},
    "s3": {}
  },
  "links": [["h1", "s1-p1"], ["s1-p3", "s3-p1", "10ms", 5], ["h2", "s2-p1", "3"],
            ["h10", "s2-p2"], ["s2-p3", "s3-p2", "0ms", 0.5, 0.01, 50]]
}`

func TestDecodeReadsTheFormOfTheTutorials(t *testing.T) {
	n, err := Decode([]byte(tutorial))
	if err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, h := range n.Hosts {
		hosts = append(hosts, h.Name)
	}
	if want := []string{"h1", "h2", "h10"}; !reflect.DeepEqual(hosts, want) {
		t.Errorf("hosts %v, want %v", hosts, want)
	}
	if s, _ := n.Switch("s3"); s.Level != 1 || n.Levels() != 2 {
		t.Errorf("s3 %+v, %d levels", s, n.Levels())
	}
	want := Link{A: End{"s2", 3}, B: End{"s3", 2}, Bandwidth: 0.5, Loss: 0.01, Queue: 50}
	if got := n.Links[n.Above("s2")[0].Link]; got != want {
		t.Errorf("link %+v, want %+v", got, want)
	}
	if rack, ok := n.Rack("h10"); !ok || rack != (End{"s2", 2}) {
		t.Errorf("h10 hangs on %v", rack)
	}
	if l := n.Links[n.Neighbours("h2")[0].Link]; l.Delay != 3*time.Millisecond {
		t.Errorf("a bare number: %v, must be milliseconds", l.Delay)
	}
}

func TestEncodeIsTheInverseOfDecode(t *testing.T) {
	for _, shape := range []string{"single", "single:16", "spine-leaf", "spine-leaf:4x8x2", "fat-tree:4",
		"fat-tree:2x5"} {
		want := mustDraw(t, shape)
		text, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n%+v\n%+v", shape, err, got, want)
		}
	}
}

func mustDraw(t *testing.T, text string) *Network {
	t.Helper()
	s, err := ParseShape(text)
	if err != nil {
		t.Fatal(err)
	}
	n := s.Network()
	if err := n.check(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

func TestShapesHaveTheirSizes(t *testing.T) {
	for text, want := range map[string]struct{ hosts, switches, links, levels int }{
		"single:16":        {17, 1, 17, 1},
		"spine-leaf:2x3x3": {12, 5, 18, 2},
		"fat-tree:4":       {16, 20, 48, 3}, // the figure of the paper, with k^3/4 hosts
		"fat-tree:6x2":     {54, 45, 162, 3},
	} {
		n := mustDraw(t, text)
		if len(n.Hosts) != want.hosts || len(n.Switches) != want.switches ||
			len(n.Links) != want.links || n.Levels() != want.levels {
			t.Errorf("%s: %d hosts, %d switches, %d links, %d levels, want %+v", text, len(n.Hosts),
				len(n.Switches), len(n.Links), n.Levels(), want)
		}
	}
}

func TestFatTreeHasEveryPodBelowEveryCore(t *testing.T) {
	n := mustDraw(t, "fat-tree:4")
	for _, s := range n.Switches {
		above, below := len(n.Above(s.Name)), len(n.Below(s.Name))
		want := [][2]int{{2, 0}, {2, 2}, {0, 4}}[s.Level]
		if above != want[0] || below != want[1] {
			t.Errorf("%+v: %d above, %d below, want %v", s, above, below, want)
		}
	}
}

func TestWrongShapesAreRefused(t *testing.T) {
	for _, text := range []string{"", "ring", "single:0", "single:1x2", "single:x", "spine-leaf:0x3",
		"spine-leaf:2x3x4x5", "fat-tree:3", "fat-tree:30", "spine-leaf:2x201", "single:-1"} {
		if s, err := ParseShape(text); err == nil {
			t.Errorf("%q: %+v", text, s)
		}
	}
}

func TestWrongFilesAreRefused(t *testing.T) {
	for old, wrong := range map[string]string{
		`"10.0.1.1/24"`:                 `"10.0.1.1"`,
		`"10.0.2.1/24"`:                 `"10.0.1.1/16"`,
		`"08:00:00:00:01:11"`:           `"09:00:00:00:01:11"`,
		`"role": "node"`:                `"role": "king"`,
		`["h1", "s1-p1"]`:               `["h1", "s1"]`,
		`["h10", "s2-p2"]`:              `["h10", "s2-p1"]`,
		`"s1-p3"`:                       `"s1-p600"`,
		`"10ms"`:                        `"10 parsecs"`,
		`0.01, 50`:                      `1.01, 50`,
		`["h2", "s2-p1", "3"]`:          `["h2", "s3-p9"]`,
		`"s3": {}`:                      `"s3": {"level": 4}`,
		`["s1-p3", "s3-p1", "10ms", 5]`: `["s1-p3", "s2-p9"]`,
		`"h2":`:                         `"h 2":`,
		`"h1":`:                         `"h1_but_much_too_long":`,
	} {
		text := strings.Replace(tutorial, old, wrong, 1)
		if text == tutorial {
			t.Fatalf("%s is not there", old)
		}
		if _, err := Decode([]byte(text)); err == nil {
			t.Errorf("%s instead of %s is taken", wrong, old)
		} else if !strings.HasPrefix(err.Error(), "topology: ") {
			t.Errorf("%v", err)
		}
	}
}

// FuzzDecode: whatever is accepted is sound, and survives Encode.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(tutorial))
	f.Add([]byte(`{"switches":{"s1":{}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := Decode(text)
		if err != nil {
			return
		}
		again, err := n.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if len(back.Hosts) != len(n.Hosts) || len(back.Links) != len(n.Links) {
			t.Fatalf("%+v\n%+v", n, back)
		}
	})
}
