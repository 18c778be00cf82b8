package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/controller/admin"
)

// watchFlags say whether and how often to look again.
type watchFlags struct {
	on       bool
	interval time.Duration
}

func (f *watchFlags) add(c *cobra.Command) {
	c.Flags().BoolVarP(&f.on, "watch", "w", false, "show it again and again until ctrl-C")
	c.Flags().DurationVar(&f.interval, "interval", time.Second, "with --watch: between two looks")
}

// watchStatus shows the status until ctx ends. A controller that is away for a while, as during a
// change of leaders, is shown too.
func (a *app) watchStatus(ctx context.Context, flags adminFlags, f watchFlags) error {
	if f.interval <= 0 {
		return usagef("--interval %v: must be above 0", f.interval)
	}
	client, address, err := a.openAdmin(flags)
	if err != nil {
		return err
	}
	defer client.Close()
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	defer a.leaveScreen()
	for first := true; ; first = false {
		s, err := a.status(ctx, client)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && first:
			return atController(address, err)
		case err != nil:
			err = a.redraw(func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: controller at %s: %v\n", time.Now().Format(time.DateTime),
					address, err)
				return err
			})
		default:
			err = a.showStatus(statusOutputOf(s))
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// status asks once, within the timeout.
func (a *app) status(ctx context.Context, client *admin.Client) (admin.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return client.Status(ctx)
}

// showStatus shows one status of many.
func (a *app) showStatus(s statusOutput) error {
	if a.output == outputJSON {
		return a.printLine(s, nil)
	}
	return a.redraw(s.table)
}

// leaveScreen puts the cursor below what redraw has drawn.
func (a *app) leaveScreen() {
	if _, _, terminal := a.terminal(); terminal && a.output != outputJSON {
		fmt.Fprintln(a.Out)
	}
}

// redraw prints a block in place of the last one on a terminal, and below it elsewhere.
func (a *app) redraw(block func(io.Writer) error) error {
	var text bytes.Buffer
	if err := block(&text); err != nil {
		return err
	}
	columns, rows, terminal := a.terminal()
	if !terminal || a.output == outputJSON {
		text.WriteByte('\n')
		to := a.Out
		if a.output == outputJSON {
			to = a.Err
		}
		_, err := to.Write(text.Bytes())
		return err
	}
	// Going home and clearing what is left of every line does not flicker as clearing all would.
	var screen bytes.Buffer
	screen.WriteString("\x1b[H")
	// The last column stays free: clearing from there would take the last character away.
	for i, line := range fit(text.String(), columns-1, rows) {
		if i > 0 {
			screen.WriteString("\r\n")
		}
		screen.WriteString(line + "\x1b[K")
	}
	screen.WriteString("\x1b[J")
	_, err := a.Out.Write(screen.Bytes())
	return err
}
