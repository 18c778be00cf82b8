package cpulimit

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be started again as a process that only uses processor time.
func TestMain(m *testing.M) {
	if os.Getenv("CPULIMIT_SPIN") != "" {
		for {
		}
	}
	os.Exit(m.Run())
}

// TestALimitHolds compares the processor time of a busy process with the time that passed.
func TestALimitHolds(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CPULIMIT_SPIN=1", "GOMAXPROCS=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const cores = 0.2
	release, err := Limit(cmd.Process.Pid, cores)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if errors.Is(err, ErrUnavailable) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	began := time.Now()
	<-time.After(time.Second) // to be compared with the clock below, whatever it was
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	passed := time.Since(began)
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if share := used.Seconds() / passed.Seconds(); share > cores+0.15 {
		t.Errorf("used %.2f cores with a limit of %.2f", share, cores)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}
