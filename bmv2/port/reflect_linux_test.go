package port

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reflector receives frames by one port and sends them by another:
//
//	generator -- g?a | s?a -- reflector -- s?b | g?b -- dropped by the kernel
type reflector struct {
	name      string
	generator Port
	passed    atomic.Int64
	progress  chan struct{}
	rates     []float64 // frames a second, with many under way
	times     []float64 // microseconds for a frame, with one under way
	costs     []float64 // microseconds of processor time for a frame
}

func newReflector(b *testing.B, k kind) *reflector {
	name := func(role string) string { return role + k.name }
	for _, pair := range []string{"a", "b"} {
		command(b, "link add %s type veth peer name %s", name("g"+pair), name("s"+pair))
		for _, end := range []string{"g", "s"} {
			command(b, "link set %s up", name(end+pair))
		}
	}
	r := &reflector{name: k.name, progress: make(chan struct{}, 1)}
	open := func(k kind, name string) Port {
		awaitRunning(b, name)
		p, err := k.open(name)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { p.Close() })
		return p
	}
	from, to := open(k, name("sa")), open(k, name("sb"))
	awaitRunning(b, name("gb"))
	if generator, err := OpenXDP(name("ga")); err == nil { // which costs least
		r.generator = generator
		b.Cleanup(func() { generator.Close() })
	} else {
		r.generator = open(kinds[0], name("ga"))
	}
	go r.reflect(from, to)
	return r
}

func (r *reflector) reflect(from, to Port) {
	for bufs := buffers(maxBatch); ; {
		n, err := from.ReadBatch(bufs)
		if err != nil {
			return
		}
		n, _ = to.WriteBatch(bufs[:n])
		r.passed.Add(int64(n))
		select {
		case r.progress <- struct{}{}:
		default:
		}
	}
}

// run keeps frames under way for a while, and returns how many passed in a second.
func (r *reflector) run(span time.Duration, frames [][]byte) float64 {
	window := int64(len(frames))
	first, begin := r.passed.Load(), time.Now()
	gone := first // frames that have passed or are given up, and those under way
	for time.Since(begin) < span {
		if room := min(window, window-gone+r.passed.Load()); room >= min(32, window) {
			n, _ := r.generator.WriteBatch(frames[:room])
			gone += int64(n)
		}
		if !r.wait() {
			gone = r.passed.Load()
		}
	}
	rate := float64(r.passed.Load()-first) / time.Since(begin).Seconds()
	for r.passed.Load() < gone && r.wait() { // what is late must not count for the next
	}
	return rate
}

// wait reports whether a frame has passed, or gives up.
func (r *reflector) wait() bool {
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-r.progress:
		return true
	case <-timer.C:
		return false
	}
}

// BenchmarkReflect compares the ways to move frames. They take turns of a tenth of a second, so that
// what else the machine does meets all of them; compare figures of one run only. The generator takes
// its part of the processors.
//
// The processor time for a frame is that of this process, generator included, and of the kernel's
// threads that finish what interrupts leave over. It says more than frames per second on a machine
// that does other things at the same time.
func BenchmarkReflect(b *testing.B) {
	for _, size := range []int{64, 200, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			inNamespace(b)
			daemons := softirqThreads(b)
			var all []*reflector
			for _, k := range kinds {
				all = append(all, newReflector(b, k))
			}
			frames := make([][]byte, 256)
			for i := range frames {
				frames[i] = testFrame("\x88\xb5", size)
			}
			for b.Loop() {
				for _, r := range all {
					before, passed := processorTime(b, daemons), r.passed.Load()
					r.rates = append(r.rates, r.run(100*time.Millisecond, frames)/1000)
					spent := processorTime(b, daemons) - before
					r.costs = append(r.costs, spent.Seconds()*1e6/float64(r.passed.Load()-passed))
					r.times = append(r.times, 1e6/r.run(20*time.Millisecond, frames[:1]))
				}
			}
			for _, r := range all {
				slices.Sort(r.rates)
				slices.Sort(r.times)
				slices.Sort(r.costs)
				b.ReportMetric(r.costs[len(r.costs)/2], r.name+"-cpu-us")
				b.ReportMetric(r.rates[len(r.rates)/2], r.name+"-kframes/s")
				b.ReportMetric(r.rates[len(r.rates)-1], r.name+"-best-kframes/s")
				b.ReportMetric(r.times[len(r.times)/2], r.name+"-us")
			}
		})
	}
}

// softirqThreads returns the files that tell the processor time of the kernel's threads.
func softirqThreads(b *testing.B) (files []string) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		comm, _ := os.ReadFile(name) // the process may have ended
		if strings.HasPrefix(string(comm), "ksoftirqd/") {
			files = append(files, filepath.Join(filepath.Dir(name), "schedstat"))
		}
	}
	return files
}

func processorTime(b *testing.B, threads []string) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now); err != nil {
		b.Fatal(err)
	}
	sum := time.Duration(now.Nano())
	for _, file := range threads {
		text, _ := os.ReadFile(file) // without it, the sum is that of the process
		if fields := strings.Fields(string(text)); len(fields) > 0 {
			spent, _ := strconv.ParseInt(fields[0], 10, 64)
			sum += time.Duration(spent)
		}
	}
	return sum
}
