package command

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/topology"
)

func (a *app) netShowCommand(run *string) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show what is where, and how to use it",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			n, err := a.openNet(*run)
			if err != nil {
				return err
			}
			r, err := n.Run()
			if err != nil {
				return err
			}
			return a.print(r, func(io.Writer) error { return a.describeNet(n.Plan(), r.Page) })
		},
	}
}

// describeNet tells what is where, and how to use it.
func (a *app) describeNet(p *netplan.Plan, page string) error {
	option := ""
	if p.Path() != absolute(defaultRun) {
		option = " --run " + p.Path()
	}
	if page != "" {
		page = "Web page: " + page + "\n"
	}
	_, err := fmt.Fprintf(a.Out, `Switches, and what hangs on them:

%s
Service %v, controller %v, logs in %s
%s
Try at the prompt, or in another terminal after "sudo turbokv net%s":

  kv put %[7]s greeting hello
  kv get %[7]s greeting
  status
  fail %s
  help
`, drawn(p.Topology), p.Service, p.Controller.Addr(), p.Dir, page, option, firstClient(p.Topology),
		p.Nodes()[0])
	return err
}

// drawn is a topology for people, the top first.
func drawn(n *topology.Network) string {
	var b strings.Builder
	for level := n.Levels() - 1; level >= 0; level-- {
		for _, s := range n.Switches {
			if s.Level == level {
				fmt.Fprintf(&b, "  %-5s level %d: %s\n", s.Name, level, strings.Join(hanging(n, s.Name), ", "))
			}
		}
	}
	return b.String()
}

// hanging lists what hangs below a switch.
func hanging(n *topology.Network, sw string) (out []string) {
	for _, x := range n.Below(sw) {
		out = append(out, x.End.Name)
	}
	for _, h := range n.HostsOf(sw) {
		text := fmt.Sprintf("%s %v", h.Name, h.Addr.Addr())
		if h.Role == topology.Node {
			text += " (node)"
		}
		out = append(out, text)
	}
	return out
}

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// firstClient is a host to use in examples: one without a storage node, if there is one.
func firstClient(n *topology.Network) string {
	name := ""
	for _, h := range n.Hosts {
		if h.Role == topology.Client {
			return h.Name
		}
		name = cmp.Or(name, h.Name)
	}
	return name
}

// processOutput is the JSON form of a process of a network.
type processOutput struct {
	Name  string       `json:"name"`
	Role  netplan.Role `json:"role"`
	Place string       `json:"place"`
	PID   int          `json:"pid,omitempty"` // 0: it does not run
	Log   string       `json:"log"`
	title string
}

// netStatusOutput is the JSON form of the status of a network.
type netStatusOutput struct {
	Processes []processOutput `json:"processes"`
	Cluster   json.RawMessage `json:"cluster"` // as turbokv status prints it; null: no controller
}

func (a *app) netStatusCommand() *cobra.Command {
	return a.rawCommand("status [FLAGS]", "Show which processes run, and what the controller knows",
		`Show which processes of the network do not run, and then what "turbokv status" shows,
with all its flags. With -o json all processes, and that.`,
		func(ctx context.Context, n *netns.Net, args []string) error {
			processes, err := processesOf(n)
			if err != nil {
				return err
			}
			if wantsJSON(args) {
				return a.netStatusJSON(ctx, n, processes, args)
			}
			var down []string
			for _, p := range processes {
				if p.PID == 0 {
					down = append(down, p.title)
				}
			}
			fmt.Fprintf(a.Out, "%d of %d processes run", len(processes)-len(down), len(processes))
			if len(down) > 0 {
				fmt.Fprintf(a.Out, "; not: %s", strings.Join(down, ", "))
			}
			fmt.Fprintln(a.Out)
			return a.again(ctx, n, append([]string{"status"}, args...)...)
		})
}

func processesOf(n *netns.Net) (out []processOutput, err error) {
	for _, p := range n.Plan().Processes {
		pid, err := n.PID(p.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, processOutput{p.Name, p.Role, p.Place, pid, p.Log, p.Title()})
	}
	return out, nil
}

// wantsJSON reports whether flags ask for JSON.
func wantsJSON(flags []string) bool {
	text := strings.Join(flags, " ") + " "
	for _, form := range []string{"-o json ", "-o=json ", "-ojson ", "--output json ", "--output=json "} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// netStatusJSON prints one object. Without a controller there is none in it, and that is an error.
func (a *app) netStatusJSON(
	ctx context.Context, n *netns.Net, processes []processOutput, args []string,
) error {
	inner := *a
	var cluster bytes.Buffer
	inner.Out = &cluster
	away := inner.again(ctx, n, append([]string{"status"}, args...)...)
	out := netStatusOutput{Processes: processes}
	if away == nil {
		out.Cluster = cluster.Bytes()
	}
	a.output = outputJSON
	if err := a.print(out, nil); err != nil {
		return err
	}
	return away
}

func (a *app) netLogCommand(run *string) *cobra.Command {
	lines, follow := 0, false
	c := &cobra.Command{
		Use:   "log NAME",
		Short: "Show the log of a switch, a storage node or the controller",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := a.openNet(*run)
			if err != nil {
				return err
			}
			name := nameOf(n.Plan(), args[0])
			p, ok := n.Plan().Process(name)
			if !ok {
				return usagef("%q: what runs is %s", args[0], strings.Join(names(n.Plan().Processes), ", "))
			}
			return a.showLog(c.Context(), p.Log, lines, follow)
		},
	}
	c.Flags().IntVarP(&lines, "lines", "n", 20, "`number` of lines from the end; 0 for all")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until ctrl-C")
	return c
}

func names(processes []netplan.Process) (out []string) {
	for _, p := range processes {
		out = append(out, p.Name)
	}
	return out
}

// nameOf is the name of a process that somebody means: "node2" is the second storage node, unless
// something has that name, and "ctl" is where the controller runs.
func nameOf(p *netplan.Plan, name string) string {
	if _, ok := p.Place(name); ok && name != netplan.Ctl {
		return name
	}
	if name == netplan.Ctl {
		return netplan.ControllerName
	}
	if number, ok := strings.CutPrefix(name, "node"); ok {
		nodes := p.Nodes()
		if i, err := strconv.Atoi(number); err == nil && i >= 1 && i <= len(nodes) {
			return nodes[i-1]
		}
	}
	return name
}

// followPoll is how often a log that is followed is looked at.
const followPoll = 200 * time.Millisecond

// showLog prints the last lines of a file, 0 for all, and maybe what is added to it.
func (a *app) showLog(ctx context.Context, path string, lines int, follow bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	parts := strings.SplitAfter(string(text), "\n")
	if lines > 0 {
		parts = parts[max(0, len(parts)-lines-1):] // the last one is empty
	}
	if _, err := io.WriteString(a.Out, strings.Join(parts, "")); err != nil || !follow {
		return err
	}
	tick := time.NewTicker(followPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if _, err := io.Copy(a.Out, f); err != nil {
			return err
		}
	}
}
