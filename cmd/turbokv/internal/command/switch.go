package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// switchFlags are the options of the built-in switch.
type switchFlags struct {
	program, info string
	entries       string
	noP4          bool
	ports         []string
	wait          bool // for interfaces that are not there yet
	address       string
	device        uint64
	cpuPort       uint16
	dropPort      uint16
	http          string
	httpChanges   bool
	metrics       string
	trace         []string
	where         []string
	pcap          string
	useFiles      int      // seconds before the files are played; negative: interfaces are interfaces
	ignored       []string // options without effect, and why
	log           switchLog
	tls           switchTLS
}

func (a *app) switchCommand() *cobra.Command {
	f := new(switchFlags)
	c := &cobra.Command{
		Use:     "switch [PROGRAM.json]",
		GroupID: groupCluster,
		Short:   "Run the built-in P4 switch",
		Long: `Run the built-in switch until it is interrupted: a P4 (v1model) switch that a
controller programs over P4Runtime, like simple_switch_grpc, whose options it takes too,
also after --. docs/SWITCH.md is its guide.

PROGRAM.json is what p4c --target bmv2 writes. With --p4info controllers can use the
program at once; without, it runs, but they have to send it once more. Without a program,
the switch drops everything until a controller sends one.

A port is NUMBER@INTERFACE for a network interface, which needs CAP_NET_RAW, or
NUMBER@udp:LOCAL,REMOTE for a tunnel of Ethernet frames in UDP, which needs nothing.

Its cable can have properties: delay=2ms, loss=0.01, rate=10Mbit and queue=100 (frames)
after commas shape what the port sends, and with both also what it receives. How the
frames of an interface move is io=ring (usual), socket or xdp; workers=N share them.`,
		Example: `  turbokv switch -i 1@veth0 -i 2@veth1 basic.json --p4info basic.p4info.txt
  turbokv switch -i 1@veth0,delay=2ms,rate=10Mbit,queue=100,both -i 2@veth1,loss=0.01
  turbokv switch -i 1@udp:127.0.0.1:22001,127.0.0.1:22101 --grpc-addr 127.0.0.1:9559
  turbokv switch basic.json -i 1@veth0 --trace - --trace-where ipv4.dstAddr=10.0.1.1
  turbokv switch stf basic.json basic.stf
  turbokv switch check basic.json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.complete(c, args); err != nil {
				return err
			}
			return a.runSwitch(c.Context(), f)
		},
	}
	f.add(c.Flags())
	c.AddCommand(a.switchSTFCommand(), a.switchCheckCommand(), a.switchPortsCommand(),
		a.switchDiffCommand())
	return c
}

func (f *switchFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.ports, "interface", "i", nil, "`port` to open; may be repeated")
	flags.BoolVar(&f.wait, "wait", false,
		"begin without interfaces that are not there yet, and take them when they come")
	flags.StringVar(&f.info, "p4info", "", "P4Info `file` of the program, as p4c --p4runtime-files writes it")
	flags.StringVar(&f.entries, "entries", "",
		"`file` whose commands fill the tables of the program first: add, setdefault, ... as in packet tests "+
			"(.stf)")
	flags.BoolVar(&f.noP4, "no-p4", false, "start without a program")
	flags.StringVar(&f.address, "grpc-addr", daemon.DefaultAddress,
		"`address` of the P4Runtime service: HOST:PORT, or unix:PATH")
	flags.Uint64Var(&f.device, "device-id", daemon.DefaultDeviceID, "P4Runtime device id")
	flags.Uint16Var(&f.cpuPort, "cpu-port", daemon.DefaultCPUPort,
		"port `number` of packet-in and packet-out")
	flags.Uint16Var(&f.dropPort, "drop-port", v1model.DefaultDropPort,
		"port `number` that drops what is sent to it")
	flags.StringVar(&f.http, "http", "",
		"`address` that serves /metrics, /trace, /tables and /ports, see turbokv switch ports (default: none)")
	flags.BoolVar(&f.httpChanges, "http-allow-changes", false,
		"let everybody who reaches --http add and remove ports, not only programs of this machine")
	flags.StringVar(&f.metrics, "metrics", "",
		"`address` that serves metrics for Prometheus at /metrics only (default: none)")
	flags.StringArrayVar(&f.trace, "trace", nil,
		"print what each packet meets if -, or serve it at /trace of an `address`, see turbokv trace; "+
			"may be repeated")
	flags.StringArrayVar(&f.where, "trace-where", nil,
		"print only packets with this `FILTER`, as ipv4.dstAddr=10.0.1.1 or port=3; may be repeated")
	flags.StringVar(&f.pcap, "pcap", "",
		"write what ports receive and send to INTERFACE_in.pcap and INTERFACE_out.pcap in a `directory`")
	flags.Lookup("pcap").NoOptDefVal = "."
	flags.IntVar(&f.useFiles, "use-files", -1,
		"play INTERFACE_in.pcap and write INTERFACE_out.pcap in the place of interfaces, after this `number` "+
			"of seconds")
	f.log.add(flags)
	f.tls.add(flags)
	addForeign(flags)
	flags.SetNormalizeFunc(simpleSwitchName)
}

// complete reads what stands beside the flags: options after --, the program, and the directory of
// --pcap, which simple_switch_grpc takes as the next argument.
func (f *switchFlags) complete(c *cobra.Command, args []string) error {
	flags := c.Flags()
	if at := c.ArgsLenAtDash(); at >= 0 {
		if err := flags.Parse(args[at:]); err != nil {
			return usagef("after --: %w", err)
		}
		args = append(args[:at:at], flags.Args()...)
	}
	if f.pcap == "." && len(args) > 0 && isDirectory(args[0]) {
		f.pcap, args = args[0], args[1:]
	}
	switch {
	case len(args) > 1:
		return usagef("%s: there are two programs; one is enough, and options begin with -",
			strings.Join(args, " "))
	case len(args) == 1 && f.noP4:
		return usagef("%s: --no-p4 starts without a program", args[0])
	case len(args) == 1:
		f.program = args[0]
	case f.entries != "":
		return usagef("--entries %s: the program is missing, the JSON that p4c writes", f.entries)
	case f.info != "":
		return usagef("--p4info %s: the program is missing, the JSON that p4c writes", f.info)
	}
	f.ignored = ignored(flags)
	return f.check(flags)
}

// check finds what contradicts itself before anything is opened.
func (f *switchFlags) check(flags *pflag.FlagSet) error {
	if err := refuseForeign(flags); err != nil {
		return err
	}
	if f.dropPort == 0 || f.dropPort > v1model.DefaultDropPort {
		return usagef("--drop-port %d: must be from 1 to %d", f.dropPort, v1model.DefaultDropPort)
	}
	if f.cpuPort == 0 || f.cpuPort > port.MaxNumber || f.cpuPort == f.dropPort {
		return usagef("--cpu-port %d: must be from 1 to %d and not the --drop-port, %d", f.cpuPort,
			port.MaxNumber, f.dropPort)
	}
	if len(f.where) > 0 && !f.tracesToConsole() {
		return usagef("--trace-where chooses what --trace - prints, which is not given")
	}
	if f.pcap != "" && !isDirectory(f.pcap) {
		return usagef("--pcap %s: no such directory", f.pcap)
	}
	if flags.Changed("use-files") && f.useFiles < 0 {
		return usagef("--use-files %d: must be a number of seconds, from 0 on", f.useFiles)
	}
	if err := f.log.check(); err != nil {
		return err
	}
	return f.tls.check()
}

func (f *switchFlags) config() (cfg daemon.Config, err error) {
	cfg = daemon.Config{DeviceID: f.device, DeviceZero: f.device == 0, CPUPort: f.cpuPort,
		DropPort: f.dropPort}
	if f.program != "" {
		if cfg.Program, cfg.Pipeline, err = daemon.ReadPipeline(f.program, f.info); err != nil {
			return cfg, usagef("%w", err)
		}
	}
	if f.entries != "" {
		if cfg.Fill, err = fillFrom(f.entries); err != nil {
			return cfg, err
		}
	}
	cfg.ServerOptions, err = f.tls.options()
	return cfg, err
}

// tracesToConsole reports whether packets are followed on the console.
func (f *switchFlags) tracesToConsole() bool {
	for _, t := range f.trace {
		if t == consoleTrace {
			return true
		}
	}
	return f.log.packets()
}

// traceAddress is where traces are served; "" if nowhere.
func (f *switchFlags) traceAddress() (address string, err error) {
	for _, t := range f.trace {
		switch {
		case t == consoleTrace:
		case address != "":
			return "", usagef("--trace %s: traces are served at %s already", t, address)
		default:
			address = t
		}
	}
	return address, nil
}

// consoleTrace is the value of --trace that prints.
const consoleTrace = "-"

// simpleSwitchNames are the names that simple_switch_grpc has for options of ours.
var simpleSwitchNames = map[string]string{
	"grpc-server-addr": "grpc-addr",
	"grpc-server-cert": "tls-cert",
	"grpc-server-key":  "tls-key",
}

func simpleSwitchName(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if ours, ok := simpleSwitchNames[name]; ok {
		name = ours
	}
	return pflag.NormalizedName(name)
}

// foreign are options of simple_switch_grpc that this switch does not have.
var foreign = []struct {
	name    string
	flag    bool   // without a value
	refused bool   // else it is taken, and why is logged
	why     string // empty: nobody needs to know
}{
	{name: "thrift-port", why: "there is no Thrift server: P4Runtime does all"},
	{name: "nanolog", why: "there are no nanomsg messages: --trace follows packets"},
	{name: "notifications-addr", why: "there are no nanomsg messages: controllers are notified over P4Runtime"},
	{name: "debugger", flag: true, why: "there is no debugger: --trace follows packets"},
	{name: "debugger-addr", why: "there is no debugger: --trace follows packets"},
	{name: "dump-packet-data", why: "--trace - prints frames, --pcap DIRECTORY writes them to files"},
	{name: "log-flush", flag: true},
	{name: "log-file-max-size", why: "log files are not rotated"},
	{name: "log-file-max-files", why: "log files are not rotated"},
	{name: "max-port-count"},
	{name: "max-mc-groups"},
	{name: "max-l1-entries"},
	{name: "max-l2-entries"},
	{name: "disable-swap", flag: true, why: "controllers may send another program"},
	{name: "priority-queues", refused: true, why: "ports have one queue each"},
	{name: "packet-in", refused: true, why: "use ports of the form NUMBER@udp:LOCAL,REMOTE"},
	{name: "dp-grpc-server-addr", refused: true, why: "use ports of the form NUMBER@udp:LOCAL,REMOTE"},
	{name: "restore-state", refused: true, why: "a controller fills the tables"},
	{name: "load-modules", refused: true, why: "externs are those of v1model"},
}

func addForeign(flags *pflag.FlagSet) {
	for _, o := range foreign {
		flags.String(o.name, "", o.why)
		if o.flag {
			flags.Lookup(o.name).NoOptDefVal = "true"
		}
		flags.Lookup(o.name).Hidden = true
	}
}

func refuseForeign(flags *pflag.FlagSet) error {
	for _, o := range foreign {
		one := o.name == "priority-queues" && flags.Lookup(o.name).Value.String() == "1"
		if o.refused && flags.Changed(o.name) && !one {
			return usagef("--%s is not supported: %s", o.name, o.why)
		}
	}
	return nil
}

// ignored says which options without effect were given.
func ignored(flags *pflag.FlagSet) (out []string) {
	for _, o := range foreign {
		if !o.refused && o.why != "" && flags.Changed(o.name) {
			out = append(out, fmt.Sprintf("--%s has no effect: %s", o.name, o.why))
		}
	}
	return out
}
