package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/procs"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/scrape"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/upservice"
)

// upSelf is the part of `turbokv up` that other commands talk to. Its address is also the claim to
// the plan: a second `turbokv up` with the same ports finds it taken, and can ask by whom.
type upSelf struct {
	info     upservice.Info
	listener net.Listener
	http     net.Listener // nil: no web page
	console  *httpPart    // nil before openConsole
	nodes    atomic.Int64 // processes, with those that were added
	cancel   context.CancelFunc
	served   sync.WaitGroup
	serveErr error // read after served
	stopping sync.Once
	err      error // of stop
}

// claimPlan takes the ports and the data directory of a plan, or says who has them. http is the
// address of the web page.
func claimPlan(ctx context.Context, plan layout.Plan, http string) (*upSelf, error) {
	dir, err := filepath.Abs(plan.DataDir)
	if err != nil {
		return nil, err
	}
	if file, err := clusterfile.Read(clusterfile.Path(dir)); err == nil && file.Up != "" {
		// What a killed `turbokv up` left behind may name somebody else by now.
		if other, err := upservice.Ask(ctx, file.Up); err == nil && other.DataDir == dir {
			return nil, fmt.Errorf("data directory %s is in use by another %v: stop it, or choose another "+
				"--data-dir and --base-port", plan.DataDir, other)
		}
	}
	listener, err := net.Listen("tcp", plan.Up())
	if errors.Is(err, syscall.EADDRINUSE) {
		if other, asked := upservice.Ask(ctx, plan.Up()); asked == nil {
			return nil, fmt.Errorf("base port %d: address already in use by another %v: stop it, or choose "+
				"another --base-port and --data-dir", plan.Base, other)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("base port %d: %w: choose another --base-port", plan.Base, err)
	}
	s := &upSelf{listener: listener}
	if s.http, err = listenHTTP("http", http); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.nodes.Store(int64(plan.Nodes))
	s.info = upservice.Info{
		PID: os.Getpid(), DataDir: dir, Base: plan.Base, Since: time.Now(), HTTP: s.page(),
	}
	return s, nil
}

// page is the URL of the web page, empty if there is none.
func (s *upSelf) page() string {
	if s.http == nil {
		return ""
	}
	return pageURL(s.http)
}

// pageNote tells of the web page, if there is one.
func (s *upSelf) pageNote() string {
	if s.http == nil {
		return ""
	}
	return fmt.Sprintf("Web page: %s    Metrics: %smetrics\n\n", s.page(), s.page())
}

// openConsole serves the web page and the metrics of all parts until stop is called.
func (s *upSelf) openConsole(
	ctx context.Context, a *app, plan layout.Plan, parts prometheus.Gatherer,
) error {
	console, err := a.console(ctx, s.http, plan.Controller(), parts)
	if err == nil {
		s.console = console
	}
	return err
}

// gatherer gathers the metrics of the parts when they are processes.
func (s *upSelf) gatherer(plan layout.Plan) prometheus.Gatherer {
	return scrape.Gatherer{Targets: func() []scrape.Target {
		all := []scrape.Target{{Part: "switch", Address: plan.SwitchMetrics()}}
		for i := range int(s.nodes.Load()) {
			all = append(all, scrape.Target{
				Part: plan.NodeProcess(i).Name, Address: plan.NodeMetrics(i),
			})
		}
		return all
	}}
}

// serve answers other commands until stop is called or ctx ends.
func (s *upSelf) serve(
	ctx context.Context, add func(context.Context) (upservice.Node, error),
) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.served.Go(func() { s.serveErr = upservice.Serve(ctx, s.listener, s.info, add) })
}

// stop ends the service; no node is added any more when it returns.
func (s *upSelf) stop() error {
	s.stopping.Do(func() {
		switch {
		case s.console != nil:
			s.err = s.console.stop()
		default:
			s.err = closeListener(s.http)
		}
		if s.cancel == nil {
			s.err = errors.Join(s.err, s.listener.Close())
			return
		}
		s.cancel()
		s.served.Wait()
		s.err = errors.Join(s.err, s.serveErr)
	})
	return s.err
}

// hereAdder starts nodes in this process.
func hereAdder(
	c *cluster.Cluster, plan layout.Plan,
) func(context.Context) (upservice.Node, error) {
	return func(context.Context) (upservice.Node, error) {
		i, _, err := c.AddNode()
		return addedNode(plan, i), err
	}
}

// processAdder starts nodes as children, as long as the switch has ports for them.
func (a *app) processAdder(
	group *procs.Group, plan layout.Plan, self *upSelf,
) func(context.Context) (upservice.Node, error) {
	next := plan.Nodes
	return func(context.Context) (upservice.Node, error) {
		if next >= plan.Ports() {
			return upservice.Node{}, fmt.Errorf("there are %d nodes, and no switch port is left: start "+
				"turbokv up again with more --nodes", next)
		}
		if err := a.startPart(group, plan.NodeProcess(next)); err != nil {
			return upservice.Node{}, err
		}
		next++
		self.nodes.Store(int64(next))
		return addedNode(plan, next-1), nil
	}
}

func addedNode(plan layout.Plan, i int) upservice.Node {
	return upservice.Node{
		Node: layout.NodeAddr(i).Addr().String(), Port: i + 1, DataDir: layout.NodeDir(plan.DataDir, i),
	}
}
