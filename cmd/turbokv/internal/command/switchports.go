package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/bmv2/admin"
)

// defaultSwitchHTTP is where turbokv switch ports looks for a switch.
const defaultSwitchHTTP = "127.0.0.1:21595"

func (a *app) switchPortsCommand() *cobra.Command {
	var at string
	var add []string
	var remove []uint
	c := &cobra.Command{
		Use:   "ports",
		Short: "List, add and remove the ports of a running switch",
		Long: `List the ports of a running switch that serves --http, after removing and adding those
that are named. Ports can be changed while packets flow; the controllers are told.`,
		Example: `  turbokv switch -i 1@veth0 --http 127.0.0.1:21595
  turbokv switch ports
  turbokv switch ports --add 3@veth2 --remove 1`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.switchPorts(c.Context(), admin.Client{Address: at}, add, remove)
		},
	}
	c.Flags().StringVar(&at, "at", defaultSwitchHTTP, "`address` that the switch serves --http at")
	c.Flags().StringArrayVar(&add, "add", nil, "`port` to add, as turbokv switch -i has it; may be repeated")
	c.Flags().UintSliceVar(&remove, "remove", nil, "`number` of a port to remove; may be repeated")
	return c
}

func (a *app) switchPorts(ctx context.Context, c admin.Client, add []string, remove []uint) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	for _, number := range remove {
		if _, err := c.Remove(ctx, uint16(min(number, 1<<16-1))); err != nil {
			return asSwitch(c, err)
		}
	}
	for _, spec := range add {
		if _, err := c.Add(ctx, spec); err != nil {
			return asSwitch(c, err)
		}
	}
	ports, err := c.Ports(ctx)
	if err != nil {
		return asSwitch(c, err)
	}
	return a.print(ports, func(w io.Writer) error {
		var rows [][]string
		for _, p := range ports {
			rows = append(rows, portRow(p))
		}
		for _, p := range ports {
			if p.Problem != "" {
				fmt.Fprintf(a.Err, "turbokv: port %d: %s\n", p.Number, p.Problem)
			}
		}
		return table(w, "PORT KIND PLACE STATE IO RX-FRAMES RX-BYTES RX-DROPS TX-FRAMES TX-BYTES TX-DROPS", rows)
	})
}

func portRow(p admin.Port) []string {
	io := cmp.Or(p.IO, "-")
	if p.Workers > 1 {
		io += fmt.Sprintf("x%d", p.Workers)
	}
	row := []string{strconv.Itoa(int(p.Number)), p.Kind, cmp.Or(p.Place, "-"), p.State, io}
	for _, n := range []uint64{p.RxFrames, p.RxBytes, p.RxDrops, p.TxFrames, p.TxBytes, p.TxDrops} {
		row = append(row, strconv.FormatUint(n, 10))
	}
	return row
}

// asSwitch says which switch an error is of, and how to reach one.
func asSwitch(c admin.Client, err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no switch serves --http at %s: start it with --http, or name the address with --at: %w",
			c.Address, err)
	}
	return fmt.Errorf("switch at %s: %w", c.Address, err)
}
