// Command tablewrites measures how fast a controller fills, changes and empties tables of the
// built-in switch over P4Runtime, by gRPC on the loopback interface, and what packets that pass
// through the switch meanwhile notice of it.
//
// Switch, controller and traffic are in one process and share its processors. The controller's
// requests are encoded beforehand. Packets cross in-memory cables at a steady rate and meet one table
// of each kind; those of them that nobody writes to are empty. The rows "quiet" are before the writes
// and, with the full table, after the inserts. "processor" is the processor time of the process, all
// of it: for each update, else in processors.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tablewrites:", err)
		os.Exit(1)
	}
}

// plan is what to measure.
type plan struct {
	kinds    []string
	entries  int
	batch    int
	inFlight int
	packets  int
	quiet    time.Duration
	clock    clock
	profile  string
}

func parsePlan(args []string, stderr io.Writer) (p plan, err error) {
	flags := flag.NewFlagSet("tablewrites", flag.ContinueOnError)
	flags.SetOutput(stderr)
	names := flags.String("kinds", strings.Join(kindNames, ","), "kinds of tables")
	flags.IntVar(&p.entries, "entries", 100_000, "entries of a table")
	flags.IntVar(&p.batch, "batch", 1000, "updates of a Write")
	flags.IntVar(&p.inFlight, "in-flight", 2, "Writes at a time")
	flags.IntVar(&p.packets, "packets", 100_000, "packets a second; 0: none")
	flags.DurationVar(&p.quiet, "quiet", time.Second, "how long packets are watched without writes")
	measure := flags.String("clock", string(wallClock), "of the latencies: wall, or processor, which "+
		"stands still while the process has no processor")
	flags.StringVar(&p.profile, "cpuprofile", "", "write a profile of the processor time to this file")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	if p.clock = clock(*measure); p.clock != wallClock && p.clock != processorClock {
		return p, fmt.Errorf("-clock %q: must be wall or processor", p.clock)
	}
	p.kinds = strings.Split(*names, ",")
	if p.entries < 1 || p.entries > 1<<20 || p.batch < 1 || p.inFlight < 1 || p.packets < 0 {
		return p, errors.New("-entries must be 1 to 1048576, -batch and -in-flight at least 1")
	}
	return p, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	p, err := parsePlan(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.profile != "" {
		f, err := os.Create(p.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	out := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "table\tupdates\tupdates/s\tprocessor\tpackets/s\tp50\tp99\tp99.9\tlongest\theap B/entry\t")
	for _, kind := range p.kinds {
		if err := p.measure(ctx, kind, out); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return out.Flush()
}

// rig is a switch with a controller and traffic.
type rig struct {
	daemon  *daemon.Daemon
	control *controller
	traffic *traffic
	ended   chan error
	cancel  func()
}

func (p *plan) newRig(ctx context.Context, config *p4v1.ForwardingPipelineConfig) (*rig, error) {
	const room = 1 << 14 // frames
	inner1, outer1 := port.NewPair(room)
	inner2, outer2 := port.NewPair(room)
	d, err := daemon.New(daemon.Config{Address: "127.0.0.1:0", Pipeline: config,
		Ports: map[uint16]port.Port{1: inner1, 2: inner2}})
	if err != nil {
		return nil, err
	}
	r := &rig{daemon: d, ended: make(chan error, 1)}
	ctx, r.cancel = context.WithCancel(ctx)
	go func() { r.ended <- d.Run(ctx) }()
	r.traffic = startTraffic(outer1, outer2, p.packets, p.clock)
	r.control, err = newController(d.Addr())
	return r, errors.Join(err, ctx.Err())
}

func (r *rig) close() error {
	err := r.control.conn.Close()
	r.cancel()
	err = errors.Join(err, <-r.ended)
	r.traffic.stop()
	return err
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// measure fills, changes and empties one table.
func (p *plan) measure(ctx context.Context, kind string, out io.Writer) (err error) {
	config, err := pipeline()
	if err != nil {
		return err
	}
	w, err := newWriter(config.GetP4Info(), kind, p.entries)
	if err != nil {
		return err
	}
	var all [4][]request
	types := []p4v1.Update_Type{p4v1.Update_INSERT, p4v1.Update_MODIFY, p4v1.Update_DELETE}
	for _, t := range types {
		if all[t], err = w.requests(t, p.batch); err != nil {
			return err
		}
	}
	w = nil
	r, err := p.newRig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	empty := heap()
	row := func(name, updates, memory string, fn func() error) error {
		o, err := r.traffic.observe(fn)
		if err != nil {
			return err
		}
		cost := fmt.Sprintf("%.1f", o.used.Seconds()/o.took.Seconds())
		if updates == "" {
			updates = fmt.Sprintf("%.0f", float64(p.entries)/o.took.Seconds())
			cost = (o.used / time.Duration(p.entries)).Round(100 * time.Nanosecond).String()
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%.0f\t%v\t%v\t%v\t%v\t%s\t\n", kind, name, updates, cost, o.rate(),
			o.quantile(0.5), o.quantile(0.99), o.quantile(0.999), o.quantile(1), memory)
		return nil
	}
	quiet := func(memory string) error {
		return row("quiet", "-", memory, func() error { return pause(ctx, p.quiet) })
	}
	if err := quiet(""); err != nil {
		return err
	}
	for _, t := range types {
		err := row(t.String(), "", "", func() error { return r.control.write(ctx, all[t], p.inFlight) })
		if err == nil && t == p4v1.Update_INSERT {
			err = quiet(fmt.Sprint((int(heap()) - int(empty)) / p.entries))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
