package netns_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// TestNetworkIsBuiltBrokenAndMended needs no more than what netns itself does.
func TestNetworkIsBuiltBrokenAndMended(t *testing.T) {
	requireNamespaces(t)
	o := netplan.Options{Binary: program(t), Volatile: true}
	n := up(t, planOf(t, "single:2", o))
	n.must("h3", "turbokv", "keyspace", "create", "fruit", "--durability", "memory")
	n.must("h3", "turbokv", "put", "-k", "fruit", "apple", "red")
	n.prints("red\n", "h1", "get", "-k", "fruit", "apple")

	other, err := netns.Open(n.Plan().Path()) // as another process would
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Kill("h1"); err != nil {
		t.Fatal(err)
	}
	if err := n.Kill("h1"); !errors.Is(err, netns.ErrStopped) {
		t.Errorf("killed twice: %v", err)
	}
	await(t, "without h1", func() error { _, err := n.in("h3", "turbokv", "get", "-k", "fruit", "apple"); return err })
	if err := other.Start("h1"); err != nil {
		t.Fatal(err)
	}
	if err := n.Start("h1"); !errors.Is(err, netns.ErrRuns) {
		t.Errorf("started twice: %v", err)
	}
	n.ready()
	testLink(t, n)
	testNames(t, n)
	testClaims(t, n, o)
	n.testDown()
}

// testLink cuts a host off, and joins it again.
func testLink(t *testing.T, n *network) {
	t.Helper()
	get := []string{"turbokv", "get", "-k", "fruit", "apple", "--timeout", "300ms"}
	if err := n.Link("s1", "h3", false); err != nil {
		t.Fatal(err)
	}
	if out, err := n.in("h3", get...); err == nil {
		t.Errorf("without a link: %q", out)
	}
	if err := n.Link("h3", "s1", true); err != nil {
		t.Fatal(err)
	}
	await(t, "the link is up", func() error { _, err := n.in("h3", get...); return err })
}

// testNames: whoever errs is told what there is.
func testNames(t *testing.T, n *network) {
	t.Helper()
	_, command := n.Command(t.Context(), "h9", "true")
	for want, err := range map[string]error{
		"there are h1, h2, h3, s1":            n.Link("h1", "s9", false),
		"links of h1 lead to s1":              n.Link("h1", "h2", false),
		"there are s1, controller, h1, h2":    n.Kill("h3"),
		"there are h1, h2, h3, s1, ctl":       command,
		"unknown name: process \"node1\": th": n.Start("node1"),
	} {
		if !errors.Is(err, netns.ErrUnknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// testClaims: nobody gets the folder, or the names, of a network that runs.
func testClaims(t *testing.T, n *network, o netplan.Options) {
	t.Helper()
	_, err := netns.Up(t.Context(), planOf(t, "single:2", o))
	if err == nil || !strings.Contains(err.Error(), "netns down --all") {
		t.Errorf("same names: %v", err)
	}
	o.Dir = n.Plan().Dir
	_, err = netns.Up(t.Context(), planOf(t, "single:2", o))
	if err == nil || !strings.Contains(err.Error(), "is in use by process") {
		t.Errorf("same folder: %v", err)
	}
}

// testDown: nothing is left, not even what another process has started.
func (n *network) testDown() {
	n.t.Helper()
	pid, err := n.PID("h1")
	if err != nil || pid == 0 {
		n.t.Fatal(pid, err)
	}
	if err := n.Close(); err != nil {
		n.t.Error(err)
	}
	left, err := filepath.Glob("/run/netns/" + n.Plan().Prefix + "*")
	if err != nil || len(left) > 0 {
		n.t.Errorf("namespaces are left: %v, %v", left, err)
	}
	await(n.t, "the started node is gone", func() error {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) && !zombie(pid) {
			return errors.New("it lives")
		}
		return nil
	})
	if _, err := netns.Open(n.Plan().Path()); !errors.Is(err, netns.ErrNone) {
		n.t.Errorf("the run file is left: %v", err)
	}
}

// zombie reports whether a process has ended, and its parent has not asked how.
func zombie(pid int) bool {
	out, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(out), ") Z ")
}

// TestLeftoversAreRemoved kills an owner, and has its network removed.
func TestLeftoversAreRemoved(t *testing.T) {
	requireNamespaces(t)
	dir, path := t.TempDir(), program(t)
	name := strings.TrimSuffix(strings.TrimPrefix(prefixOf(os.Getpid()), "tkv"), "-")
	cmd := exec.Command(path, "netns", "up", "--topo", "single:1", "--dir", dir, "--name", name,
		"--volatile", "--no-prompt")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(dir, netplan.RunFile)
	await(t, "the network is up", func() error {
		n, err := netns.Open(run)
		if err != nil {
			return err
		}
		r, err := n.Run()
		if err == nil && !r.Ready {
			err = errors.New("not ready")
		}
		return err
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if _, err := netns.Open(run); err == nil || !strings.Contains(err.Error(), "netns down --run "+run) {
		t.Errorf("a dead network is opened: %v", err)
	}
	p := planOf(t, "single:1", netplan.Options{Dir: dir, Binary: path})
	if _, err := netns.Up(t.Context(), p); err == nil || !strings.Contains(err.Error(), "left network names") {
		t.Errorf("over a dead network another is built: %v", err)
	}
	if err := netns.Down(run); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob("/run/netns/" + p.Prefix + "*")
	if err != nil || len(left) > 0 {
		t.Errorf("namespaces are left: %v, %v", left, err)
	}
}
