package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/mininet"
)

// byMininet is what run files say of networks of Mininet.
const byMininet = "mininet"

func (a *app) mininetCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "mininet",
		GroupID: groupCluster,
		Short:   "Run a cluster in Mininet: its prompt, and real hosts, links and switches",
		Long: `Run a cluster in Mininet, which needs root and the package mininet (on Debian and
Ubuntu: apt-get install mininet). The network is the same as that of "turbokv netns up",
and "turbokv net" works on both; here Mininet builds it, and there is its prompt.`,
		Args: cobra.NoArgs,
	}
	c.AddCommand(a.mininetUpCommand(), a.mininetDownCommand())
	return c
}

// mininetFlags are the options of `mininet up`.
type mininetFlags struct {
	layFlags
	lines    string
	script   bool // lines are given
	noPrompt bool
	http     string
	ready    time.Duration
}

func (a *app) mininetUpCommand() *cobra.Command {
	var f mininetFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Build the network of a topology with Mininet, start a cluster in it, and open the prompt",
		Long: `Build the network of a topology with Mininet, start switches, controller and storage
nodes in it, and open Mininet's prompt. When one leaves the prompt (exit, or ctrl-D),
the network goes; nothing is left then but --dir.

Mininet's own commands work as ever. Those of "turbokv net" are there as well, such as
kv, fail, mend, load and status, and work the same in any other terminal. With --topo
FILE, the file has the form of topology.json of the P4 tutorials, extended.`,
		Example: `  sudo turbokv mininet up
  sudo turbokv mininet up --topo spine-leaf --switch bmv2
  sudo turbokv mininet up --exec 'h1 ping -c1 h2; kv put h6 greeting hello; kv get h1 greeting'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.script = cmd.Flags().Changed("exec")
			return a.mininetUp(cmd.Context(), f)
		},
	}
	f.add(c)
	flags := c.Flags()
	flags.StringVar(&f.lines, "exec", "",
		"run these `lines` of the prompt, with ; between, and leave: with exit code 1 if one has failed")
	flags.BoolVar(&f.noPrompt, "no-prompt", false, "no prompt: run until ctrl-C")
	flags.StringVar(&f.http, "http", "127.0.0.1:0",
		"`address` of the web page; port 0 for a free one; off for none")
	flags.DurationVar(&f.ready, "ready", time.Minute, "how long to wait for all to be up")
	c.MarkFlagsMutuallyExclusive("exec", "no-prompt")
	return c
}

// lab is a network of Mininet, and what it takes to have it.
type lab struct {
	*app
	f       mininetFlags
	plan    *netplan.Plan
	net     *netns.Adopted
	program *mininet.Program
}

func (a *app) mininetUp(ctx context.Context, f mininetFlags) (err error) {
	python, err := mininet.Interpreter(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", netns.ErrMissing, err)
	}
	l := &lab{app: a, f: f}
	if l.plan, err = f.plan(""); err != nil {
		return err
	}
	if err := netns.Needs(l.plan); err != nil {
		return err
	}
	l.say(l.plan.ShapingNote)
	if l.net, err = netns.Adopt(l.plan, byMininet, sweep); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.start(python); err != nil {
		return err
	}
	stop, done := l.signals(ctx)
	defer done()
	if err := l.prepare(stop); err != nil {
		return cmp.Or(ctx.Err(), err) // the program sees a ctrl-C as well
	}
	if !f.script {
		fmt.Fprint(l.Out, "TurboKV is ready. ")
		if err := a.describeNet(l.plan, l.net.Page()); err != nil {
			return err
		}
	}
	if f.noPrompt {
		fmt.Fprintln(l.Out, "ctrl-C ends it.")
	}
	return l.run(stop)
}

func (l *lab) say(text string) { fmt.Fprintf(l.Err, "turbokv: %s\n", text) }

// start runs the program in a folder of its own, with the plan beside it.
func (l *lab) start(python string) error {
	dir := filepath.Join(l.plan.Dir, "mininet")
	program, err := mininet.Extract(filepath.Join(dir, "program"))
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(l.plan, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "plan.json")
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return err
	}
	c := mininet.Config{
		Python: python, Program: program, Plan: path, Dir: l.plan.Dir, Env: l.environ(),
		Tool: []string{l.plan.Binary, "net", "--run", l.plan.Path()}, Verbs: verbs(l.netCommand()),
		NoPrompt: l.f.noPrompt, In: l.In, Out: l.Out, Err: l.Err,
	}
	if l.f.script {
		c.Lines = &l.f.lines
	}
	l.say(fmt.Sprintf("Mininet builds %d hosts, %d switches, %d links, and starts %d processes; logs in %s",
		len(l.plan.Hosts()), len(l.plan.Switches()), len(l.plan.Topology.Links), len(l.plan.Processes),
		l.plan.Dir))
	l.program, err = mininet.Start(c)
	return err
}

// environ has programs in hosts find the cluster, and the program "turbokv".
func (l *lab) environ() []string {
	return []string{
		l.plan.ClientEnv(),
		"PATH=" + filepath.Dir(l.plan.Binary) + string(os.PathListSeparator) + os.Getenv("PATH"),
	}
}

// signals returns a context that ends when somebody asks for the end of the network. Whoever types
// ctrl-C at the prompt does not: that is for the command that runs there.
func (l *lab) signals(parent context.Context) (context.Context, context.CancelFunc) {
	if in, ok := l.In.(*os.File); ok && !l.f.script && !l.f.noPrompt && term.IsTerminal(int(in.Fd())) {
		parent = context.WithoutCancel(parent)
	}
	return signal.NotifyContext(parent, syscall.SIGTERM, syscall.SIGHUP)
}

// errProgram says that the Python program has ended before its time. It has told why.
var errProgram = errors.New("mininet has ended: see above")

// prepare waits until the network is built and a cluster runs in it.
func (l *lab) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.f.ready)
	defer cancel()
	defer context.AfterFunc(ctx, l.program.Interrupt)()
	report, err := l.program.Report()
	if err != nil {
		return cmp.Or(ctx.Err(), fmt.Errorf("%w (%w)", errProgram, err))
	}
	page := l.f.http
	if page == httpOff {
		page = ""
	}
	if err := l.net.Built(report.Namespaces, report.Processes, page); err != nil {
		return err
	}
	l.say("waiting for switches and nodes")
	if err := l.net.Await(ctx); err != nil {
		return err
	}
	return prepare(ctx, l.plan.AdminTarget(), keyspaceOf(l.f.layFlags))
}

// run has the program do what the network is there for, until that is over.
func (l *lab) run(ctx context.Context) error {
	if err := l.program.Ready(); err != nil {
		return errProgram
	}
	select {
	case <-ctx.Done():
		return nil
	case <-l.program.Done():
	}
	switch err := l.program.Err(); {
	case err == nil:
		return nil
	case l.f.script:
		return errors.New("not all commands of --exec have succeeded")
	default:
		return fmt.Errorf("%w (%w)", errProgram, err)
	}
}

// stopProgram is how long the program may take to stop its processes.
const stopProgram = 10 * time.Second

// close removes all there is.
func (l *lab) close() error {
	if l.program != nil {
		l.program.Stop(stopProgram)
	}
	r, err := l.net.Run()
	if err != nil {
		return err
	}
	return errors.Join(sweep(r), l.net.Release())
}

// sweep ends what is left of a run.
func sweep(r *netplan.Run) error {
	left := mininet.Leftovers{Dir: r.Plan.Dir, Started: make(map[int][]string)}
	for _, p := range r.Plan.Processes {
		if pid := r.Processes[p.Name]; pid != 0 {
			left.Started[pid] = p.Args
		}
	}
	_, err := mininet.Sweep(left)
	return err
}
