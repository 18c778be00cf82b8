package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/turbokv/turbokv/controller/watch"
)

// viewer is one open page.
type viewer struct {
	watcher *watch.Watcher
	out     http.ResponseWriter
	flush   func() error

	shown   bool   // a look was sent
	look    uint64 // number of the last one sent
	event   uint64 // number of the last one sent
	sampled time.Time
	cuts    cuts
}

// stream sends what is remembered, and then what is new, until the page is closed.
func (p *page) stream(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "text/event-stream")
	v := &viewer{watcher: p.watcher, out: rw, flush: http.NewResponseController(rw).Flush}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	if v.hello() != nil {
		return
	}
	for {
		look, news := p.watcher.Last()
		if v.send(look) != nil {
			return
		}
		select {
		case <-news:
		case <-alive.C:
			if _, err := fmt.Fprint(rw, ": still here\n\n"); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// hello sends what is remembered.
func (v *viewer) hello() error {
	m := helloMessage{Samples: []sampleMessage{}, Events: []eventMessage{}}
	for _, s := range v.watcher.Samples() {
		m.Samples = append(m.Samples, v.cuts.sample(s))
		v.sampled = s.At
	}
	for _, e := range v.watcher.Events(0) {
		m.Events = append(m.Events, eventOf(e))
		v.event = e.Number
	}
	return v.put("hello", m)
}

// send sends what is newer than what was sent.
func (v *viewer) send(look watch.Look) error {
	for _, e := range v.watcher.Events(v.event) {
		if err := v.put("event", eventOf(e)); err != nil {
			return err
		}
		v.event = e.Number
	}
	for _, s := range v.watcher.Samples() {
		if !s.At.After(v.sampled) {
			continue
		}
		if err := v.put("sample", v.cuts.sample(s)); err != nil {
			return err
		}
		v.sampled = s.At
	}
	if !v.shown || look.Number != v.look {
		v.shown, v.look = true, look.Number
		if err := v.put("state", stateOf(look)); err != nil {
			return err
		}
	}
	return v.flush()
}

// put writes one message. JSON has no line ends, which would end it.
func (v *viewer) put(kind string, message any) error {
	_, err := fmt.Fprintf(v.out, "event: %s\ndata: %s\n\n", kind, encode(message))
	return err
}

// encode makes JSON that is harmless in HTML too.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("web: %v", err)) // numbers come finite, and texts as valid as they may
	}
	return b
}
