package netns_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/topology"
)

// patience bounds every wait; a good run waits a small part of it.
const patience = 30 * time.Second

// await tries until there is no error.
func await(t testing.TB, what string, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("%s: not within %v: %v", what, patience, err)
}

// requireNamespaces skips a test where it cannot have network namespaces, and returns what the kernel
// can do.
func requireNamespaces(t testing.TB) netplan.Capabilities {
	t.Helper()
	sweep(t)
	can, err := netns.Try()
	if errors.Is(err, netns.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return can
}

// prefixOf begins the names of the namespaces of a test process.
func prefixOf(pid int) string { return fmt.Sprintf("tkvtest%d-", pid) }

// sweep removes what test processes that were killed have left.
func sweep(t testing.TB) {
	t.Helper()
	paths, err := filepath.Glob("/run/netns/tkvtest*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(path), "tkvtest%d-", &pid); err != nil {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); errors.Is(err, os.ErrNotExist) {
			_, _ = netns.DownAll(prefixOf(pid)) // another test process may do the same
		}
	}
}

// buildDir is where the program is built; it goes when all tests have ended.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "turbokv-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}

// build compiles the program under test, once.
var build = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(buildDir, "turbokv")
	cmd := exec.Command("go", "build", "-o", path, "github.com/turbokv/turbokv/cmd/turbokv")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
})

// program is the path of the program under test.
func program(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command to build the program")
	}
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// planOf plans the network of a shape.
func planOf(t testing.TB, shape string, o netplan.Options) *netplan.Plan {
	t.Helper()
	s, err := topology.ParseShape(shape)
	if err != nil {
		t.Fatal(err)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Prefix = prefixOf(os.Getpid())
	p, err := netplan.New(s.Network(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// network is a running one.
type network struct {
	*netns.Run
	t testing.TB
}

// up builds a network that goes when the test ends.
func up(t testing.TB, p *netplan.Plan) *network {
	t.Helper()
	r, err := netns.Up(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			logs(t, p)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return &network{r, t}
}

// ready waits until all is up.
func (n *network) ready() {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	if err := netns.Ready(ctx, n.Plan()); err != nil {
		n.t.Fatal(err)
	}
}

// logs shows the end of each log.
func logs(t testing.TB, p *netplan.Plan) {
	const most = 4000
	for _, x := range p.Processes {
		text, err := os.ReadFile(x.Log)
		if err != nil {
			text = []byte(err.Error())
		}
		t.Logf("%s says:\n%s", x.Name, text[max(0, len(text)-most):])
	}
}

// in runs a command in a place, and returns what it prints.
func (n *network) in(place string, args ...string) (string, error) {
	cmd, err := n.Command(n.t.Context(), place, args...)
	if err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %s: %w: %s%s", place, strings.Join(args, " "), err,
			stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// must runs a command in a place that must succeed.
func (n *network) must(place string, args ...string) string {
	n.t.Helper()
	out, err := n.in(place, args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// prints runs a turbokv command in a place that must print want.
func (n *network) prints(want, place string, args ...string) {
	n.t.Helper()
	if got := n.must(place, append([]string{"turbokv"}, args...)...); got != want {
		n.t.Errorf("%s: %v printed %q, not %q", place, args, got, want)
	}
}
