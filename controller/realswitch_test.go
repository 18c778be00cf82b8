package controller

import (
	"bytes"
	"net"
	"os/exec"
	"testing"

	"github.com/turbokv/turbokv/controller/admin"
)

// startRealSwitch runs simple_switch_grpc without ports and without a program.
func startRealSwitch(t *testing.T) (target string) {
	t.Helper()
	program, err := exec.LookPath("simple_switch_grpc")
	if err != nil {
		t.Skip("simple_switch_grpc is not on PATH")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(program, "--no-p4", "--device-id", "1", "--", "--cpu-port", "510",
		"--grpc-server-addr", target)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("simple_switch_grpc said:\n%s", output.Bytes())
		}
	})
	return target
}

// TestRealSwitchNeedsNothingAfterARestart proves on simple_switch_grpc what matters most there: the
// program is accepted, all entries are, and they read back as they were written, so that a
// restarted controller finds no difference.
func TestRealSwitchNeedsNothingAfterARestart(t *testing.T) {
	b := newBenchAt(t, startRealSwitch(t), 3)
	b.awaitSynced(func(sw admin.Switch) bool { return sw.Entries == entities(3, 1)-2 })
	b.create(300)
	sw := b.awaitSynced(func(admin.Switch) bool { return true })
	if want := uint64(entities(3, 301)); sw.Updates < want || sw.PipelinePushes != 1 {
		t.Fatalf("%+v: want %d updates", sw, want)
	}
	b.restart(3)
	if sw := b.awaitSynced(func(admin.Switch) bool { return true }); sw.Updates != 0 ||
		sw.PipelinePushes != 0 {
		t.Fatalf("after a restart: %+v", sw)
	}
	if err := b.admin.DropKeyspace(b.context(), "users"); err != nil {
		t.Fatal(err)
	}
	b.awaitSynced(func(sw admin.Switch) bool { return sw.Entries == entities(3, 1)-2 })
}

// awaitSynced waits until the switch holds what it should and the condition is met.
func (b *bench) awaitSynced(meets func(admin.Switch) bool) admin.Switch {
	b.t.Helper()
	ctx := b.context()
	for {
		s, err := b.admin.Status(ctx)
		if err == nil && s.Switches[0].Synced && meets(s.Switches[0]) {
			return s.Switches[0]
		}
		if ctx.Err() != nil {
			b.t.Fatalf("%+v, %v", s, err)
		}
	}
}
