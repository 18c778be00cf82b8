package mininet_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/mininet"
)

// need skips a test where it cannot have a network of Mininet.
func need(t *testing.T, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for Mininet")
	}
	if _, err := mininet.Interpreter(t.Context()); err != nil {
		t.Skipf("needs Mininet: %v", err)
	}
	for _, p := range append(programs, "go", "ip", "ping", "iperf3") {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs the program %s on PATH", p)
		}
	}
	if out, err := exec.Command("mnexec", "-n", "true").CombinedOutput(); err != nil {
		t.Skipf("needs permission to make network namespaces: %v: %s", err, out)
	}
}

// build compiles the program under test, once for all tests.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "turbokv")
	cmd := exec.Command("go", "build", "-o", path, "github.com/turbokv/turbokv/cmd/turbokv")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// lab is one run of `turbokv mininet up`.
type lab struct {
	t      *testing.T
	dir    string
	binary string
	before []string // interfaces
	said   string
}

func newLab(t *testing.T, binary string) *lab {
	t.Helper()
	return &lab{t: t, dir: filepath.Join(t.TempDir(), "run"), binary: binary, before: interfaces(t)}
}

// do builds a topology, runs lines of the prompt in it, and demands that all of them succeed.
func (l *lab) do(topo, kind string, lines ...string) {
	l.t.Helper()
	if err := l.try(topo, kind, lines...); err != nil {
		l.t.Fatalf("%s, %s: %v\n%s%s", topo, kind, err, l.said, l.logs())
	}
}

func (l *lab) try(topo, kind string, lines ...string) error {
	l.t.Helper()
	cmd := l.command(topo, kind, "--exec", strings.Join(lines, "; "))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	l.said = out.String()
	return err
}

func (l *lab) command(topo, kind string, flags ...string) *exec.Cmd {
	args := []string{"mininet", "up", "--topo", topo, "--switch", kind, "--dir", l.dir, "--http", "off"}
	return exec.CommandContext(l.t.Context(), l.binary, append(args, flags...)...)
}

// says demands texts of what was said, in this order.
func (l *lab) says(texts ...string) {
	l.t.Helper()
	rest := l.said
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			l.t.Fatalf("%q does not follow:\n%s", text, l.said)
		}
		rest = after
	}
}

// logs is what the processes say, for a test that fails.
func (l *lab) logs() string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(l.dir, "*.log")) // the pattern is right
	for _, path := range files {
		if text, err := os.ReadFile(path); err == nil {
			fmt.Fprintf(&b, "%s:\n%s", filepath.Base(path), text)
		}
	}
	return b.String()
}

// run names the namespaces of the run that goes on.
func (l *lab) run() string {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, "run.json"))
	if err != nil {
		l.t.Fatal(err)
	}
	var names []string
	for _, path := range regexp.MustCompile(`/proc/\d+/ns/net`).FindAllString(string(text), -1) {
		name, err := os.Readlink(path)
		if err != nil {
			l.t.Error(err)
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// space is the network namespace of a host, as `readlink /proc/self/ns/net` tells it at the prompt.
var space = regexp.MustCompile(`net:\[\d+\]`)

// gone demands that nothing is left of a run: its namespaces, which the lines have named, its
// interfaces, its processes and its run file.
func (l *lab) gone() {
	l.t.Helper()
	spaces := space.FindAllString(l.said, -1)
	if len(spaces) == 0 {
		l.t.Errorf("no namespace is named:\n%s", l.said)
	}
	if left, err := filepath.Glob("/proc/[0-9]*/ns/net"); err == nil {
		for _, path := range left {
			if name, err := os.Readlink(path); err == nil && slices.Contains(spaces, name) {
				l.t.Errorf("%s lives in %s", path, name)
			}
		}
	}
	if n, err := mininet.Sweep(mininet.Leftovers{Dir: l.dir}); n != 0 || err != nil {
		l.t.Errorf("%d processes are left: %v", n, err)
	}
	for _, name := range interfaces(l.t) {
		if strings.Contains(name, "-eth") && !slices.Contains(l.before, name) {
			l.t.Errorf("interface %s is left", name)
		}
	}
	if _, err := os.Stat(filepath.Join(l.dir, "run.json")); !errors.Is(err, fs.ErrNotExist) {
		l.t.Errorf("run file: %v", err)
	}
}

func interfaces(t *testing.T) (names []string) {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		names = append(names, x.Name)
	}
	return names
}

// name is a line of the prompt that names the network namespace of a place.
func name(place string) string { return place + " readlink /proc/self/ns/net" }

// TestNetworks runs each kind of network, by the lines that people type at the prompt.
func TestNetworks(t *testing.T) {
	need(t)
	binary := build(t)
	for title, test := range map[string]func(*testing.T, *lab){
		"one rack":       testRack,
		"spine and leaf": testSpineLeaf,
		"simple_switch":  testSimpleSwitch,
		"a file":         testFile,
		"crash":          testCrash,
	} {
		t.Run(title, func(t *testing.T) {
			l := newLab(t, binary)
			test(t, l)
			l.gone()
		})
	}
}

// testRack has four hosts, h1 to h3 with storage nodes.
func testRack(_ *testing.T, l *lab) {
	l.do("single:3", "builtin", name("h1"), name("s1"), name("ctl"),
		"pingall",
		"kv put h4 apple red", "kv put h4 pear 'light green'", "kv get h1 pear", "kv scan h4",
		"h4 turbokv get apple", "s1 ip -brief link show s1-eth4",
		"sh "+l.binary+" net --run "+l.dir+"/run.json iperf h4 h1 -t 1",
		"fail node2", "kv put h4 apple yellow", "kv get h4 apple", "mend node2",
		"link h4 s1 down", "h3 ! ping -c 1 -W 1 h4", "kv get h3 pear",
		"link h4 s1 up", "h3 ping -c 1 -W 1 h4", "h4 ip route", "status",
	)
	l.says("0% dropped", "version 1", "light green", "apple\tred", "pear\tlight green", "red", "s1-eth4@",
		"iperf Done", "version 2", "yellow", "0 received", "light green", "1 received", "default via",
		"5 of 5 processes run")
}

// testSpineLeaf has racks of a storage node and a client each: h1 and h2, h3 and h4, h5 and h6.
func testSpineLeaf(_ *testing.T, l *lab) {
	l.do("spine-leaf:2x3x1", "builtin", name("h1"), name("s5"),
		"pingall", "kv put h2 apple red", "kv put h4 pear green", "kv get h6 apple", "kv scan h6",
		"link s1 s4 down", "kv get h2 pear", "kv put h2 pear yellow", "h1 ping -c 2 -i 0.2 h5", "link s1 s4 up",
		"load h6 -w A --records 100 --duration 1s",
		"fail h5", "kv put h6 apple green", "kv get h2 apple", "mend h5",
		"status", "links",
	)
	l.says("0% dropped", "red", "apple\tred", "pear\tgreen", "is down", "green", "version 2", "2 received",
		"is up", "verified: 100 records hold what was acknowledged, 0 do not",
		"is killed", "version 2", "green", "9 of 9 processes run", "s1:s1-eth3<->s4:s4-eth1 (OK OK)")
}

func testSimpleSwitch(t *testing.T, l *lab) {
	need(t, "simple_switch_grpc")
	l.do("spine-leaf:1x2x1", "bmv2", name("h1"),
		"pingall", "kv put h2 apple red", "kv get h4 apple", "kv scan h4", "fail h3", "kv get h4 apple")
	l.says("0% dropped", "red", "apple\tred", "is killed", "red")
}

// tutorial is in the form of the P4 tutorials: no roles, a gateway that is nobody's, and a command that
// cannot succeed.
const tutorial = `{
  "hosts": {
    "h1": {"ip": "10.0.1.1/24", "mac": "08:00:00:00:01:11", "commands": [
      "route add default gw 10.0.1.10 dev eth0", "arp -i eth0 -s 10.0.1.10 08:00:00:00:01:00"]},
    "h2": {"ip": "10.0.2.2/24", "mac": "08:00:00:00:02:22", "commands": [
      "route add default gw 10.0.2.20 dev eth0", "arp -i eth0 -s 10.0.2.20 08:00:00:00:01:00",
      "route add default gw 10.9.9.9 dev eth0"]}
  },
  "switches": {"s1": {"runtime_json": "s1-runtime.json"}},
  "links": [["h1", "s1-p1"], ["h2", "s1-p2", "10ms"]]
}`

func testFile(t *testing.T, l *lab) {
	path := filepath.Join(t.TempDir(), "topology.json")
	if err := os.WriteFile(path, []byte(tutorial), 0o644); err != nil {
		t.Fatal(err)
	}
	// Lines after one that fails are run, and the exit code tells.
	err := l.try(path, "builtin", name("h2"), "h1 ip route", "h1 ping -c 2 -i 0.2 h2", "kv get h1 apple",
		"kv put h2 apple red", "h1 false", "kv get h1 apple", "nonsense", "link h1 h2 down", "h2 true")
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%v\n%s", err, l.said)
	}
	l.says("shape", "h2: route add default gw 10.9.9.9 dev eth0: ", "(goes on)",
		"default via 10.0.1.10 dev eth0", "2 received", "not found", "version 1", "red",
		"Unknown command: nonsense", "no link joins h1 and h2", "not all commands")
	if rtt := regexp.MustCompile(`= (\d+)\.`).FindStringSubmatch(l.said); rtt == nil || len(rtt[1]) < 2 {
		t.Errorf("a link of 10 ms: %q\n%s", rtt, l.said)
	}
}

// testCrash kills the front of a network. Meanwhile there is no room for a second one.
func testCrash(t *testing.T, l *lab) {
	cmd := l.command("single:1", "builtin", "--no-prompt")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text, err := bufio.NewReader(out).ReadString('.') // "TurboKV is ready."
	if err != nil {
		t.Errorf("%q, %v\n%s", text, err, l.logs())
	}
	if l.try("single:1", "builtin", "nodes") == nil {
		t.Errorf("a second one is built:\n%s", l.said)
	}
	l.says("in use by process", "turbokv mininet down --run")
	run := l.run()
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed
	down := exec.Command(l.binary, "mininet", "down", "--run", filepath.Join(l.dir, "run.json"))
	if out, err := down.CombinedOutput(); err != nil {
		t.Errorf("down: %v\n%s", err, out)
	}
	l.said = run
}
