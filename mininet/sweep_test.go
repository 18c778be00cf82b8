package mininet

import (
	"os"
	"os/exec"
	"reflect"
	"testing"
)

func TestSweepTakesWhatIsOfTheRun(t *testing.T) {
	const shell, daemon, runner, self = "net:[1]", "net:[2]", "net:[9]", 50
	all := []process{
		{pid: 1, space: runner},
		{pid: 40, parent: 1, space: runner, ours: true},                 // the program, or a command of its prompt
		{pid: 41, parent: 40, space: shell, ours: true, placed: true},   // a host
		{pid: 42, parent: 41, space: shell, ours: true, placed: true},   // what runs in it
		{pid: 43, parent: 1, space: shell},                              // what another terminal has started there
		{pid: 44, parent: 1, space: daemon, ours: true},                 // a process that was mended
		{pid: 45, parent: 1, space: daemon},                             // whose namespace nothing tells of
		{pid: 46, parent: 1, space: "net:[3]", placed: true},            // of another run
		{pid: 47, parent: 1, space: runner, ours: true, placed: true},   // one that went back to our namespace
		{pid: 48, parent: 1, space: runner},                             // somebody else's
		{pid: 49, parent: 1, space: runner, ours: true},                 // a prompt that runs us
		{pid: self, parent: 49, space: runner, ours: true},              // this process
		{pid: 51, parent: self, space: shell, ours: true, placed: true}, // what we have started
	}
	want := []int{40, 41, 42, 43, 44, 47, 51}
	if got := choose(all, self); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestParentOfReadsAnyName(t *testing.T) {
	for stat, want := range map[string]int{
		"7 (sh) S 3 7 7 0": 3, "8 (a) R 1 (b)) Z 4 8 8": 4,
	} {
		if got, err := parentOf(stat); err != nil || got != want {
			t.Errorf("%q: %d, %v", stat, got, err)
		}
	}
	for _, stat := range []string{"", "7 (sh)", "7 (sh) S", "7 (sh) S x"} {
		if got, err := parentOf(stat); err == nil {
			t.Errorf("%q: %d", stat, got)
		}
	}
}

// TestSweepEndsProcesses starts one by mark, and one that is known by its command line.
func TestSweepEndsProcesses(t *testing.T) {
	dir := t.TempDir()
	marked, known, other := sleeper(t, Environ(dir)), sleeper(t), sleeper(t)
	left := Leftovers{Dir: dir, Started: map[int][]string{
		known.Process.Pid: known.Args,
		other.Process.Pid: {"a", "process", "that", "had", "this", "number"},
	}}
	if n, err := Sweep(left); n != 2 || err != nil {
		t.Errorf("%d processes, %v", n, err)
	}
	for _, cmd := range []*exec.Cmd{marked, known} {
		if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Errorf("%v: %v", cmd, err)
		}
	}
	if err := other.Process.Signal(os.Interrupt); err != nil {
		t.Errorf("a stranger: %v", err)
	}
}

func sleeper(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Skipf("needs the program sleep: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}
