package daemon

import (
	"bufio"
	"bytes"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/turbokv/turbokv/bmv2/port"
)

// python returns an interpreter that has p4runtime-shell, the P4 project's own Python client.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import p4runtime_sh.shell").Run() == nil {
			return name
		}
	}
	t.Skip("needs python3 with p4runtime-shell (pip install p4runtime-shell, or PYTHONPATH)")
	return ""
}

// A client that somebody else wrote programs every kind of entity, and hears of frames.
func TestP4RuntimeShell(t *testing.T) {
	interpreter := python(t)
	r := newRig(t, Config{}, 1, 2, 3)
	cmd := exec.Command(interpreter, "testdata/shell.py", r.daemon.Addr().String(),
		"../p4rt/testdata/entities.p4info.txtpb", "../p4rt/testdata/entities.json")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch lines.Text() {
		case "frames":
			for _, f := range []string{"\x01\x00\x07\x00", "\x09\x00\x00\x21", "\x01\x00\x09\x00",
				"\x01\x00\x0a\x00", "\x04\x02\x34\x00"} {
				if _, err := r.cables[1].WriteBatch([][]byte{[]byte(f)}); err != nil {
					t.Fatal(err)
				}
			}
		case "done":
			sameFrames(t, r.cables[2], "\x01\x00\x07\x00", "\x01\x00\x0a\x00", "\x63\x00\x00\x00from the shell")
			sameFrames(t, r.cables[3], "\x01\x00\x0a\x00", "\x04\x02\x34\x00")
			_ = in.Close()
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, problems.String())
	}
}

// sameFrames reads as many frames as are wanted; their order is open.
func sameFrames(t *testing.T, p *port.Mem, want ...string) {
	t.Helper()
	late := time.AfterFunc(patience, func() { _ = p.Close() })
	defer late.Stop()
	var got []string
	for range want {
		bufs := [][]byte{make([]byte, port.MaxFrame)}
		if n, err := p.ReadBatch(bufs); err != nil || n != 1 {
			t.Errorf("%d frames, error %v; got %q so far, want %q", n, err, got, want)
			return
		}
		got = append(got, string(bufs[0]))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
