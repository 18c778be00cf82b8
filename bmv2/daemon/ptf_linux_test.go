package daemon

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ptf returns a command that runs PTF, the P4 project's packet test framework.
func ptf(t *testing.T) []string {
	t.Helper()
	script, err := exec.LookPath("ptf")
	if err != nil {
		t.Skip("needs ptf on PATH (pip install ptf)")
	}
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import ptf.testutils, p4runtime_sh.shell").Run() == nil {
			return []string{name, script}
		}
	}
	t.Skip("needs python3 with ptf, scapy and p4runtime-shell (pip install, or PYTHONPATH)")
	return nil
}

// Tests that are written for any P4Runtime switch with network interfaces.
func TestPTF(t *testing.T) {
	command := ptf(t)
	vethPairs(t)
	address := serveVeth(t)
	cmd := exec.Command(command[0], append(command[1:],
		"--test-dir", "testdata/ptf", "-i", "1@gen0", "-i", "2@gen1",
		"--default-timeout", "20", "--log-file", filepath.Join(t.TempDir(), "ptf.log"),
		"--test-params", strings.Join([]string{"address='" + address + "'",
			"p4info='../p4rt/testdata/basic.p4info.txtpb'", "config='../p4rt/testdata/basic.json'"}, ";"))...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
