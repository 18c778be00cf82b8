package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
)

// Errors of the handler.
var (
	errReadOnly = errors.New("ports may not be changed at this address")
	errForeign  = errors.New("changes are taken from programs of this machine only, not from web pages: " +
		"want the Content-Type application/json and an address or localhost as host")
	errRequest = errors.New(`want a body such as {"port": "3@veth2"}`)
)

// longestRequest bounds a body in bytes.
const longestRequest = 4096

// bodyTimeout bounds how long a body may take to come.
const bodyTimeout = 10 * time.Second

// Config connects a handler to a switch.
type Config struct {
	Switch *daemon.Daemon
	// Opener opens ports that are added.
	Opener port.Opener
	// Specs are the ports that the switch began with.
	Specs []port.Spec
	// MayChange allows ports to be added and removed.
	MayChange bool
}

// Port is a port of a switch.
type Port struct {
	Number uint16 `json:"port"`
	// Kind is interface, tunnel, cpu, or other: one that was not connected by its name.
	Kind string `json:"kind"`
	// Place is where the port leads, as after the @ of port.ParseSpec.
	Place string `json:"place,omitempty"`
	// Up says whether the link is up; a tunnel always is.
	Up bool `json:"up"`
	// State is up, down, or absent when the interface is not there.
	State string `json:"state"`
	// IO is how the frames of an interface move: ring, socket or xdp, and Problem why not better, or why
	// it cannot be opened.
	IO        string `json:"io,omitempty"`
	Workers   int    `json:"workers,omitempty"`
	Problem   string `json:"problem,omitempty"`
	RxFrames  uint64 `json:"rx_frames"`
	RxBytes   uint64 `json:"rx_bytes"`
	RxDrops   uint64 `json:"rx_drops"`
	TxFrames  uint64 `json:"tx_frames"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxDrops   uint64 `json:"tx_drops"`
	LinkDrops uint64 `json:"link_drops,omitempty"` // lost by the cable, if it has properties
}

// Kinds of ports.
const (
	KindInterface = "interface"
	KindTunnel    = "tunnel"
	KindCPU       = "cpu"
	KindOther     = "other"
)

// Table is a table of the program in service.
type Table struct {
	Name    string `json:"table"`
	Entries int    `json:"entries"`
}

// index is for people who look at the address with a browser. The first two are served by others.
const index = `A P4 switch.
/metrics  for Prometheus
/trace    what packets meet: /trace?port=1&limit=10
/ports    its ports
/tables   its tables
`

// handler serves one switch.
type handler struct {
	Config
	mu    sync.Mutex // while ports change; guards specs
	specs map[uint16]port.Spec
}

// Handler returns what serves the paths of the package comment.
func Handler(cfg Config) http.Handler {
	h := &handler{Config: cfg, specs: map[uint16]port.Spec{}}
	for _, s := range cfg.Specs {
		h.specs[s.Number] = s
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, index) })
	mux.HandleFunc("GET /ports", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, h.ports()) })
	mux.HandleFunc("GET /tables", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, h.tables()) })
	mux.HandleFunc("POST /ports", h.changing(h.add))
	mux.HandleFunc("DELETE /ports/{number}", h.changing(h.remove))
	return mux
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the reader is gone
}

// failure is the body of an answer that reports an error.
type failure struct {
	Error string `json:"error"`
}

// changing guards a request that changes something. f returns the status and what is answered.
func (h *handler) changing(f func(*http.Request) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, v, err := http.StatusForbidden, any(nil), errReadOnly
		switch {
		case !h.MayChange:
		case !local(r):
			err = errForeign
		default:
			status, v, err = h.change(w, r, f)
		}
		if err != nil {
			v = failure{err.Error()}
		}
		answer(w, status, v)
	}
}

// change reads the body, which may take its time, before it holds others up.
func (h *handler) change(
	w http.ResponseWriter, r *http.Request, f func(*http.Request) (int, any, error),
) (int, any, error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // not in every test
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, longestRequest))
	if err != nil {
		return http.StatusBadRequest, nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.mu.Lock()
	defer h.mu.Unlock()
	return f(r)
}

// local reports whether a request is not one that a web page can make: those with this type of content
// are asked about beforehand, which is not answered, and a page that has pointed a name of its own at
// this machine sends that name.
func local(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(host)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return (err == nil || host == "localhost") && kind == "application/json"
}

func (h *handler) add(r *http.Request) (int, any, error) {
	var body struct {
		Port string `json:"port"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return http.StatusBadRequest, nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	spec, err := port.ParseSpec(body.Port)
	if err != nil {
		return http.StatusBadRequest, nil, err
	}
	taken := func(p daemon.PortCounters) bool { return p.Number == spec.Number }
	if slices.ContainsFunc(h.Switch.Ports(), taken) {
		return http.StatusConflict, nil, fmt.Errorf("port %d: %w", spec.Number, daemon.ErrPortInUse)
	}
	p, err := h.Opener.Open(spec)
	if err != nil {
		return http.StatusUnprocessableEntity, nil, err
	}
	if err := h.Switch.AddPort(spec.Number, p); err != nil {
		return http.StatusConflict, nil, errors.Join(err, p.Close())
	}
	h.specs[spec.Number] = spec
	return http.StatusCreated, h.find(spec.Number), nil
}

func (h *handler) remove(r *http.Request) (int, any, error) {
	n, err := strconv.ParseUint(r.PathValue("number"), 10, 16)
	if err != nil || n > port.MaxNumber {
		return http.StatusBadRequest, nil, fmt.Errorf("port %q: want a number from 0 to %d",
			r.PathValue("number"), port.MaxNumber)
	}
	number := uint16(n)
	if number == h.Switch.CPUPort() {
		return http.StatusConflict, nil, fmt.Errorf("port %d is the way to controllers", number)
	}
	last := h.find(number)
	if err := h.Switch.RemovePort(number); errors.Is(err, daemon.ErrNoPort) {
		return http.StatusNotFound, nil, err
	} else if err != nil {
		return http.StatusInternalServerError, nil, err
	}
	delete(h.specs, number)
	return http.StatusOK, last, nil
}

// ports lists all ports.
func (h *handler) ports() []Port {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.list()
}

// find returns a port that may be there; h.mu is held.
func (h *handler) find(number uint16) Port {
	for _, p := range h.list() {
		if p.Number == number {
			return p
		}
	}
	return Port{Number: number}
}

// list returns all ports; h.mu is held.
func (h *handler) list() (all []Port) {
	for _, c := range h.Switch.Ports() {
		p := Port{Number: c.Number, Kind: KindOther, Up: c.State == port.Up, State: c.State.String(),
			RxFrames: c.RxFrames, RxBytes: c.RxBytes, RxDrops: c.RxDrops,
			TxFrames: c.TxFrames, TxBytes: c.TxBytes, TxDrops: c.TxDrops,
			LinkDrops: c.Link.TxLost + c.Link.RxLost + c.Link.TxDropped + c.Link.RxDropped}
		spec, known := h.specs[c.Number]
		switch {
		case c.Number == h.Switch.CPUPort():
			p.Kind = KindCPU
		case known && spec.Interface != "":
			p.Kind, p.Place = KindInterface, spec.Place()
			p.describe(c.Interface)
		case known:
			p.Kind, p.Place = KindTunnel, spec.Place()
		}
		all = append(all, p)
	}
	return all
}

// describe adds what is known of an interface; files that are played have none.
func (p *Port) describe(i port.Info) {
	if i.Interface == "" {
		return
	}
	p.Workers = i.Queues
	if i.State != port.Absent {
		p.IO = i.IO.String()
	}
	if i.ZeroCopy {
		p.IO += " (zero-copy)"
	}
	if i.Problem != nil {
		p.Problem = i.Problem.Error()
	}
}

func (h *handler) tables() []Table {
	sizes := h.Switch.TableSizes()
	all := []Table{}
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		all = append(all, Table{name, sizes[name]})
	}
	return all
}
