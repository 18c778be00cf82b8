package comparison

import (
	"time"

	"github.com/prometheus/procfs"
)

// UsedBy returns the processor time that processes have used so far, by part; nothing on systems
// without /proc. One that has ended counts nothing.
func UsedBy(pids map[Part][]int) map[Part]time.Duration {
	used := make(map[Part]time.Duration)
	for part, all := range pids {
		for _, pid := range all {
			if t, ok := usedBy(pid); ok {
				used[part] += t
			}
		}
	}
	return used
}

func usedBy(pid int) (time.Duration, bool) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, false
	}
	s, err := p.Stat()
	if err != nil {
		return 0, false
	}
	return time.Duration(s.CPUTime() * float64(time.Second)), true
}
