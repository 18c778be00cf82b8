// Package webtest opens web pages in a headless Chromium, for tests. Tests are skipped where there is
// none.
package webtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browsers are the names under which Chromium is installed, the leanest first.
var browsers = []string{
	"chromium-headless-shell", "headless-shell", "chromium", "chromium-browser", "google-chrome",
}

// patience bounds waits for something to be seen; a good run waits a small part of it.
const patience = 30 * time.Second

// ScreenshotVariable is the environment variable that names a folder for Shoot.
const ScreenshotVariable = "TURBOKV_SCREENSHOTS"

// Page is an open page.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	errors []string // that the console showed
}

// Open opens a page in a window of the given size in pixels, which is closed when the test ends. The
// test fails if the console of the page shows an error by then.
func Open(t testing.TB, url string, width, height int64) *Page {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(find(t)))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium does not run as root with it
	}
	browser, endBrowser := chromedp.NewExecAllocator(context.Background(), options...)
	p := &Page{t: t}
	ctx, end := chromedp.NewContext(browser, chromedp.WithListener(p.listen))
	p.ctx = ctx
	t.Cleanup(func() {
		end()
		endBrowser()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, e := range p.errors {
			t.Errorf("console of %s: %s", url, e)
		}
	})
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height),
		chromedp.Navigate(url)); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return p
}

// find returns the browser, or skips the test.
func find(t testing.TB) string {
	t.Helper()
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("no Chromium on this machine (looked for %s): the web page is not tested",
		strings.Join(browsers, ", "))
	return ""
}

// listen keeps what the console shows of errors.
func (p *Page) listen(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			text = fmt.Sprintf("%v", e.Args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			text = e.Entry.Text + " " + e.Entry.URL
		}
	}
	if text != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.errors = append(p.errors, text)
	}
}

// Await waits until a JavaScript expression is true.
func (p *Page) Await(expression string) {
	p.t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Poll[any](expression,
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		p.t.Fatalf("waiting for %s: %v; the page says:\n%s", expression, err,
			Eval[string](p, `document.body.innerText`))
	}
}

// Eval returns the value of a JavaScript expression.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Resize gives the window another size in pixels.
func (p *Page) Resize(width, height int64) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		p.t.Fatal(err)
	}
}

// Shoot saves a picture of the whole page, if the environment names a folder for pictures.
func (p *Page) Shoot(name string) {
	p.t.Helper()
	dir := os.Getenv(ScreenshotVariable)
	if dir == "" {
		return
	}
	const png = 100 // the quality that stands for it
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(png))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
