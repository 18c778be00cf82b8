package port

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	hostMAC   = "02:00:00:00:00:01"
	remoteMAC = "02:00:00:00:00:02"
)

// inNamespace runs the rest of the test in a network namespace with a veth pair: host0 has the
// address 10.9.0.1 and knows 10.9.0.2 as a neighbour, switch0 is bare.
func inNamespace(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for a network namespace and raw sockets")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs the ip command of iproute2")
	}
	// The thread is not given back: it dies with the test, and its namespace with it.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs a network namespace: %v", err)
	}
	for _, command := range []string{
		"link add host0 address " + hostMAC + " type veth peer name switch0",
		"addr add 10.9.0.1/24 dev host0",
		"link set host0 up",
		"link set switch0 up",
		"neigh add 10.9.0.2 lladdr " + remoteMAC + " dev host0",
	} {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v: %s", command, err, out)
		}
	}
	awaitRunning(t, "host0")
	awaitRunning(t, "switch0")
}

// awaitRunning waits until the kernel sends on the interface: for some time after "up" it drops.
func awaitRunning(t testing.TB, name string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		iface, err := net.InterfaceByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if iface.Flags&net.FlagRunning != 0 {
			return
		}
	}
	t.Fatalf("interface %s does not come up", name)
}

// kind is one way to move the frames of an interface.
type kind struct {
	name string
	open func(name string) (Port, error)
}

var kinds = []kind{
	{"socket", func(name string) (Port, error) { return OpenPacket(name) }},
	{"ring", func(name string) (Port, error) { return OpenRing(name) }},
	{"xdp", func(name string) (Port, error) { return OpenXDP(name) }},
}

// forAllKinds runs a test for each.
func forAllKinds(t *testing.T, test func(t *testing.T, k kind)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { inNamespace(t); test(t, k) })
	}
}

// skipWithoutXDP ends a test of what this machine does not have.
func skipWithoutXDP(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrNoXDP) {
		t.Skip(err)
	}
}

// port opens an interface. A test that waits too long for a frame is ended.
func (k kind) port(t testing.TB, name string) Port {
	t.Helper()
	p, err := k.open(name)
	skipWithoutXDP(t, err)
	if err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(2*time.Minute, func() { p.Close() })
	t.Cleanup(func() { late.Stop(); p.Close() })
	return p
}

// await reads until a frame of the wanted kind comes; the kernel sends frames of its own.
func await(t testing.TB, p Port, wanted func([]byte) bool) []byte {
	t.Helper()
	bufs := buffers(8)
	for {
		n, err := p.ReadBatch(bufs)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range bufs[:n] {
			if wanted(f) {
				return bytes.Clone(f)
			}
		}
	}
}

func isUDP(f []byte) bool {
	return len(f) >= 42 && binary.BigEndian.Uint16(f[12:]) == 0x0800 && f[23] == unix.IPPROTO_UDP
}

// udpChecksumGood adds pseudo header and datagram of an IPv4 frame without options.
func udpChecksumGood(f []byte) bool {
	length := binary.BigEndian.Uint16(f[38:])
	sum := onesSum(f[26:34]) + unix.IPPROTO_UDP + uint64(length)
	return fold(sum+onesSum(f[34:34+length])) == 0xffff
}

func TestPacketBothWays(t *testing.T) { forAllKinds(t, testBothWays) }

func testBothWays(t *testing.T, k kind) {
	port := k.port(t, "switch0")
	host, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 9, 0, 1), Port: 7000})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	remote := &net.UDPAddr{IP: net.IPv4(10, 9, 0, 2), Port: 7001}
	for _, text := range []string{"even", "odd"} {
		if _, err := host.WriteToUDP([]byte(text), remote); err != nil {
			t.Fatal(err)
		}
		up := await(t, port, isUDP)
		if got := string(up[42 : 42+len(text)]); got != text {
			t.Errorf("payload %q, want %q", got, text)
		}
		if !udpChecksumGood(up) {
			t.Errorf("the checksum of %q was left to hardware: %x", text, up)
		}
		if n, err := port.WriteBatch([][]byte{turnRound(up)}); n != 1 || err != nil {
			t.Fatalf("WriteBatch = %d, %v", n, err)
		}
		reply := make([]byte, 64)
		if err := host.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := host.Read(reply)
		if err != nil || string(reply[:n]) != text {
			t.Errorf("host received %q, %v, want %q", reply[:n], err, text)
		}
	}
}

// turnRound swaps the addresses and ports of a UDP frame, which leaves the checksums right.
func turnRound(f []byte) []byte {
	out := bytes.Clone(f)
	copy(out[0:], f[6:12])
	copy(out[6:], f[0:6])
	copy(out[26:], f[30:34])
	copy(out[30:], f[26:30])
	copy(out[34:], f[36:38])
	copy(out[36:], f[34:36])
	return out
}

// testFrame has an EtherType reserved for experiments, which the kernel leaves alone.
func testFrame(header string, size int) []byte {
	f := make([]byte, size)
	copy(f[copy(f, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"):], header)
	return f
}

func isTest(f []byte) bool {
	return bytes.Contains(f[12:18], []byte{0x88, 0xb5})
}

func TestPacketKeepsTags(t *testing.T) { forAllKinds(t, testKeepsTags) }

func testKeepsTags(t *testing.T, k kind) {
	left, right := k.port(t, "host0"), k.port(t, "switch0")
	for name, header := range map[string]string{
		"untagged": "\x88\xb5",
		"802.1Q":   "\x81\x00\xa0\x07\x88\xb5",
		"802.1ad":  "\x88\xa8\x00\x05\x88\xb5",
	} {
		want := testFrame(header, 100)
		left.WriteBatch([][]byte{want})
		if got := await(t, right, isTest); !bytes.Equal(got, want) {
			t.Errorf("%s:\ngot  %x\nwant %x", name, got, want)
		}
	}
}

func TestPacketDoesNotHearItself(t *testing.T) { forAllKinds(t, testDoesNotHearItself) }

func testDoesNotHearItself(t *testing.T, k kind) {
	left, right := k.port(t, "host0"), k.port(t, "switch0")
	left.WriteBatch([][]byte{testFrame("\x88\xb5own", 60)})
	await(t, right, isTest) // so ours went through the interface
	want := testFrame("\x88\xb5other", 60)
	right.WriteBatch([][]byte{want})
	if got := await(t, left, isTest); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPacketDropsTooLong(t *testing.T) { forAllKinds(t, testDropsTooLong) }

func testDropsTooLong(t *testing.T, k kind) {
	p := k.port(t, "switch0")
	n, err := p.WriteBatch([][]byte{make([]byte, MaxFrame+1), testFrame("\x88\xb5", 60)})
	if c := p.(Counting).Counters(); n != 1 || err != nil || c.TxDrops != 1 {
		t.Errorf("WriteBatch = %d, %v, counters %+v", n, err, c)
	}
}

func TestPacketCloseUnblocksReader(t *testing.T) { forAllKinds(t, testCloseUnblocksReader) }

func testCloseUnblocksReader(t *testing.T, k kind) {
	p := k.port(t, "switch0")
	result := make(chan error)
	go func() {
		for {
			if _, err := p.ReadBatch(buffers(1)); err != nil {
				result <- err
				return
			}
		}
	}()
	p.Close()
	if err := <-result; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadBatch after Close: %v", err)
	}
	if _, err := p.WriteBatch(numbered(1, 60)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteBatch after Close: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestPacketUnknownInterface(t *testing.T) {
	for _, k := range kinds {
		if _, err := k.open("no-such-if"); err == nil || !strings.Contains(err.Error(), "no-such-if") {
			t.Errorf("%s: error %v does not name the interface", k.name, err)
		}
	}
}

func TestPacketAllocatesNothing(t *testing.T) { forAllKinds(t, testAllocatesNothing) }

func testAllocatesNothing(t *testing.T, k kind) {
	left, right := k.port(t, "host0"), k.port(t, "switch0")
	frames, bufs := make([][]byte, 8), buffers(8)
	for i := range frames {
		frames[i] = testFrame("\x88\xb5", 200)
	}
	allocs := testing.AllocsPerRun(20, func() {
		left.WriteBatch(frames)
		for got := 0; got < 8; {
			n, err := right.ReadBatch(bufs)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for each batch", allocs)
	}
}

func TestPacketCarriesLongFrames(t *testing.T) { forAllKinds(t, testCarriesLongFrames) }

func testCarriesLongFrames(t *testing.T, k kind) {
	command(t, "link set host0 mtu 2100")
	command(t, "link set switch0 mtu 2100")
	left, right := k.port(t, "host0"), k.port(t, "switch0")
	want := testFrame("\x88\xb5", MaxFrame)
	for i := range want[14:] {
		want[14+i] = byte(i)
	}
	for _, frames := range [][][]byte{{want}, {append(want, 0), want}} {
		if n, err := left.WriteBatch(frames); n != 1 || err != nil {
			t.Fatalf("WriteBatch = %d, %v", n, err)
		}
		if got := await(t, right, isTest); !bytes.Equal(got, want) {
			t.Errorf("got\n%x, want\n%x", got, want)
		}
	}
	host, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(host)
	iface, err := net.InterfaceByName("host0")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range [][]byte{append(want, 0), want} { // whoever sends more loses it
		if err := unix.Sendto(host, f, 0, &unix.SockaddrLinklayer{Ifindex: iface.Index}); err != nil {
			t.Fatal(err)
		}
	}
	if got := await(t, right, isTest); !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
	if c := right.(Counting).Counters(); c.RxDrops == 0 {
		t.Errorf("a frame that is too long is not counted: %+v", c)
	}
}
