package port

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// awaitState waits until a port is in a state.
func awaitState(t *testing.T, states <-chan State, want State) {
	t.Helper()
	for late := time.After(30 * time.Second); ; {
		select {
		case s := <-states:
			if s == want {
				return
			}
		case <-late:
			t.Fatalf("the port does not become %v", want)
		}
	}
}

// follow returns the states of a port, the present one first.
func follow(p Stated) <-chan State {
	states := make(chan State, 100)
	now := p.Notify(func(s State) { states <- s })
	states <- now
	return states
}

// TestInterfaceSurvives takes an interface away in all ways, brings it back, and sends frames both
// ways after each.
func TestInterfaceSurvives(t *testing.T) {
	for _, io := range []IO{IOSocket, IORing, IOXDP} {
		t.Run(io.String(), func(t *testing.T) {
			inNamespace(t)
			i, err := OpenInterface(InterfaceConfig{Name: "switch0", IO: io})
			skipWithoutXDP(t, err)
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			states := follow(i)
			awaitState(t, states, Up)
			passes(t, i, 60)
			command(t, "link set switch0 down")
			awaitState(t, states, Down)
			command(t, "link set switch0 up")
			awaitState(t, states, Up)
			passes(t, i, 60)
			command(t, "link set host0 down") // the carrier is lost
			awaitState(t, states, Down)
			command(t, "link set host0 up")
			awaitState(t, states, Up)
			passes(t, i, 60)
			for _, away := range []string{"link del switch0", "link set switch0 name other0",
				fmt.Sprint("link set switch0 netns ", otherNamespace(t))} {
				command(t, "%s", away)
				awaitState(t, states, Absent)
				if n, err := i.WriteBatch([][]byte{testFrame("\x88\xb5", 60)}); n != 0 || err != nil {
					t.Errorf("%s: WriteBatch = %d, %v", away, n, err)
				}
				_ = ip("link del host0")
				command(t, "link add host0 type veth peer name switch0")
				command(t, "link set host0 up")
				command(t, "link set switch0 up")
				awaitState(t, states, Up)
				passes(t, i, 60)
			}
			if info := i.Info(); info.IO != io || info.Problem != nil || info.State != Up {
				t.Errorf("info %+v", info)
			}
		})
	}
}

// passes sends a frame through switch0 both ways. Frames are lost for some time after a link came up.
func passes(t *testing.T, i *Interface, size int) {
	t.Helper()
	host, err := OpenPacket("host0")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	for _, way := range []struct{ from, to Port }{{host, i}, {i, host}} {
		arrived := make(chan struct{})
		go func() {
			defer close(arrived)
			await(t, way.to, func(f []byte) bool { return isTest(f) && len(f) == size })
		}()
		late := time.After(30 * time.Second)
		for again := time.NewTicker(5 * time.Millisecond); ; {
			_, _ = way.from.WriteBatch([][]byte{testFrame("\x88\xb5", size)})
			select {
			case <-arrived:
			case <-again.C:
				continue
			case <-late:
				t.Fatal("no frame passes")
			}
			break
		}
	}
}

// otherNamespace returns a thread that has a network namespace of its own.
func otherNamespace(t *testing.T) (thread int) {
	s := bareStack(t)
	s.run(func() { thread = unix.Gettid() })
	return thread
}

// TestInterfaceTakesLongerFrames raises the MTU while the port is open.
func TestInterfaceTakesLongerFrames(t *testing.T) {
	inNamespace(t)
	i, err := OpenInterface(InterfaceConfig{Name: "switch0", IO: IOXDP})
	skipWithoutXDP(t, err)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	command(t, "link set switch0 mtu 2100")
	command(t, "link set host0 mtu 2100")
	passes(t, i, MaxFrame)
}

func TestInterfaceMayComeLater(t *testing.T) {
	inNamespace(t)
	i, err := OpenInterface(InterfaceConfig{Name: "late0", Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	states := follow(i)
	awaitState(t, states, Absent)
	command(t, "link del host0")
	command(t, "link add host0 type veth peer name late0")
	awaitState(t, states, Down)
	command(t, "link set host0 up")
	command(t, "link set late0 up")
	awaitState(t, states, Up)
	passes(t, i, 60)
	if info := i.Info(); info.IO != IORing {
		t.Errorf("info %+v", info)
	}
}

// attribute encodes one attribute of a netlink message.
func attribute(kind uint16, value string) []byte {
	out := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	out = append(binary.NativeEndian.AppendUint16(out, kind), value...)
	return append(out, make([]byte, -len(value)&3)...)
}

func TestParseLink(t *testing.T) {
	body := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(body[4:], 7)
	binary.NativeEndian.PutUint32(body[8:], unix.IFF_UP|unix.IFF_RUNNING)
	body = append(body, attribute(unix.IFLA_ADDRESS, "abcdef")...)
	body = append(body, attribute(unix.IFLA_IFNAME, "veth0\x00")...)
	body = append(body, attribute(unix.IFLA_MTU, "\xdc\x05\x00\x00")...)
	index, l, ok := parseLink(body)
	if want := (namedLink{"veth0", linkState{7, true, 1500}}); index != 7 || l != want || !ok {
		t.Errorf("got %d, %+v, %v, want %+v", index, l, ok, want)
	}
	body[0] = unix.AF_BRIDGE
	if _, _, ok := parseLink(body); ok {
		t.Error("a message about the port of a bridge is taken for one about an interface")
	}
}

func FuzzMonitor(f *testing.F) {
	f.Add([]byte("\x10\x00\x00\x00\x10\x00\x00\x00seq.pid."))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &monitor{links: make(map[int32]namedLink), seen: make(map[int32]bool)}
		m.again = false
		for _, kind := range []uint16{unix.RTM_NEWLINK, unix.RTM_DELLINK} {
			message := binary.NativeEndian.AppendUint32(nil, uint32(16+len(data)))
			message = binary.NativeEndian.AppendUint16(message, kind)
			message = append(message, make([]byte, 10)...)
			m.handle(append(message, data...))
			if kind == unix.RTM_NEWLINK && len(m.links) > 1 {
				t.Errorf("one message made %d interfaces", len(m.links))
			}
		}
		if len(m.links) > 0 {
			t.Errorf("%+v is not deleted by the message that made it", m.links)
		}
	})
}
