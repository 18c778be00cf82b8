// Package upservice lets other processes of the machine talk to a running `turbokv up`: ask who it is,
// and have it start one more storage node. It is a little HTTP service on the loopback interface:
//
//	GET  /v1/up     -> Info
//	POST /v1/nodes  -> Node
//
// A web page that a browser of this machine shows cannot use it: orders need a header that browsers do
// not send to other origins unasked, and a host name that is an address.
package upservice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Info says whose service it is.
type Info struct {
	PID     int       `json:"pid"`
	DataDir string    `json:"data_dir"` // absolute
	Base    int       `json:"base_port"`
	Since   time.Time `json:"since"`
	HTTP    string    `json:"http,omitempty"` // URL of the web page
}

// String tells an operator which `turbokv up` it is.
func (i Info) String() string {
	return fmt.Sprintf("turbokv up (process %d, base port %d, data in %s, since %s)", i.PID, i.Base,
		i.DataDir, i.Since.Local().Format(time.DateTime))
}

// Node is a storage node that was started.
type Node struct {
	Node    string `json:"node"` // address in the data network
	Port    int    `json:"port"` // of the switch
	DataDir string `json:"data_dir"`
}

// Errors of Ask and Add.
var (
	ErrAbsent  = errors.New("turbokv up does not answer") // or somebody else does
	ErrRefused = errors.New("turbokv up refuses")
)

// orderHeader makes browsers ask before they send an order, which nobody permits.
const orderHeader = "X-Turbokv-Order"

// Bounds of one conversation.
const (
	timeout   = 5 * time.Second
	maxAnswer = 64 << 10 // bytes
)

// Serve answers on the listener, which it closes, until ctx is done. add starts a node; it is called
// by one goroutine at a time, and by none when Serve has returned.
func Serve(
	ctx context.Context, listener net.Listener, info Info, add func(context.Context) (Node, error),
) error {
	turn := make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/up", func(w http.ResponseWriter, _ *http.Request) { answer(w, info) })
	mux.HandleFunc("POST /v1/nodes", func(w http.ResponseWriter, r *http.Request) {
		if !order(r) {
			http.Error(w, "orders come from turbokv add", http.StatusForbidden)
			return
		}
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-r.Context().Done():
			return
		}
		node, err := add(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		answer(w, node)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: timeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(listener)
	turn <- struct{}{} // nobody calls add any more
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("service of turbokv up: %w", err)
}

// order reports whether a request comes from this package and not from a web page.
func order(r *http.Request) bool {
	_, err := netip.ParseAddrPort(r.Host)
	return err == nil && r.Header.Get(orderHeader) != ""
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // fails only when nobody listens any more
}

// Ask asks who serves at an address.
func Ask(ctx context.Context, address string) (info Info, err error) {
	if err := call(ctx, http.MethodGet, address, "/v1/up", &info); err != nil {
		return Info{}, err
	}
	if info.PID == 0 {
		return Info{}, fmt.Errorf("%s: %w: somebody else does", address, ErrAbsent)
	}
	return info, nil
}

// Add has the `turbokv up` at an address start one more node, and returns when it is starting.
func Add(ctx context.Context, address string) (node Node, err error) {
	return node, call(ctx, http.MethodPost, address, "/v1/nodes", &node)
}

func call(ctx context.Context, method, address, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	r.Header.Set(orderHeader, "1")
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", address, ErrAbsent, err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w: %w", address, ErrAbsent, err)
	case reply.StatusCode == http.StatusConflict:
		return fmt.Errorf("%w: %s", ErrRefused, bytes.TrimSpace(body))
	case reply.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %w: %s", address, ErrAbsent, reply.Status)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s: %w: %w", address, ErrAbsent, err)
	}
	return nil
}
