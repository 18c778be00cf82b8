package command

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/httpserve"
	"github.com/turbokv/turbokv/controller/metrics"
	"github.com/turbokv/turbokv/controller/watch"
	"github.com/turbokv/turbokv/controller/web"
)

// httpOff is the value of --http and --metrics that serves nothing.
const httpOff = "off"

// listenHTTP opens the address that a flag names; nil if it names none.
func listenHTTP(flag, address string) (net.Listener, error) {
	if address == "" || address == httpOff {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w: choose another address, port 0 for a free one, or %s", flag,
			address, err, httpOff)
	}
	return l, nil
}

// closeListener closes what listenHTTP opened, if anything.
func closeListener(l net.Listener) error {
	if l == nil {
		return nil
	}
	return l.Close()
}

// httpPart is a part of a program that serves beside the main one. The zero value is one that
// was never started.
type httpPart struct {
	cancel  context.CancelFunc
	serving sync.WaitGroup
	err     error // read after serving
}

// serve serves h on a listener until stop is called.
func (p *httpPart) serve(
	ctx context.Context, l net.Listener, h http.Handler, more ...func(context.Context),
) {
	ctx, p.cancel = context.WithCancel(ctx)
	p.serving.Go(func() { p.err = httpserve.Serve(ctx, l, h) })
	for _, f := range more {
		p.serving.Go(func() { f(ctx) })
	}
}

// stop ends the part and returns its error.
func (p *httpPart) stop() error {
	if p.cancel == nil {
		return nil
	}
	p.cancel()
	p.serving.Wait()
	return p.err
}

// serveMetrics serves the metrics of a program where its flag --metrics says.
func serveMetrics(
	ctx context.Context, l net.Listener, all ...prometheus.Collector,
) *httpPart {
	p := new(httpPart)
	if l != nil {
		p.serve(ctx, l, httpserve.Mux(httpserve.Registry(all...), nil))
	}
	return p
}

// console serves the web page of a cluster, and the metrics of its controller and of more.
func (a *app) console(
	ctx context.Context, l net.Listener, controller string, more ...prometheus.Gatherer,
) (*httpPart, error) {
	p := new(httpPart)
	if l == nil {
		return p, nil
	}
	client, err := dialAdmin(controller)
	if err != nil {
		return p, err
	}
	w := watch.New(watch.Config{Source: client})
	gatherers := append(prometheus.Gatherers{httpserve.Registry(metrics.New(w))}, more...)
	p.serve(ctx, l, httpserve.Mux(gatherers, web.New(w)), func(ctx context.Context) {
		w.Run(ctx)
		_ = client.Close() // nobody uses it any more
	})
	return p, nil
}

// pageURL is where a browser of this machine finds what a listener serves.
func pageURL(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "http://" + l.Addr().String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}
