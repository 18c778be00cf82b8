package storagenode

import (
	"syscall"
	"time"
)

// usage measures what the process uses of the machine between two reports. The zero value begins to
// measure with its first answer.
type usage struct {
	at  time.Time
	cpu time.Duration
}

// cores returns the processor cores that the process has used since the last call, on average; 0 at
// the first. A node that shares its process with others tells what all of them use.
func (u *usage) cores() float64 {
	now, cpu := time.Now(), processTime()
	since, used := now.Sub(u.at), cpu-u.cpu
	first := u.at.IsZero()
	u.at, u.cpu = now, cpu
	if first || since <= 0 {
		return 0
	}
	return used.Seconds() / since.Seconds()
}

// processTime returns the processor time of the process since its start, 0 if nobody can tell.
func processTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
