package procs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be started again as a child: its first argument says what it does.
func TestMain(m *testing.M) {
	if !IsChild() {
		os.Exit(m.Run())
	}
	ctx, stop := Context(context.Background())
	defer stop()
	switch os.Args[1] {
	case "serve":
		fmt.Println("serving")
		<-ctx.Done()
		fmt.Fprintln(os.Stderr, "stopping")
	case "hang":
		fmt.Println("serving")
		select {}
	case "fail":
		os.Exit(3)
	}
}

const patience = 20 * time.Second

// lines is an output that tells when it holds a text.
type lines struct {
	buf  bytes.Buffer
	want string
	seen chan struct{}
}

func newLines(want string) *lines { return &lines{want: want, seen: make(chan struct{})} }

func (l *lines) Write(p []byte) (int, error) {
	before := strings.Contains(l.buf.String(), l.want)
	n, err := l.buf.Write(p)
	if !before && strings.Contains(l.buf.String(), l.want) {
		close(l.seen)
	}
	return n, err
}

func (l *lines) wait(t *testing.T) {
	t.Helper()
	select {
	case <-l.seen:
	case <-time.After(patience):
		t.Fatalf("no %q in the output", l.want)
	}
}

func TestChildrenServeAndStop(t *testing.T) {
	out := newLines("[b] serving\n")
	g := NewGroup(out)
	for _, name := range []string{"a", "b"} {
		if err := g.Start(name, "serve"); err != nil {
			t.Fatal(err)
		}
	}
	out.wait(t)
	if err := g.Stop(patience); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"[a] serving\n", "[a] stopping\n", "[b] stopping\n"} {
		if !strings.Contains(out.buf.String(), want) {
			t.Errorf("no %q in %q", want, out.buf.String())
		}
	}
}

func TestAChildThatEndsIsReported(t *testing.T) {
	g := NewGroup(newLines(""))
	if err := g.Start("a", "fail"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-g.Ended():
		if err.Error() != "a ended: exit status 3" {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Fatal("not reported")
	}
	if err := g.Stop(patience); err != nil {
		t.Errorf("Stop tells again what Ended has told: %v", err)
	}
}

func TestAChildThatHangsIsKilled(t *testing.T) {
	out := newLines("serving")
	g := NewGroup(out)
	if err := g.Start("a", "hang"); err != nil {
		t.Fatal(err)
	}
	out.wait(t)
	err := g.Stop(50 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("Stop: %v", err)
	}
}

func TestAChildThatIsKilledComesBack(t *testing.T) {
	out := newLines("serving")
	g := NewGroup(out)
	if err := g.Start("a", "serve"); err != nil {
		t.Fatal(err)
	}
	out.wait(t)
	first, err := g.PID("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Kill("a"); err != nil {
		t.Fatal(err)
	}
	if err := g.Kill("a"); !errors.Is(err, ErrNoChild) {
		t.Errorf("killed twice: %v", err)
	}
	if err := g.Restart("a"); err != nil {
		t.Fatal(err)
	}
	if second, err := g.PID("a"); err != nil || second == first {
		t.Errorf("process %d after %d, %v", second, first, err)
	}
	if err := g.Stop(patience); err != nil {
		t.Error(err)
	}
	select {
	case err := <-g.Ended():
		if !strings.Contains(err.Error(), "exit status 0") { // that of Stop
			t.Errorf("a kill was reported: %v", err)
		}
	default:
	}
}
