package port

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// clockAlarm is a timerfd: it rings within some ten microseconds, where the timers of an idle Go
// program are rounded to milliseconds. Waiting for it holds no thread.
type clockAlarm struct {
	file  *os.File
	raw   syscall.RawConn
	times [8]byte // how often it rang; for the waiter

	setting sync.Mutex
	when    unix.ItimerSpec
	settime func(fd uintptr) // bound once: a closure would be allocated anew for each call
}

func newAlarm() alarm {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return newTimerAlarm()
	}
	a := &clockAlarm{file: os.NewFile(uintptr(fd), "timerfd")}
	if a.raw, err = a.file.SyscallConn(); err != nil {
		a.close()
		return newTimerAlarm()
	}
	a.settime = func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), 0, &a.when, nil) }
	return a
}

func (a *clockAlarm) set(d time.Duration) {
	a.setting.Lock()
	defer a.setting.Unlock()
	a.when.Value = unix.NsecToTimespec(int64(max(d, 1))) // zero would turn it off
	_ = a.raw.Control(a.settime)                         // fails only after close
}

func (a *clockAlarm) wait() bool {
	_, err := a.file.Read(a.times[:])
	return err == nil
}

func (a *clockAlarm) close() { _ = a.file.Close() }
