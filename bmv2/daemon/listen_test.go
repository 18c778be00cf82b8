package daemon

import (
	"net"
	"testing"
	"time"
)

// Beyond the bound, connections are closed at once; closing one makes room.
func TestConnectionsAreBounded(t *testing.T) {
	inner, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &limitedListener{Listener: inner}
	l.open.Store(maxConnections - 1)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	first := <-accepted
	refused := dial()
	if err := refused.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, err = refused.Read(make([]byte, 1))
	if timeout, ok := err.(net.Error); err == nil || ok && timeout.Timeout() {
		t.Errorf("one too many: %v", err)
	}
	_ = first.Close()
	_ = first.Close() // counts once
	if n := l.open.Load(); n != maxConnections-1 {
		t.Errorf("%d are open, want %d", n, maxConnections-1)
	}
	dial()
	_ = (<-accepted).Close()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	<-accepted
}
