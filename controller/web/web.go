// Package web is the page on which people watch a cluster: its key space as a heat map over time, its
// nodes and chains, what the controller is changing and why, what has happened, and the switches.
//
// The page is HTML, CSS and JavaScript in this package, embedded in the program; it loads nothing from
// elsewhere. It gets its data as server-sent events: once what is remembered, then what is new, as a
// watch.Watcher sees it. It only shows; there is nothing to click that changes a cluster.
//
// Names come from users and texts from nodes, so the page never makes HTML of them: the script sets
// texts, and the security policy of the page forbids scripts and styles from anywhere else.
package web

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/turbokv/turbokv/controller/watch"
)

//go:embed static
var static embed.FS

// policy lets the page load its own files only, and nobody frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// keepAlive is how long a stream stays silent: proxies end those that do for a minute.
const keepAlive = 15 * time.Second

// New returns the handler of the page of what a watcher sees:
//
//	GET /            the page; its other files beside it
//	GET /api/stream  server-sent events "hello", "state", "sample", "event"
//	GET /api/state   the last state as JSON
//
// The streams end with their requests, or when the base context of the server does.
func New(w *watch.Watcher) http.Handler {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	p := &page{watcher: w, files: files}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) { p.file(rw, "index.html") })
	mux.HandleFunc("GET /{file}", func(rw http.ResponseWriter, r *http.Request) {
		p.file(rw, r.PathValue("file"))
	})
	mux.HandleFunc("GET /api/state", p.state)
	mux.HandleFunc("GET /api/stream", p.stream)
	return secure(mux)
}

// secure sets the headers of every answer.
func secure(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		header := rw.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-cache")
		h.ServeHTTP(rw, r)
	})
}

type page struct {
	watcher *watch.Watcher
	files   fs.FS
}

// types are the media types of the files, so that they do not depend on the machine.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func (p *page) file(rw http.ResponseWriter, name string) {
	body, err := fs.ReadFile(p.files, name)
	if err != nil {
		http.Error(rw, fmt.Sprintf("there is no %q here", name), http.StatusNotFound)
		return
	}
	rw.Header().Set("Content-Type", types[path.Ext(name)])
	_, _ = rw.Write(body) // fails only when nobody listens any more
}

func (p *page) state(rw http.ResponseWriter, _ *http.Request) {
	look, _ := p.watcher.Last()
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write(encode(stateOf(look))) // fails only when nobody listens any more
}
