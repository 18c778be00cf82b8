package port

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stack is a host with a network namespace of its own, on a thread of its own.
type stack struct {
	do chan func()
}

// newStack makes a host whose interface has the given address and is the other end of a new
// interface of the test's namespace.
func newStack(t *testing.T, address, iface string) stack {
	t.Helper()
	s := bareStack(t)
	var thread int
	s.run(func() { thread = unix.Gettid() })
	command(t, "link add %s type veth peer name eth0 netns %d", iface, thread)
	command(t, "link set %s up", iface)
	s.run(func() {
		command(t, "addr add %s dev eth0", address)
		command(t, "link set eth0 up")
	})
	return s
}

// bareStack has no interfaces.
func bareStack(t *testing.T) stack {
	t.Helper()
	s := stack{make(chan func())}
	t.Cleanup(func() { close(s.do) })
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread and its namespace end with the test
		err := unix.Unshare(unix.CLONE_NEWNET)
		ready <- err
		for f := range s.do {
			f()
		}
	}()
	if err := <-ready; err != nil {
		t.Skipf("needs a network namespace: %v", err)
	}
	return s
}

// run executes f on the host.
func (s stack) run(f func()) {
	done := make(chan struct{})
	s.do <- func() { defer close(done); f() }
	<-done
}

func command(t testing.TB, format string, args ...any) {
	if err := ip(format, args...); err != nil {
		t.Error(err)
	}
}

func ip(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	out, err := exec.Command("ip", strings.Fields(text)...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("ip %s: %w: %s", text, err, out)
	}
	return err
}

// reflect passes what one port receives on to another, until it is closed.
func reflect(from, to Port) {
	bufs := buffers(maxBatch)
	for {
		n, err := from.ReadBatch(bufs)
		if err != nil {
			return
		}
		to.WriteBatch(bufs[:n])
	}
}

// twoHosts returns two hosts and the two ports of a switch between them.
func twoHosts(t *testing.T, k kind) (a, b stack, ports [2]Port) {
	t.Helper()
	a, b = newStack(t, "10.8.0.1/24", "left"), newStack(t, "10.8.0.2/24", "right")
	awaitRunning(t, "left")
	awaitRunning(t, "right")
	for i, name := range []string{"left", "right"} {
		ports[i] = k.port(t, name)
	}
	go reflect(ports[0], ports[1])
	go reflect(ports[1], ports[0])
	return a, b, ports
}

// TestPacketCarriesTCP lets two hosts speak TCP, whose senders leave it to hardware to cut frames of
// up to 64 KiB. Every one of them must arrive, cut.
func TestPacketCarriesTCP(t *testing.T) { forAllKinds(t, testCarriesTCP) }

func testCarriesTCP(t *testing.T, k kind) {
	a, b, ports := twoHosts(t, k)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB
	var listener net.Listener
	var err error
	b.run(func() { listener, err = net.Listen("tcp4", "10.8.0.2:7000") })
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	received := make(chan [sha256.Size]byte, 1)
	go func() {
		hash := sha256.New()
		if conn, err := listener.Accept(); err == nil {
			_, _ = io.Copy(hash, conn)
		}
		received <- [sha256.Size]byte(hash.Sum(nil))
	}()
	var conn net.Conn
	a.run(func() { conn, err = net.DialTimeout("tcp4", "10.8.0.2:7000", 20*time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	late := conn.SetDeadline(time.Now().Add(time.Minute))
	_, err = conn.Write(data)
	if err := errors.Join(late, err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	select {
	case sum := <-received:
		if sum != sha256.Sum256(data) {
			t.Error("what arrived is not what was sent")
		}
	case <-time.After(time.Minute):
		t.Error("the transfer takes more than a minute")
	}
	for i, p := range ports {
		if drops := p.(Counting).Counters().RxDrops; drops > 0 {
			t.Errorf("port %d: %d frames lost", i, drops)
		}
	}
}

// TestPacketSurvivesALinkThatGoesDown takes each end of the cable down and up again.
func TestPacketSurvivesALinkThatGoesDown(t *testing.T) { forAllKinds(t, testSurvivesDown) }

func testSurvivesDown(t *testing.T, k kind) {
	a, b, _ := twoHosts(t, k)
	var server, client *net.UDPConn
	var err error
	b.run(func() { server, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 8, 0, 2), Port: 7000}) })
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	a.run(func() { client, err = net.DialUDP("udp4", nil, server.LocalAddr().(*net.UDPAddr)) })
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	go func() { // the server answers
		buf := make([]byte, 64)
		for {
			n, from, err := server.ReadFromUDP(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			_, _ = server.WriteToUDP(buf[:n], from)
		}
	}()
	answers := func(what string) {
		t.Helper()
		buf := make([]byte, 64)
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			_, _ = client.Write([]byte(what))
			_ = client.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			if n, err := client.Read(buf); err == nil && string(buf[:n]) == what {
				return
			}
		}
		t.Fatalf("%s: no answer through the switch", what)
	}
	answers("at first")
	for _, name := range []string{"left", "right"} {
		command(t, "link set %s down", name)
		_, _ = client.Write([]byte("into the dark")) // the port meets an interface that is down
		command(t, "link set %s up", name)
		answers(name + " came back")
	}
	a.run(func() { command(t, "link set eth0 down"); command(t, "link set eth0 up") })
	answers("the host's end came back")
}
