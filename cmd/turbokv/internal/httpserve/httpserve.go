// Package httpserve serves what people and machines look at over HTTP: metrics, and the web page.
package httpserve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// headerTimeout keeps a client that says nothing from holding a connection.
const headerTimeout = 5 * time.Second

// Bounds of the connections: many, so that one who opens them in a loop does not use up the memory and
// the files of the program; and how long one may be kept without a request.
const (
	maxConnections = 512
	idleTimeout    = 2 * time.Minute
)

// Registry returns a registry of the collectors, and of the process itself.
func Registry(all ...prometheus.Collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r.MustRegister(all...)
	return r
}

// Mux serves the metrics of a gatherer at /metrics, and everything else by page, which may be nil. Of
// metrics that contradict each other it serves the rest.
func Mux(g prometheus.Gatherer, page http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError,
	}))
	if page != nil {
		mux.Handle("/", page)
	}
	return mux
}

// Serve serves on the listener, which it closes, until ctx is done.
func Serve(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // nobody is left to tell
	defer stop()
	if err := server.Serve(netutil.LimitListener(listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("http: %w", err)
	}
	return nil
}
