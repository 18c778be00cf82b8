package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

const (
	// waiting is how many traces wait for a reader.
	waiting = 256
	// mostReaders bounds the readers of one switch: each slows the packets that it follows.
	mostReaders = 16
	// maxPause is how long a reader may read nothing while there is something to read.
	maxPause = 30 * time.Second
)

// Line is one line of the stream.
type Line struct {
	Switch uint64    `json:"switch"` // P4Runtime device id
	Time   time.Time `json:"time"`   // when the switch had handled the frame
	// Lost is how many traces were lost shortly before because the reader was slow.
	Lost uint64 `json:"lost,omitempty"`
	// Error says why the stream ends; the line has no trace then.
	Error string `json:"error,omitempty"`
	*v1model.Trace
}

// Handler returns what serves the traces of a switch at /trace.
func Handler(sw *daemon.Daemon) http.Handler {
	h := &handler{sw: sw}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /trace", h.serve)
	return mux
}

type handler struct {
	sw      *daemon.Daemon
	readers atomic.Int32
}

// reader is one stream.
type reader struct {
	device uint64
	lines  chan Line
	lost   atomic.Uint64
	ended  chan error
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	if h.readers.Add(1) > mostReaders {
		h.readers.Add(-1)
		http.Error(w, fmt.Sprintf("%d others read traces already", mostReaders),
			http.StatusServiceUnavailable)
		return
	}
	defer h.readers.Add(-1)
	filter, limit, err := ParseQuery(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	x := newReader(h.sw)
	stop, err := h.sw.Watch(filter, x.take, func(err error) { x.ended <- err })
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer stop()
	w.Header().Set("Content-Type", "application/x-ndjson")
	x.stream(w, r, limit)
}

// take is called by the switch.
func (x *reader) take(t *v1model.Trace) {
	select {
	case x.lines <- Line{Switch: x.device, Time: time.Now(), Trace: t}:
	default:
		x.lost.Add(1)
	}
}

// stream writes lines until the reader is gone or has enough.
func (x *reader) stream(w http.ResponseWriter, r *http.Request, limit int) {
	control := http.NewResponseController(w)
	out, flush := json.NewEncoder(w), control.Flush
	if flush() != nil {
		return
	}
	err := x.each(r.Context(), limit, func(line Line) error {
		// Who reads nothing must not keep the place of others.
		_ = control.SetWriteDeadline(time.Now().Add(maxPause))
		if err := out.Encode(line); err != nil || len(x.lines) > 0 {
			return err
		}
		return flush()
	})
	if errors.Is(err, ErrEnded) {
		_ = out.Encode(Line{Switch: x.device, Time: time.Now(), Error: err.Error()})
	}
}

// each hands lines out until there were enough, the context ends, or emit returns an error. The error
// is ErrEnded when the program was replaced by one that the filter does not fit.
func (x *reader) each(ctx context.Context, limit int, emit func(Line) error) error {
	for n := 0; limit == 0 || n < limit; n++ {
		select {
		case line := <-x.lines:
			line.Lost = x.lost.Swap(0)
			if err := emit(line); err != nil {
				return err
			}
		case err := <-x.ended:
			return fmt.Errorf("%w: %w", ErrEnded, err)
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// Watch calls emit for each frame that meets the filter, as the handler of /trace streams them, until
// the context ends or emit returns an error. following is called when frames are being followed. What
// emit is too slow for is lost, and the next line says how many were.
func Watch(ctx context.Context, sw *daemon.Daemon, filter v1model.Filter, following func(),
	emit func(Line) error) error {
	x := newReader(sw)
	stop, err := sw.Watch(filter, x.take, func(err error) { x.ended <- err })
	if err != nil {
		return err
	}
	defer stop()
	following()
	return x.each(ctx, 0, emit)
}

func newReader(sw *daemon.Daemon) *reader {
	return &reader{device: sw.DeviceID(), lines: make(chan Line, waiting), ended: make(chan error, 1)}
}
