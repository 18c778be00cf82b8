package command

import (
	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
)

func (a *app) mininetDownCommand() *cobra.Command {
	var run string
	c := &cobra.Command{
		Use:   "down",
		Short: "End a network of Mininet, also one that a crash has left behind",
		Long: `End the network of a run file, and remove what is left of it, also after a crash: all
processes of that run, and with them their hosts, switches and links. Other networks of
Mininet on this machine stay, unlike with "mn -c".`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return netns.Disown(run, byMininet, sweep) },
	}
	c.Flags().StringVar(&run, "run", defaultRun, "`file` of the run")
	return c
}
