package command

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/bmv2/daemon"
	switchmetrics "github.com/turbokv/turbokv/bmv2/metrics"
	"github.com/turbokv/turbokv/bmv2/p4rt"
	"github.com/turbokv/turbokv/bmv2/trace"
)

// switchFlags are the options of the built-in switch.
type switchFlags struct {
	ports   []string
	address string
	device  uint64
	cpuPort uint16
	metrics string
	trace   string
}

func (a *app) switchCommand() *cobra.Command {
	var f switchFlags
	c := &cobra.Command{
		Use:     "switch",
		GroupID: groupCluster,
		Short:   "Run the built-in P4 switch",
		Long: `Run the built-in switch until it is interrupted: a P4 (v1model) switch that a
controller programs over P4Runtime, like simple_switch_grpc. It drops everything until
it has a program.

A port is NUMBER@INTERFACE for a network interface, which needs CAP_NET_RAW, or
NUMBER@udp:LOCAL,REMOTE for a tunnel of Ethernet frames in UDP, which needs nothing.

Its cable can have properties: delay=2ms, loss=0.01, rate=10Mbit and queue=100 (frames)
after commas shape what the port sends, and with both also what it receives.`,
		Example: `  turbokv switch -i 1@veth0 -i 2@veth1
  turbokv switch -i 1@veth0,delay=2ms,rate=10Mbit,queue=100,both -i 2@veth1,loss=0.01
  turbokv switch -i 1@udp:127.0.0.1:22001,127.0.0.1:22101 --grpc-addr 127.0.0.1:9559`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runSwitch(cmd.Context(), f) },
	}
	flags := c.Flags()
	flags.StringArrayVarP(&f.ports, "interface", "i", nil, "`port` to open; may be repeated")
	flags.StringVar(&f.address, "grpc-addr", daemon.DefaultAddress,
		"`address` of the P4Runtime service")
	flags.Uint64Var(&f.device, "device-id", daemon.DefaultDeviceID, "P4Runtime device id")
	flags.Uint16Var(&f.cpuPort, "cpu-port", daemon.DefaultCPUPort,
		"port `number` of packet-in and packet-out")
	flags.StringVar(&f.metrics, "metrics", "",
		"`address` that serves metrics for Prometheus at /metrics (default: none)")
	flags.StringVar(&f.trace, "trace", "",
		"`address` that serves what packets meet in the switch at /trace, see turbokv trace (default: none)")
	return c
}

func (a *app) runSwitch(ctx context.Context, f switchFlags) error {
	log := a.logger("switch")
	config := daemon.Config{
		DeviceID: f.device, Address: f.address, CPUPort: f.cpuPort, Events: switchEvents(log),
	}
	specs, err := parsePorts(f.ports)
	if err != nil {
		return err
	}
	metrics, err := listenHTTP("metrics", f.metrics)
	if err != nil {
		return err
	}
	traces, err := listenHTTP("trace", f.trace)
	if err != nil {
		return errors.Join(err, closeListener(metrics))
	}
	if config.Ports, err = openPorts(specs); err != nil {
		return errors.Join(err, closeListener(metrics), closeListener(traces))
	}
	log.Info("starting", "p4runtime", f.address, "ports", len(specs))
	sw, err := daemon.New(config)
	if err != nil {
		return errors.Join(err, closeListener(metrics), closeListener(traces))
	}
	measured := serveMetrics(ctx, metrics, switchmetrics.New(sw))
	traced := new(httpPart)
	if traces != nil {
		traced.serve(ctx, traces, trace.Handler(sw))
	}
	err = errors.Join(sw.Run(ctx), measured.stop(), traced.stop())
	log.Info("stopped")
	return err
}

// switchEvents logs what an operator may want to know.
func switchEvents(log *slog.Logger) daemon.Events {
	return daemon.Events{
		PortFailed: func(number uint16, err error) {
			log.Error("port failed", "port", number, "error", err)
		},
		Log: func(text string) { log.Info(text) },
		Control: p4rt.Events{
			Primary:  func(id string) { log.Info("primary controller", "election_id", id) },
			Pipeline: func(program string) { log.Info("pipeline in service", "program", program) },
		},
	}
}
