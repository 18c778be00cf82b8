package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/comparison"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/workload"
	"github.com/turbokv/turbokv/workload/runner"
)

// compareFlags are the options of a comparison of ways to coordinate.
type compareFlags struct {
	modes      []string
	config     comparison.Config
	durability string
	subRanges  int

	rig       string
	kind      string
	delay     time.Duration
	nodes     int
	nodeCores float64
	base      int

	csv, png, svg string
}

func (a *app) compareCommand() *cobra.Command {
	var f compareFlags
	c := &cobra.Command{
		Use:     "compare",
		GroupID: groupMeasure,
		Short:   "Compare switch-driven with client-, server- and master-driven coordination",
		Long: `Start one rack of real hosts, in network namespaces or, without root, behind UDP tunnels,
in which every part is a process, and measure the ways to coordinate against each other: the same nodes, engine, replication, records, client library
and switch, which only routes where it does not coordinate.

  switch          the client sends to the service address; the switch resolves
  client          the client has the partition map and sends to head or tail by itself
  server          the client sends to any node, which resolves and forwards; the reply goes
                  straight from the tail to the client, which is the best form of this way
  server-through  as server, but the reply goes back through the node that was asked
  master          the client asks a master before each request, then sends by itself

The ways take turns at every point of a grid of zipfian exponents and write ratios, in
several rounds, so that what else goes on hits all alike. With many requests in flight it
shows throughput, with one the latency. Numbers are medians of the rounds with the least
and the greatest behind; ratios are to server-driven of the same round; bars of the
picture hold the middle half of the rounds. At the end every acknowledged write is read
back: the exit code is 0 only then.

All processes share the processors of this machine, so throughput is what the processor
time of an operation allows, all parts together, the software switch included. The last
columns say who uses it. With --node-cores every node, and the master, is a small machine
of its own (by a control group, which takes root), and these are what limits.`,
		Example: `  turbokv compare --csv compare.csv --svg compare.svg
  turbokv compare --theta 0,1.2 --writes 0,100 --rounds 5 --turn 3s
  turbokv compare --delay 1ms --in-flight 1
  turbokv compare --node-cores 0.02 --modes switch,client,server --in-flight 256`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.compare(cmd.Context(), f) },
	}
	f.add(c)
	return c
}

func (f *compareFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringSliceVar(&f.modes, "modes", []string{"switch", "client", "server", "master"},
		"ways to coordinate: "+comparison.ModeNames())
	flags.Float64SliceVar(&f.config.Thetas, "theta", []float64{0, 0.6, 0.9, 0.99, 1.2},
		"exponents of the zipfian distribution; 0 is uniform")
	flags.IntSliceVar(&f.config.Writes, "writes", []int{0, 25, 50, 75, 100}, "shares of writes in percent")
	flags.BoolVar(&f.config.Scans, "scans", true, fmt.Sprintf(
		"also measure scans of up to %d records, at the least and the greatest exponent",
		comparison.ScanLength))
	flags.IntSliceVar(&f.config.Depths, "in-flight", []int{1, 64}, "requests in flight")
	flags.IntVar(&f.config.Batch, "batch", 1,
		"requests that a thread sends together and waits for; packets and wake-ups are shared then")
	flags.IntVar(&f.config.Rounds, "rounds", 3, "rounds")
	flags.DurationVar(&f.config.Turn, "turn", time.Second, "of one way at one point in one round")
	flags.DurationVar(&f.config.WarmUp, "warm-up", time.Second, "of each way before the first round")
	flags.Uint64Var(&f.config.Count, "records", 20_000, "records")
	flags.IntVar(&f.config.Records.KeySize, "key-size", 16, "`bytes` of a key")
	flags.IntVar(&f.config.Records.ValueSize, "value-size", 128, "`bytes` of a value")
	flags.Uint64Var(&f.config.Seed, "seed", 1, "seed of all random choices")
	flags.IntVar(&f.subRanges, "sub-ranges", 64, "of the keyspace")
	flags.StringVar(&f.durability, "durability", "memory", "memory or sync")
	flags.StringVar(&f.rig, "rig", "", "netns: network namespaces and veth links, which take root, or "+
		"tunnels: UDP tunnels on the loopback interface (default: netns with root)")
	flags.StringVar(&f.kind, "switch", string(netplan.Builtin),
		"with --rig netns: builtin, or bmv2 for simple_switch_grpc")
	flags.DurationVar(&f.delay, "delay", 0,
		"with --rig netns: of each link, so that hops count for more than processor time")
	flags.IntVar(&f.nodes, "nodes", 16, "storage nodes, at least 3")
	flags.Float64Var(&f.nodeCores, "node-cores", 0, "processor `cores` of each node and of the master (default: no limit)")
	flags.IntVar(&f.base, "base-port", layout.DefaultBase+3000, "lowest `port` number on 127.0.0.1")
	flags.StringVar(&f.csv, "csv", "", "write all numbers to this `file`")
	flags.StringVar(&f.png, "png", "", "write a picture to this `file`")
	flags.StringVar(&f.svg, "svg", "", "write a picture to this `file`")
}

// The rigs.
const (
	rigNetns   = "netns"
	rigTunnels = "tunnels"
)

func (f *compareFlags) check() (d kv.Durability, err error) {
	if d, err = kv.ParseDurability(f.durability); err != nil {
		return d, usagef("--durability: %w", err)
	}
	if f.config.Modes, err = comparison.ParseModes(f.modes); err != nil {
		return d, usagef("--modes: %w", err)
	}
	if err := f.config.Validate(); err != nil {
		return d, usagef("%w", err)
	}
	if f.rig == "" {
		if f.rig = rigTunnels; netns.NeedRoot() == nil {
			f.rig = rigNetns
		}
	}
	switch {
	case f.rig != rigNetns && f.rig != rigTunnels:
		return d, usagef("--rig %q: must be %s or %s", f.rig, rigNetns, rigTunnels)
	case f.rig == rigTunnels && (f.delay != 0 || f.kind != string(netplan.Builtin)):
		return d, usagef("--delay and --switch need --rig %s", rigNetns)
	case f.delay < 0:
		return d, usagef("--delay %v: must not be negative", f.delay)
	case f.nodes < 3 || f.nodes > cluster.MaxNodes:
		return d, usagef("--nodes %d: must be 3, one for each replica, to %d", f.nodes, cluster.MaxNodes)
	case f.nodeCores < 0:
		return d, usagef("--node-cores %v: must not be negative", f.nodeCores)
	}
	return d, nil
}

func (a *app) compare(ctx context.Context, f compareFlags) (err error) {
	d, err := f.check()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "turbokv-compare-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	a.timeout = faultTimeout
	rig, err := a.openRig(ctx, f, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rig.close()) }()
	out, err := a.measureModes(ctx, rig, f, d)
	if err != nil {
		return err
	}
	return errors.Join(f.save(out.Report), a.print(out, out.table), out.err())
}

func (a *app) openRig(ctx context.Context, f compareFlags, dir string) (compareRig, error) {
	if f.rig == rigNetns {
		return a.openNamespaces(ctx, f, dir)
	}
	return a.openTunnels(ctx, f, dir)
}

// compareRig is a rig that is closed at the end.
type compareRig interface {
	comparison.Rig
	// describe says in a line what the network is made of.
	describe() string
	// limit gives each node and the master so many cores.
	limit(cores float64) error
	close() error
}

// measureModes loads, measures and verifies.
func (a *app) measureModes(
	ctx context.Context, rig compareRig, f compareFlags, d kv.Durability,
) (out compareOutput, err error) {
	spec := comparison.Keyspace(f.subRanges, d)
	if err := rig.CreateKeyspace(ctx, spec); err != nil {
		return out, err
	}
	bench, err := comparison.Open(ctx, rig, spec.Name, f.config)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, bench.Close()) }()
	fmt.Fprintf(a.Err, "turbokv: %s; some %v of turns\n", rig.describe(),
		f.config.Duration().Round(time.Second))
	if err := bench.Load(ctx); err != nil {
		return out, err
	}
	if f.nodeCores > 0 {
		if err := rig.limit(f.nodeCores); err != nil {
			return out, err
		}
	}
	out.Rig, out.Processors = rig.describe(), runtime.NumCPU()
	out.Records, out.Count = f.config.Records, f.config.Count
	out.Report, err = bench.Run(ctx, func(text string) { fmt.Fprintf(a.Err, "turbokv: %s\n", text) })
	if err != nil {
		return out, err
	}
	out.Verification, err = bench.Verify(ctx, f.config.Modes[0])
	return out, err
}

// save writes the files that were asked for.
func (f compareFlags) save(r *comparison.Report) error {
	return errors.Join(
		writeFile(f.csv, r.WriteCSV), writeFile(f.png, r.WritePNG), writeFile(f.svg, r.WriteSVG))
}

// writeFile makes a file, unless it has no name.
func writeFile(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// compareOutput is what the command compare prints.
type compareOutput struct {
	Rig          string              `json:"rig"`
	Processors   int                 `json:"processors"`
	Count        uint64              `json:"records"`
	Records      workload.Records    `json:"record"`
	Report       *comparison.Report  `json:"report"`
	Verification runner.Verification `json:"verification"`
}

func (o compareOutput) table(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s; %d processors; %d records of %d+%d bytes\n\n", o.Rig, o.Processors,
		o.Count, o.Records.KeySize, o.Records.ValueSize); err != nil {
		return err
	}
	if err := o.Report.WriteTable(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := o.Report.WriteSummary(w); err != nil {
		return err
	}
	v := o.Verification
	_, err := fmt.Fprintf(w, "\n%d operations failed; %d records read back: %d violations, %d unread\n",
		o.Report.Failures(), v.Checked, v.Violations, v.Unread)
	return err
}

// err is the verdict.
func (o compareOutput) err() error {
	err := o.Verification.Err()
	if n := o.Report.Failures(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d operations failed", n))
	}
	return err
}
