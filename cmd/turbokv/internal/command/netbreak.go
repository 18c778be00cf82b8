package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// netBreakCommand is fail, or mend.
func (a *app) netBreakCommand(run *string, verb string) *cobra.Command {
	c := &cobra.Command{
		Use:   "fail NAME | node HOST | switch SWITCH | rack SWITCH | link A B | controller",
		Short: "Kill a node, a switch, a rack or the controller, or cut a link",
		Long: `Kill a storage node, a switch, or the controller with SIGKILL, cut a link, or fail a
rack: its switch and all storage nodes on it, at once. "node3" is the third storage node.`,
		Example: "  turbokv net fail h2\n  turbokv net fail link s1 s4\n  turbokv net fail rack s2",
		Args:    cobra.RangeArgs(1, 3),
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := a.openNet(*run)
			if err != nil {
				return err
			}
			return a.netBreak(n, args, verb == "mend")
		},
	}
	if verb == "mend" {
		c.Use = strings.Replace(c.Use, "fail", "mend", 1)
		c.Short = "Start again what was killed, or join a link that was cut"
		c.Long = `Start a storage node, a switch, a rack or the controller again, with the arguments that
it was started with first, or join a link that was cut.`
		c.Example = strings.ReplaceAll(c.Example, "fail", "mend")
	}
	return c
}

func (a *app) netBreak(n *netns.Net, args []string, mend bool) error {
	if args[0] == "link" {
		if len(args) != 3 {
			return usagef("link: needs the names of its two ends, as s1 s4")
		}
		if err := n.Link(args[1], args[2], mend); err != nil {
			return asUsage(err)
		}
		return a.say("link %s %s is %s", args[1], args[2], pick(mend, "up", "down"))
	}
	processes, err := meant(n.Plan(), args)
	if err != nil {
		return err
	}
	change := n.Kill
	if mend {
		change = n.Start
	}
	var errs []error
	for _, p := range processes {
		err := change(p.Name)
		if len(processes) > 1 && (errors.Is(err, netns.ErrStopped) || errors.Is(err, netns.ErrRuns)) {
			err = a.say("%s: nothing to do", p.Title()) // a part of a rack
		} else if err == nil {
			err = a.say("%s is %s", p.Title(), pick(mend, "started", "killed"))
		}
		errs = append(errs, asUsage(err))
	}
	return errors.Join(errs...)
}

func (a *app) say(format string, args ...any) error {
	_, err := fmt.Fprintf(a.Out, format+"\n", args...)
	return err
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// meant finds the processes that words name.
func meant(p *netplan.Plan, words []string) ([]netplan.Process, error) {
	kind := ""
	if len(words) == 2 {
		kind, words = words[0], words[1:]
	}
	name := nameOf(p, words[0])
	x, ok := p.Process(name)
	switch {
	case len(words) != 1 || !slices.Contains([]string{"", "node", "switch", "rack", "controller"}, kind):
		return nil, usagef("%q: must be NAME, node HOST, switch SWITCH, rack SWITCH, link A B or controller",
			strings.Join(words, " "))
	case kind == "rack":
		if rack := p.Rack(name); len(rack) > 0 && slices.Contains(p.Switches(), name) {
			return rack, nil
		}
		return nil, usagef("rack %q: switches are %s", name, strings.Join(p.Switches(), ", "))
	case ok && (kind == "" || string(x.Role) == kind):
		return []netplan.Process{x}, nil
	case kind == "switch":
		return nil, usagef("switch %q: switches are %s", name, strings.Join(p.Switches(), ", "))
	case kind == "node":
		return nil, usagef("node %q: hosts with a storage node are %s", name, strings.Join(p.Nodes(), ", "))
	}
	return nil, usagef("%q: switches are %s; hosts with a storage node are %s; and there is the controller",
		words[0], strings.Join(p.Switches(), ", "), strings.Join(p.Nodes(), ", "))
}
