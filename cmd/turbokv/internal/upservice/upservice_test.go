package upservice

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// serve runs the service until the test ends and returns its address.
func serve(t *testing.T, add func(context.Context) (Node, error)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	info := Info{PID: os.Getpid(), DataDir: "/data", Base: 21590, Since: time.Now()}
	go func() { ended <- Serve(ctx, listener, info, add) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

func TestUpTellsWhoItIsAndAddsNodes(t *testing.T) {
	nodes := 5
	address := serve(t, func(context.Context) (Node, error) {
		if nodes++; nodes > 6 {
			return Node{}, errors.New("there are 6 nodes: no switch port is left")
		}
		return Node{Node: "10.0.0.6", Port: 6}, nil
	})
	info, err := Ask(t.Context(), address)
	if err != nil || info.PID != os.Getpid() || !strings.Contains(info.String(), "data in /data") {
		t.Errorf("%v, %v", info, err)
	}
	if n, err := Add(t.Context(), address); err != nil || n.Node != "10.0.0.6" || n.Port != 6 {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := Add(t.Context(), address); !errors.Is(err, ErrRefused) ||
		!strings.Contains(err.Error(), "no switch port is left") {
		t.Errorf("a node too many: %v", err)
	}
}

func TestWebPagesGiveNoOrders(t *testing.T) {
	address := serve(t, func(context.Context) (Node, error) {
		t.Error("a node was added")
		return Node{}, nil
	})
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.Header.Del(orderHeader) },
		func(r *http.Request) { r.Host = "rebound.example:21592" },
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"http://"+address+"/v1/nodes", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(orderHeader, "1")
		change(r)
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		reply.Body.Close()
		if reply.StatusCode != http.StatusForbidden {
			t.Errorf("%s with %v: %s", r.Host, r.Header, reply.Status)
		}
	}
}

func TestWhoeverElseAnswersIsNotUp(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for _, address := range []string{strings.TrimPrefix(other.URL, "http://"), "127.0.0.1:1"} {
		if _, err := Ask(t.Context(), address); !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
