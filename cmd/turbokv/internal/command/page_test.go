package command

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/turbokv/turbokv/controller/web/webtest"
)

// writing writes to the default cluster, so that there is load to see, until stop is called.
func writing(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			Run(ctx, []string{"put", "greeting", "hello"},
				Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// The page shows a cluster of `turbokv up` as it changes.
func TestThePageOfACluster(t *testing.T) {
	up(t, "--http", "127.0.0.1:0")
	p := webtest.Open(t, page(t), 1440, 900)
	p.Await(`document.body.dataset.ready === "true"`)
	p.Await(`document.querySelectorAll(".node").length === 3`)
	p.Await(`document.querySelector("#switches .chip").innerText === "synced"`)
	p.Await(`document.querySelectorAll(".event").length > 3`)

	stop := writing(t)
	p.Await(`/[1-9]/.test(document.querySelectorAll(".figure .value")[2].innerText)`)
	stop()
	run(t, "keyspace", "create", "seen", "--cut", "user5")
	p.Await(`[...document.querySelectorAll(".keyspace h3")].some((e) => e.innerText === "seen")`)
	run(t, "add")
	p.Await(`document.querySelectorAll(".node").length === 4`)
	run(t, "split", "2", "--at", "0x04", "--wait")
	p.Await(`document.querySelector("#events").innerText.includes("plan done")`)
	run(t, "drain", "10.0.0.2", "--wait")
	p.Await(`[...document.querySelectorAll(".node")][1].innerText.includes("drained")`)
	p.Shoot("cluster")

	p.Resize(380, 800)
	if width := webtest.Eval[int](p, `document.documentElement.scrollWidth`); width > 380 {
		t.Errorf("at 380 pixels the page is %d wide", width)
	}
	p.Shoot("cluster-phone")
}
