package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/turbokv/turbokv/bmv2/trace"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/hops"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/topology"
)

// traceFlags say which packets to follow, and where.
type traceFlags struct {
	switches []string
	run      string
	topology string
	key      string
	hex      bool
	keyspace string
	admin    adminFlags
	client   string
	op       string
	where    []string
	steps    bool
	count    int
}

func (a *app) traceCommand() *cobra.Command {
	var f traceFlags
	c := &cobra.Command{
		Use:     "trace",
		GroupID: groupCluster,
		Short:   "Follow packets through the tables of built-in switches",
		Long: `Print what packets meet in built-in switches that run with --trace: one line for each
packet at each switch, in the order of time, with the entries that decided about it and
where it went. Without flags, every packet of the store is shown.

--key finds requests for a key and their answers (not scans, and not the updates between
nodes, which travel in batches: --op CHAIN_UPDATE shows those). --where takes any filter of
the switch, such as ipv4.dst_addr=10.0.1.2, port=3 or limit=10, and then finds packets that
are not the store's too. With --verbose all tables and conditions are told, with --steps all that
the packet met, in the words of the P4 program, whichever that is; with -o json the packets
and their headers as well. It ends with ctrl-C, or after -n packets.`,
		Example: `  turbokv trace --switch s1=127.0.0.1:21595 --key user:42
  turbokv trace --run turbokv-net/run.json --op put -n 20
  turbokv trace --switch s1=127.0.0.1:21595 --where ipv4.src_addr=10.0.1.0/24 --steps`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.trace(c, f) },
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.switches, "switch", nil, "`NAME=ADDRESS` of a switch and its --trace; repeated")
	flags.StringVar(&f.run, "run", "", "run `file` of a network, which names its switches (needs root)")
	flags.StringVar(&f.topology, "topology", "", "topology `file` that names what hangs on the ports")
	flags.StringVar(&f.key, "key", "", "follow requests for this `key`, and their answers")
	flags.BoolVar(&f.hex, "hex", false, "the key is given in hexadecimal")
	flags.StringVarP(&f.keyspace, "keyspace", "k", defaultKeyspace, "`name` of the keyspace of --key")
	flags.StringVar(&f.client, "client", "", "follow requests of the client session with this `id`")
	flags.StringVar(&f.op, "op", "", "follow this `operation`, such as get, scan or put")
	flags.StringArrayVar(&f.where, "where", nil, "`FILTER` of the switch, as FIELD=VALUE; repeated")
	flags.BoolVar(&f.steps, "steps", false, "tell all that packets meet, for any P4 program")
	flags.IntVarP(&f.count, "count", "n", 0, "end after so many packets (0: never)")
	f.admin.add(c)
	return c
}

func (a *app) trace(c *cobra.Command, f traceFlags) error {
	ctx := c.Context()
	if f.run != "" {
		return a.traceRun(ctx, f, c.Flags())
	}
	if f.count < 0 {
		return usagef("-n %d: must not be negative", f.count)
	}
	sources, err := parseSources(f.switches)
	if err != nil {
		return err
	}
	query, err := a.traceQuery(ctx, f)
	if err != nil {
		return err
	}
	teller := &hops.Teller{All: a.verbose}
	if teller.Neighbour, err = neighbours(f.topology); err != nil {
		return err
	}
	m := &traceMerger{sources: sources, query: query, patience: a.timeout, count: f.count,
		warn: func(text string) { fmt.Fprintf(a.Err, "turbokv: %s\n", text) }}
	return m.run(ctx, func(source string, line trace.Line) error {
		if f.steps && a.output == outputTable {
			_, err := fmt.Fprintf(a.Out, "%s: %s", source, trace.Text(line))
			return err
		}
		hop := teller.Tell(source, line)
		return a.printLine(traceOutput{hop, line}, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, hop)
			return err
		})
	})
}

// traceOutput is the JSON form of a packet at a switch.
type traceOutput struct {
	hops.Hop
	Trace trace.Line `json:"trace"`
}

// traceSource is a switch that serves traces.
type traceSource struct{ name, address string }

func parseSources(texts []string) (out []traceSource, err error) {
	if len(texts) == 0 {
		return nil, usagef("which switches? --switch NAME=ADDRESS, as turbokv switch --trace ADDRESS serves " +
			"them, or --run FILE of a network")
	}
	for _, text := range texts {
		name, address, ok := strings.Cut(text, "=")
		if !ok || name == "" || address == "" {
			return nil, usagef("--switch %q: must be NAME=ADDRESS, as s1=127.0.0.1:21595", text)
		}
		if slices.ContainsFunc(out, func(s traceSource) bool { return s.name == name }) {
			return nil, usagef("--switch %q: there is another %s", text, name)
		}
		out = append(out, traceSource{name, address})
	}
	return out, nil
}

// traceQuery is what the switches are asked for.
func (a *app) traceQuery(ctx context.Context, f traceFlags) (url.Values, error) {
	var s hops.Search
	var err error
	if f.op != "" {
		if s.Op, err = hops.ParseOp(f.op); err != nil {
			return nil, usagef("--op: %w", err)
		}
	}
	if f.client != "" {
		id, err := strconv.ParseUint(f.client, 0, 64)
		if err != nil || id == 0 {
			return nil, usagef("--client %q: must be a number of up to 64 bits, not 0", f.client)
		}
		s.Client = kv.ClientID(id)
	}
	if f.key != "" {
		if err := a.searchKey(ctx, f, &s); err != nil {
			return nil, err
		}
	}
	query, err := filterQuery("--where", f.where)
	if err != nil {
		return nil, err
	}
	if len(f.where) == 0 && !f.steps || s != (hops.Search{}) {
		for name, values := range s.Query() {
			query[name] = append(values, query[name]...)
		}
	}
	if _, _, err := trace.ParseQuery(query); err != nil {
		return nil, usagef("--where: %w", err)
	}
	return query, nil
}

// filterQuery reads filters of a switch from a flag.
func filterQuery(flag string, texts []string) (url.Values, error) {
	query := url.Values{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, usagef("%s %q: must be FIELD=VALUE", flag, text)
		}
		query.Add(name, value)
	}
	return query, nil
}

// searchKey finds the index key, for which the partitioner of the keyspace must be known.
func (a *app) searchKey(ctx context.Context, f traceFlags, s *hops.Search) error {
	key, err := (clientFlags{hex: f.hex}).key(f.key)
	if err != nil {
		return err
	}
	desc := kv.SystemDescriptor
	if f.keyspace != desc.Name {
		if desc, err = a.descriptor(ctx, f.admin, f.keyspace); err != nil {
			return err
		}
	}
	index := desc.Partitioner.IndexKey(key)
	s.Keyspace, s.IndexKey = &desc.ID, &index
	return nil
}

// descriptor asks the controller for a keyspace.
func (a *app) descriptor(ctx context.Context, f adminFlags, name string) (d kv.Descriptor, err error) {
	err = a.withAdmin(ctx, f, func(ctx context.Context, c *admin.Client) error {
		all, err := c.ListKeyspaces(ctx)
		if err != nil {
			return err
		}
		var names []string
		for _, k := range all {
			if k.Name == name {
				d = k.Descriptor
				return nil
			}
			names = append(names, k.Name)
		}
		return usagef("--keyspace %q: there are %s", name, strings.Join(names, ", "))
	})
	return d, err
}

// neighbours reads what hangs on the ports of switches.
func neighbours(file string) (func(string, uint16) string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	network, err := topology.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	type end struct {
		name string
		port uint16
	}
	names := map[end]string{}
	for _, s := range network.Switches {
		for _, x := range network.Neighbours(s.Name) {
			names[end{s.Name, uint16(x.Port)}] = x.End.Name
		}
	}
	return func(sw string, port uint16) string { return names[end{sw, port}] }, nil
}

// errNoTracer says that there is nothing to follow packets with.
var errNoTracer = errors.New("no switch of this network serves traces: only the built-in switch does")

// traceRun runs the command in the management network of a run, where the switches serve.
func (a *app) traceRun(ctx context.Context, f traceFlags, flags *pflag.FlagSet) error {
	if len(f.switches) > 0 {
		return usagef("--run names the switches: --switch must not be given too")
	}
	n, err := a.openNet(f.run)
	if err != nil {
		return err
	}
	args := []string{"turbokv", "trace", "--topology", n.Plan().TopologyFile()}
	for _, p := range n.Plan().Processes {
		if p.Role == netplan.SwitchRole && p.Trace.IsValid() {
			args = append(args, "--switch", p.Name+"="+p.Trace.String())
		}
	}
	if !slices.Contains(args, "--switch") {
		return errNoTracer
	}
	flags.Visit(func(x *pflag.Flag) {
		if x.Name == "run" || x.Name == "topology" {
			return
		}
		if list, ok := x.Value.(pflag.SliceValue); ok {
			for _, v := range list.GetSlice() {
				args = append(args, "--"+x.Name+"="+v)
			}
			return
		}
		args = append(args, "--"+x.Name+"="+x.Value.String())
	})
	return a.inPlace(ctx, n, netplan.Ctl, args...)
}
