package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// runVariable is the environment variable that names a run file.
const runVariable = "TURBOKV_RUN"

// defaultRun is the run file if nothing else is said.
var defaultRun = filepath.Join(netplan.DefaultDir, netplan.RunFile)

func (a *app) netCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "net",
		GroupID: groupCluster,
		Short:   "Use, look at, break and mend a network of netns or Mininet",
		Long: `Use, look at, break and mend the network that "turbokv netns up" or "turbokv mininet
up" runs, from any shell. HOST, SWITCH and so on are names of the topology; "show" lists
them. It needs root, because it enters network namespaces.`,
		Example: `  turbokv net kv put h4 greeting hello
  turbokv net fail link s1 s4
  turbokv net fail rack s2
  turbokv net mend rack s2
  turbokv net exec h1 tcpdump -c 5 -i eth0 udp`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q: there are %s", args[0], strings.Join(verbs(c), ", "))
			}
			return c.Help()
		},
	}
	var run string
	c.PersistentFlags().StringVar(&run, "run", "",
		"`file` of the run (default $"+runVariable+", or "+defaultRun+")")
	c.AddCommand(
		a.netKVCommand(), a.netLoadCommand(), a.netExecCommand(), a.netPingCommand(), a.netIperfCommand(),
		a.netShowCommand(&run), a.netStatusCommand(), a.netLogCommand(&run),
		a.netTraceCommand(), a.netBreakCommand(&run, "fail"), a.netBreakCommand(&run, "mend"),
	)
	for _, name := range operatorCommands {
		c.AddCommand(a.netOperatorCommand(name))
	}
	return c
}

// verbs are the names of the commands below one.
func verbs(c *cobra.Command) (names []string) {
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return names
}

// operatorCommands are those that work on the cluster as a whole.
var operatorCommands = []string{
	"nodes", "index", "keyspace", "plans", "events", "move", "split", "merge", "rebalance", "drain", "admit", "forget",
}

// openNet finds the network of a run file, or the usual one.
func (a *app) openNet(run string) (*netns.Net, error) {
	if err := errors.Join(netns.NeedRoot(), netns.Need("ip")); err != nil {
		return nil, err
	}
	return netns.Open(cmp.Or(run, os.Getenv(runVariable), defaultRun))
}

// rawCommand is a command that hands its arguments on to another program, with all their flags. Only
// --run is its own, in front of them.
func (a *app) rawCommand(
	use, short, long string, f func(ctx context.Context, n *netns.Net, args []string) error,
) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			run, args, err := takeRun(args)
			if err != nil {
				return err
			}
			if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
				return c.Help()
			}
			n, err := a.openNet(run)
			if err != nil {
				return err
			}
			err = f(c.Context(), n, args)
			if errors.Is(err, errUsage) {
				err = fmt.Errorf("%w; usage: turbokv net %s", err, c.Use)
			}
			return err
		},
	}
}

// takeRun takes --run off the front of arguments.
func takeRun(args []string) (run string, rest []string, err error) {
	if len(args) == 0 {
		return "", nil, nil
	}
	if value, ok := strings.CutPrefix(args[0], "--run="); ok {
		return value, args[1:], nil
	}
	if args[0] != "--run" {
		return "", args, nil
	}
	if len(args) < 2 {
		return "", nil, usagef("--run: needs the name of a file")
	}
	return args[1], args[2:], nil
}

// passed is the exit code of a program that has told itself what was wrong.
type passed struct{ code int }

func (p *passed) Error() string { return fmt.Sprintf("exit status %d", p.code) }

// inPlace runs a program in a place, with our streams.
func (a *app) inPlace(ctx context.Context, n *netns.Net, place string, args ...string) error {
	cmd, err := n.Command(ctx, place, args...)
	if err != nil {
		return asUsage(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.In, a.Out, a.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return &passed{max(exit.ExitCode(), exitFailure)}
	}
	return err
}

// asUsage makes a wrong name an error of arguments.
func asUsage(err error) error {
	if errors.Is(err, netns.ErrUnknown) {
		return &usageError{err}
	}
	return err
}

// host checks that a name is a host's: switches have no address in the data network.
func host(n *netns.Net, name string) error {
	if hosts := n.Plan().Hosts(); !slices.Contains(hosts, name) {
		return usagef("host %q: hosts are %s", name, strings.Join(hosts, ", "))
	}
	return nil
}

// kvVerbs are the client commands of kv.
var kvVerbs = []string{"get", "put", "del", "cas", "incr", "scan", "load"}

func (a *app) netKVCommand() *cobra.Command {
	verbs := strings.Join(kvVerbs, "|")
	return a.rawCommand("kv "+verbs+" HOST ARGS...", "Use the store from a host",
		`Run a client command, such as put, in a host, with all its arguments and flags:

  kv put h4 greeting hello -k KEYSPACE      is what "turbokv put greeting hello -k
                                            KEYSPACE" does when it runs in h4`,
		func(ctx context.Context, n *netns.Net, args []string) error {
			if len(args) < 2 || !slices.Contains(kvVerbs, args[0]) {
				return usagef("a verb, %s, and a host are needed", strings.Join(kvVerbs, ", "))
			}
			if err := host(n, args[1]); err != nil {
				return err
			}
			return a.inPlace(ctx, n, args[1], append([]string{"turbokv", args[0]}, args[2:]...)...)
		})
}

func (a *app) netLoadCommand() *cobra.Command {
	return a.rawCommand("load HOST [FLAGS]", "Put load on the store from a host: turbokv bench",
		`Run "turbokv bench" in a host, with all its flags; without any, YCSB A for ten seconds.

  load h4 -w B --threads 32 --duration 30s`,
		func(ctx context.Context, n *netns.Net, args []string) error {
			if len(args) < 1 {
				return usagef("a host is needed")
			}
			if err := host(n, args[0]); err != nil {
				return err
			}
			return a.inPlace(ctx, n, args[0], append([]string{"turbokv", "bench"}, args[1:]...)...)
		})
}

func (a *app) netExecCommand() *cobra.Command {
	return a.rawCommand("exec PLACE COMMAND...", "Run any program in a host, a switch, or ctl",
		`Run any program in the network namespace of a host, of a switch, or of the controller,
whose name is ctl. The program "turbokv" is the one that the network runs, and finds the
cluster.

  exec h1 bash
  exec s1 tcpdump -i s1-eth1 -c 10`,
		func(ctx context.Context, n *netns.Net, args []string) error {
			if len(args) < 2 {
				return usagef("a place and a command are needed")
			}
			return a.inPlace(ctx, n, args[0], args[1:]...)
		})
}

// defaultPings is how many echo requests ping sends if nothing else is said.
const defaultPings = "3"

func (a *app) netPingCommand() *cobra.Command {
	return a.rawCommand("ping A B [FLAGS]", "Ping from one host to another, or to an address",
		`Run ping in host A, to host B or to any address, with all its flags; three times if
there are none.`,
		func(ctx context.Context, n *netns.Net, args []string) error {
			if len(args) < 2 {
				return usagef("two hosts are needed")
			}
			if err := errors.Join(netns.Need("ping"), host(n, args[0])); err != nil {
				return err
			}
			flags := args[2:]
			if len(flags) == 0 {
				flags = []string{"-c", defaultPings}
			}
			to, err := destination(n.Plan(), args[1])
			if err != nil {
				return err
			}
			return a.inPlace(ctx, n, args[0], slices.Concat([]string{"ping"}, flags, []string{to})...)
		})
}

// destination is the address of a host, or an address that was given.
func destination(p *netplan.Plan, name string) (string, error) {
	if h, ok := p.Topology.Host(name); ok {
		return h.Addr.Addr().String(), nil
	}
	if strings.Count(name, ".") == 3 {
		return name, nil
	}
	return "", usagef("host %q: hosts are %s", name, strings.Join(p.Hosts(), ", "))
}

func (a *app) netIperfCommand() *cobra.Command {
	return a.rawCommand("iperf A B [FLAGS]", "Measure TCP between two hosts with iperf3",
		`Run an iperf3 server in host B for one test, and its client in host A, with all its flags.`,
		func(ctx context.Context, n *netns.Net, args []string) error {
			if len(args) < 2 {
				return usagef("two hosts are needed")
			}
			err := errors.Join(netns.Need("iperf3"), host(n, args[0]), host(n, args[1]))
			if err != nil {
				return err
			}
			return a.iperf(ctx, n, args[0], args[1], args[2:])
		})
}

// iperf starts a server, waits until it listens, and runs the client.
func (a *app) iperf(ctx context.Context, n *netns.Net, from, to string, flags []string) (err error) {
	server, err := n.Command(ctx, to, "iperf3", "-s", "-1", "--forceflush")
	if err != nil {
		return err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer func() {
		_ = server.Process.Kill() // it may have ended
		_ = server.Wait()
	}()
	if err := listening(out); err != nil {
		return fmt.Errorf("iperf3 in %s: %w", to, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the server
	address, err := destination(n.Plan(), to)
	if err != nil {
		return err
	}
	return a.inPlace(ctx, n, from, append([]string{"iperf3", "-c", address}, flags...)...)
}

// listening reads until iperf3 says that it listens.
func listening(out io.Reader) error {
	var said strings.Builder
	for buf := make([]byte, 1<<10); !strings.Contains(said.String(), "listening"); {
		k, err := out.Read(buf)
		said.Write(buf[:k])
		if err != nil {
			return fmt.Errorf("it does not listen: %s", strings.TrimSpace(said.String()))
		}
	}
	return nil
}

func (a *app) netTraceCommand() *cobra.Command {
	return a.rawCommand("trace [FLAGS]", "Follow packets through the tables of all switches",
		"Run \"turbokv trace\" at all built-in switches of the network, with all its flags; see\n"+
			"\"turbokv help trace\".",
		func(ctx context.Context, n *netns.Net, args []string) error {
			return a.again(ctx, n, append([]string{"trace", "--run", n.Plan().Path()}, args...)...)
		})
}

// again runs another command of this program on the cluster of a network.
func (a *app) again(ctx context.Context, n *netns.Net, args ...string) error {
	args = append(args, "--cluster", n.Plan().ClusterFile())
	if code := Run(ctx, args, a.Streams); code != exitOK {
		return &passed{code}
	}
	return nil
}

// netOperatorCommand is a command that is there without net as well.
func (a *app) netOperatorCommand(name string) *cobra.Command {
	return a.rawCommand(name+" [ARGS...]", `What "turbokv `+name+`" does`,
		"Run \"turbokv "+name+"\" on the cluster of the network, with all its arguments and flags; see\n"+
			"\"turbokv help "+name+"\".",
		func(ctx context.Context, n *netns.Net, args []string) error {
			return a.again(ctx, n, append([]string{name}, args...)...)
		})
}
