package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/turbokv/turbokv/bmv2/admin"
	"github.com/turbokv/turbokv/bmv2/daemon"
	switchmetrics "github.com/turbokv/turbokv/bmv2/metrics"
	"github.com/turbokv/turbokv/bmv2/p4rt"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/bmv2/trace"
	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/httpserve"
)

// switchProcess is the built-in switch with what is served beside it.
type switchProcess struct {
	app    *app
	flags  *switchFlags
	logOut io.Writer
	log    *slog.Logger
	filter v1model.Filter // of the packets on the console
	specs  []port.Spec
	ports  port.Opener

	config                      daemon.Config
	sw                          *daemon.Daemon
	httpAt, metricsAt, tracesAt net.Listener // nil: not served
	closeLog                    func() error
	atHTTP, atMetrics, atTraces httpPart
	console                     sync.WaitGroup
	consoleErr                  error // read after console
}

func (a *app) runSwitch(ctx context.Context, f *switchFlags) error {
	s := &switchProcess{app: a, flags: f}
	var err error
	if s.logOut, s.closeLog, err = f.log.open(a.Streams); err != nil {
		return err
	}
	s.logOut = &lockedWriter{w: s.logOut}
	s.log = f.log.logger(s.logOut, a.verbose)
	for _, text := range f.ignored {
		s.log.Warn(text)
	}
	if err := s.open(); err != nil {
		return errors.Join(err, s.abandon(), s.closeLog())
	}
	return errors.Join(s.run(ctx), s.closeLog())
}

// open reads files and opens all that the switch needs; what a newcomer can get wrong comes first.
func (s *switchProcess) open() (err error) {
	f := s.flags
	if s.config, err = f.config(); err != nil {
		return err
	}
	s.config.Events = switchEvents(s.log)
	s.specs, err = parsePorts(f.ports, map[uint16]string{
		f.cpuPort: "--cpu-port", f.dropPort: "--drop-port"})
	if err != nil {
		return err
	}
	if s.filter, err = parseFilters(f.where); err != nil {
		return err
	}
	if err := s.listen(); err != nil {
		return err
	}
	s.ports = s.opener()
	if s.config.Ports, err = openPorts(s.ports, s.specs); err != nil {
		return err
	}
	s.log.Info("starting", "p4runtime", s.config.Listener.Addr().String(), "ports", len(s.specs), "device", f.device,
		"program", cmp.Or(f.program, "none"))
	s.sw, err = daemon.New(s.config) // which closes the ports and the listener if it fails
	if err == nil && s.ports.Files != nil {
		s.ports.Files.Start(time.Duration(f.useFiles) * time.Second)
	}
	return err
}

// opener opens ports as the flags say.
func (s *switchProcess) opener() port.Opener {
	report := func(err error) { s.log.Error("pcap file", "error", err) }
	o := port.Opener{Captures: s.flags.pcap, OnError: report, Wait: s.flags.wait}
	if s.flags.useFiles >= 0 {
		o.Files = port.NewReplay(report)
	}
	return o
}

func (s *switchProcess) listen() (err error) {
	f := s.flags
	if s.config.Listener, err = daemon.Listen(f.address); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("--grpc-addr %s: another program has this address, perhaps a switch: choose "+
				"another one, as 127.0.0.1:9560: %w", f.address, err)
		}
		return fmt.Errorf("--grpc-addr %s: want HOST:PORT of this machine, or unix:PATH: %w", f.address, err)
	}
	traces, err := f.traceAddress()
	if err != nil {
		return err
	}
	if s.httpAt, err = listenHTTP("http", f.http); err != nil {
		return err
	}
	if s.metricsAt, err = listenHTTP("metrics", f.metrics); err != nil {
		return err
	}
	s.tracesAt, err = listenHTTP("trace", traces)
	return err
}

// abandon closes what was opened for a switch that does not run. What daemon.New was given it has
// closed itself, and does not mind.
func (s *switchProcess) abandon() error {
	err := errors.Join(closeListener(s.httpAt), closeListener(s.metricsAt), closeListener(s.tracesAt))
	if l := s.config.Listener; l != nil {
		if again := l.Close(); !errors.Is(again, net.ErrClosed) {
			err = errors.Join(err, again)
		}
	}
	return err
}

// run works until the context ends.
func (s *switchProcess) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.serve(ctx)
	if s.flags.tracesToConsole() {
		s.console.Go(func() {
			if s.consoleErr = s.printTraces(ctx); s.consoleErr != nil {
				cancel()
			}
		})
	}
	err := s.sw.Run(ctx)
	cancel()
	s.console.Wait()
	err = errors.Join(err, s.atHTTP.stop(), s.atMetrics.stop(), s.atTraces.stop(), s.consoleErr)
	s.log.Info("stopped")
	return err
}

// serve starts what is served over HTTP.
func (s *switchProcess) serve(ctx context.Context) {
	metrics := func(page http.Handler) http.Handler {
		return httpserve.Mux(httpserve.Registry(switchmetrics.New(s.sw)), page)
	}
	if s.httpAt != nil {
		page := http.NewServeMux()
		page.Handle("/trace", trace.Handler(s.sw))
		page.Handle("/", admin.Handler(admin.Config{Switch: s.sw, Opener: s.ports, Specs: s.specs,
			MayChange: s.flags.httpChanges || isLoopback(s.httpAt)}))
		s.atHTTP.serve(ctx, s.httpAt, metrics(page))
		s.log.Info("serving", "http", pageURL(s.httpAt))
	}
	if s.metricsAt != nil {
		s.atMetrics.serve(ctx, s.metricsAt, metrics(nil))
	}
	if s.tracesAt != nil {
		s.atTraces.serve(ctx, s.tracesAt, trace.Handler(s.sw))
	}
}

// isLoopback reports whether only this machine reaches a listener.
func isLoopback(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// printTraces tells on the console, or in the log file, what packets meet.
func (s *switchProcess) printTraces(ctx context.Context) error {
	out := *s.app
	if s.flags.log.console || s.flags.log.packets() {
		out.Out = s.logOut
	}
	err := trace.Watch(ctx, s.sw, s.filter, func() {}, func(line trace.Line) error {
		return out.printLine(line, func(w io.Writer) error {
			_, err := io.WriteString(w, trace.Text(line))
			return err
		})
	})
	switch {
	case errors.Is(err, trace.ErrEnded): // a controller may replace the program
		s.log.Warn("packets are not followed any more", "reason", err)
	case err != nil && len(s.flags.where) > 0:
		return usagef("--trace-where: %w", err)
	case err != nil:
		return fmt.Errorf("--trace: %w", err)
	}
	return nil
}

// parseFilters reads filters as --trace-where and turbokv trace --where have them.
func parseFilters(texts []string) (v1model.Filter, error) {
	query, err := filterQuery("--trace-where", texts)
	if err != nil {
		return v1model.Filter{}, err
	}
	filter, limit, err := trace.ParseQuery(query)
	if err == nil && limit > 0 {
		err = errors.New("limit has no meaning here")
	}
	if err != nil {
		return v1model.Filter{}, usagef("--trace-where: %w", err)
	}
	return filter, nil
}

// switchEvents logs what an operator may want to know.
func switchEvents(log *slog.Logger) daemon.Events {
	return daemon.Events{
		PortFailed: func(number uint16, err error) {
			log.Error("port failed", "port", number, "error", err)
		},
		PortState: func(number uint16, state port.State) {
			log.Info("port changed", "port", number, "state", state.String())
		},
		Log: func(text string) { log.Info(text) },
		Control: p4rt.Events{
			Primary:  func(id string) { log.Info("primary controller", "election_id", id) },
			Pipeline: func(program string) { log.Info("pipeline in service", "program", program) },
		},
	}
}
