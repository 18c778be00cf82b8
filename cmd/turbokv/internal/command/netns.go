package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/topology"
)

// layFlags say what network to build; those of `netns up` and `mininet up` are the same.
type layFlags struct {
	topo       string
	kind       string
	dir        string
	shaping    string
	neighbours string
	mtu        int
	expect     int
	store      string
	volatile   bool
}

func (f *layFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.topo, "topo", "single", "single[:NODES], spine-leaf[:SPINESxLEAVES[xNODES]], "+
		"fat-tree:K[xNODES], or the name of a topology `file`; NODES are storage nodes per rack; if a file has no host of role "+
		"node, every host is one")
	flags.StringVar(&f.kind, "switch", string(netplan.Builtin), "builtin, or bmv2 for simple_switch_grpc")
	flags.StringVar(&f.dir, "dir", netplan.DefaultDir,
		"`directory` of run.json, logs, and the data that a later run finds again")
	flags.StringVar(&f.shaping, "shaping", "", "who gives links the delay, bandwidth and loss of the "+
		"topology: tc, switch (the built-in one) or nobody (default: tc if the kernel has netem)")
	flags.StringVar(&f.neighbours, "neighbours", "arp",
		"arp, or static for permanent entries in the ARP tables of hosts")
	flags.IntVar(&f.mtu, "mtu", 0, "of the data network, in `bytes` (default 1500)")
	flags.IntVar(&f.expect, "expect-nodes", 0,
		"place nothing before that many nodes have connected (default: all)")
	flags.StringVar(&f.store, "store", "",
		"etcd://host:port/prefix keeps the controller's directory instead of a file in --dir")
	flags.BoolVar(&f.volatile, "volatile", false,
		"nodes have no data directory: only keyspaces of durability memory")
}

// network reads the topology that the flags name.
func (f layFlags) network() (*topology.Network, error) {
	if strings.ContainsAny(f.topo, "/.") {
		text, err := os.ReadFile(f.topo)
		if err != nil {
			return nil, usagef("--topo: %w", err)
		}
		n, err := topology.Decode(text)
		if err != nil {
			return nil, usagef("--topo %s: %w", f.topo, err)
		}
		everyHostANode(n)
		return n, nil
	}
	s, err := topology.ParseShape(f.topo)
	if err != nil {
		return nil, usagef("--topo: %w", err)
	}
	return s.Network(), nil
}

// everyHostANode gives a network storage nodes whose file has none, as those of the P4 tutorials. A host
// with a storage node can still be a client.
func everyHostANode(n *topology.Network) {
	for _, h := range n.Hosts {
		if h.Role == topology.Node {
			return
		}
	}
	for i := range n.Hosts {
		n.Hosts[i].Role = topology.Node
	}
}

// plan makes the plan, for namespaces whose names begin with the prefix.
func (f layFlags) plan(prefix string) (*netplan.Plan, error) {
	n, err := f.network()
	if err != nil {
		return nil, err
	}
	if f.neighbours != "arp" && f.neighbours != "static" {
		return nil, usagef("--neighbours %q: must be arp or static", f.neighbours)
	}
	o := netplan.Options{
		Prefix: prefix, Switch: netplan.Kind(f.kind), Store: f.store, Expect: f.expect, MTU: f.mtu,
		Shaping: netplan.Shaping(f.shaping), StaticARP: f.neighbours == "static", Volatile: f.volatile,
	}
	if o.Dir, err = filepath.Abs(f.dir); err != nil {
		return nil, err
	}
	if o.Binary, err = os.Executable(); err != nil {
		return nil, err
	}
	if o.Can, err = netns.Try(); err != nil {
		return nil, err
	}
	p, err := netplan.New(n, o)
	if err != nil {
		return nil, usagef("%w", err)
	}
	return p, nil
}

func (a *app) netnsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "netns",
		GroupID: groupCluster,
		Short:   "Run a cluster in network namespaces: real hosts, links and switches on one machine",
		Long: `Run a cluster in network namespaces of Linux, which needs root and the ip command:
every host, every switch and the controller has one of its own, and veth pairs join
them. Hosts are as they are: any program runs in them.`,
		Args: cobra.NoArgs,
	}
	c.AddCommand(a.netnsUpCommand(), a.netnsDownCommand(), a.netnsGuardCommand(), a.netnsOffloadCommand())
	return c
}

// netnsUpFlags are the options of `netns up`.
type netnsUpFlags struct {
	layFlags
	name     string
	noPrompt bool
	http     string
	ready    time.Duration
}

// runName is what a run can be called, as a part of the names of namespaces.
var runName = regexp.MustCompile(`^[a-z0-9]{0,16}$`)

// prefix begins the names of the namespaces of a run.
func (f netnsUpFlags) prefix() (string, error) {
	if !runName.MatchString(f.name) {
		return "", usagef("--name %q: must be at most 16 small letters and digits", f.name)
	}
	return strings.TrimSuffix(netplan.DefaultPrefix, "-") + f.name + "-", nil
}

func (a *app) netnsUpCommand() *cobra.Command {
	var f netnsUpFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Build the network of a topology, start a cluster in it, and run it until ctrl-C",
		Long: `Build the network of a topology, start switches, controller and storage nodes in it,
and run it until ctrl-C or until it is asked to stop. Nothing is left then but --dir.

On a terminal there is a prompt; "turbokv net" does the same from any other shell. With
--topo FILE, the file has the form of topology.json of the P4 tutorials, extended.`,
		Example: `  sudo turbokv netns up
  sudo turbokv netns up --topo spine-leaf:2x3 --switch bmv2
  sudo turbokv netns up --topo fat-tree:4 --dir lab --no-prompt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.netnsUp(cmd.Context(), f) },
	}
	f.add(c)
	flags := c.Flags()
	flags.StringVar(&f.name, "name", "", "`name` of this run, if there are several on one machine; "+
		"namespaces are tkvNAME-h1 and so on")
	flags.BoolVar(&f.noPrompt, "no-prompt", false, "no prompt on a terminal either")
	flags.StringVar(&f.http, "http", "127.0.0.1:0",
		"`address` of the web page; port 0 for a free one; off for none")
	flags.DurationVar(&f.ready, "ready", time.Minute, "how long to wait for all to be up")
	return c
}

func (a *app) netnsUp(ctx context.Context, f netnsUpFlags) (err error) {
	prefix, err := f.prefix()
	if err != nil {
		return err
	}
	plan, err := f.plan(prefix)
	if err != nil {
		return err
	}
	ctx, stop := withHangup(ctx)
	defer stop()
	config := netns.Config{Page: f.http, Ready: f.ready, Events: a.netEvents()}
	if f.http == httpOff {
		config.Page = ""
	}
	fmt.Fprintf(a.Err, "turbokv: %s\n", plan.ShapingNote)
	r, err := config.Up(ctx, plan)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	readyCtx, cancel := context.WithTimeout(ctx, f.ready)
	defer cancel()
	if err := prepare(readyCtx, plan.AdminTarget(), keyspaceOf(f.layFlags)); err != nil {
		return err
	}
	fmt.Fprint(a.Out, "TurboKV is ready. ")
	if err := a.describeNet(plan, r.Page()); err != nil {
		return err
	}
	return a.stay(ctx, r.Net, !f.noPrompt)
}

// keyspaceOf is the durability of the default keyspace.
func keyspaceOf(f layFlags) kv.Durability {
	if f.volatile {
		return kv.DurabilityMemory
	}
	return kv.DurabilitySync
}

// netEvents shows what happens to a network.
func (a *app) netEvents() netns.Events {
	say := func(text string) { fmt.Fprintf(a.Err, "turbokv: %s\n", text) }
	return netns.Events{
		Step: say, Warn: say,
		Ended: func(name string, err error) { say(fmt.Sprintf("%s has ended: %v", name, err)) },
	}
}

func (a *app) netnsDownCommand() *cobra.Command {
	var run string
	var all bool
	c := &cobra.Command{
		Use:   "down",
		Short: "End a network, also one that a crash has left behind",
		Long: `End the network of a run file, and remove what is left of it, also after a crash. With
--all, every namespace on this machine whose name begins with "tkv" goes, with all that
runs in it, whoever has started it.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if !all {
				return netns.Down(cmp.Or(run, os.Getenv(runVariable), defaultRun))
			}
			names, err := netns.DownAll(strings.TrimSuffix(netplan.DefaultPrefix, "-"))
			fmt.Fprintf(a.Out, "%d network namespaces removed\n", len(names))
			return err
		},
	}
	c.Flags().StringVar(&run, "run", "", "`file` of the run (default $"+runVariable+", or "+defaultRun+")")
	c.Flags().BoolVar(&all, "all", false, "the networks of all runs on this machine")
	c.MarkFlagsMutuallyExclusive("run", "all")
	return c
}

func (a *app) netnsGuardCommand() *cobra.Command {
	var run string
	c := &cobra.Command{
		Use:    "guard PROCESS",
		Short:  "Run a process of a network that another program owns (internal)",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return netns.Guard(cmd.Context(), run, args[0], a.Out)
		},
	}
	c.Flags().StringVar(&run, "run", "", "`file` of the run")
	return c
}

func (a *app) netnsOffloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "offload INTERFACE",
		Short:  "Have the kernel finish the checksums of what an interface sends (internal)",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE:   func(_ *cobra.Command, args []string) error { return netns.ChecksumInSoftware(args[0]) },
	}
}
