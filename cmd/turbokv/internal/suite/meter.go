package suite

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Silent is a Meter that shows nothing.
type Silent struct{}

// Begin implements Meter.
func (Silent) Begin(string, uint64, time.Duration) {}

// Update implements Meter.
func (Silent) Update(uint64, time.Duration) {}

// End implements Meter.
func (Silent) End() {}

// Lines is a Meter for output that is no terminal: one line a phase.
type Lines struct{ Out io.Writer }

// Begin implements Meter.
func (l Lines) Begin(phase string, _ uint64, _ time.Duration) {
	fmt.Fprintf(l.Out, "%s ...\n", phase)
}

// Update implements Meter.
func (Lines) Update(uint64, time.Duration) {}

// End implements Meter.
func (Lines) End() {}

// Bar is a Meter for terminals: a progress bar a phase, with the operations a second.
type Bar struct {
	Out   io.Writer
	phase string
	timed bool
	bar   *progressbar.ProgressBar
}

// descriptionWidth keeps the bars of all phases in line.
const descriptionWidth = 28

// Begin implements Meter.
func (b *Bar) Begin(phase string, total uint64, duration time.Duration) {
	b.phase = phase
	goal := int64(total)
	if b.timed = total == 0; b.timed {
		goal = duration.Milliseconds()
	}
	if goal == 0 {
		goal = -1 // a spinner
	}
	b.bar = progressbar.NewOptions64(goal,
		progressbar.OptionSetWriter(b.Out), progressbar.OptionSetWidth(40),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetDescription(b.describe(0, 0)))
}

func (b *Bar) describe(done uint64, elapsed time.Duration) string {
	rate := 0.0
	if elapsed > 0 {
		rate = float64(done) / elapsed.Seconds()
	}
	return fmt.Sprintf("%-*s", descriptionWidth, fmt.Sprintf("%-12s %8.0f ops/s", b.phase, rate))
}

// Update implements Meter. A terminal that cannot be written to is no reason to stop a benchmark.
func (b *Bar) Update(done uint64, elapsed time.Duration) {
	b.bar.Describe(b.describe(done, elapsed))
	at := int64(done)
	if b.timed {
		at = elapsed.Milliseconds()
	}
	if most := b.bar.GetMax64(); most > 0 {
		at = min(at, most)
	}
	_ = b.bar.Set64(at)
}

// End implements Meter.
func (b *Bar) End() {
	_ = b.bar.Exit()
	fmt.Fprintln(b.Out)
}
