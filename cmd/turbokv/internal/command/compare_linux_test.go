package command

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
)

// TestCompareInNamespaces runs a small comparison over real hosts.
func TestCompareInNamespaces(t *testing.T) {
	if _, err := netns.Try(); err != nil {
		t.Skip(err)
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command to build the program")
	}
	// The processes in the namespaces are the program's, and cannot be this test's.
	program := filepath.Join(t.TempDir(), "turbokv")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../../turbokv")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), program, "compare", "--rig", "netns", "--nodes", "3",
		"--theta", "0", "--writes", "0,100", "--modes", "switch,client,server,server-through,master",
		"--in-flight", "8", "--rounds", "1", "--turn", "20ms", "--warm-up", "20ms", "--records", "200",
		"--sub-ranges", "8", "--delay", "100us").CombinedOutput()
	if err != nil {
		t.Fatalf("compare: %v\n%s", err, out)
	}
	for _, want := range []string{"100µs each way", "uniform, 100 % writes",
		"0 operations failed; 200 records read back: 0 violations, 0 unread"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output has no %q:\n%s", want, out)
		}
	}
}
