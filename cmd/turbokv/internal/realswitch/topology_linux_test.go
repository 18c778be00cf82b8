package realswitch_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/turbokv/turbokv/transport"
)

// nodes is the number of storage nodes, one more than there are replicas; node i hangs on switch
// port i, from 1.
const nodes = 4

// clientPort is the switch port of the client.
const clientPort = nodes + 1

// dataLink is the interface to the switch within the namespace of a host.
const dataLink = "data"

// gateway stands for everything behind the switch. Nobody has this address: it only names the
// Ethernet address of a route.
const gateway = "10.255.255.254"

var clientAddr = netip.AddrFrom4([4]byte{10, 0, 1, 1})

// nodeAddr is the address of a node in the data network.
func nodeAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }

// controlAddr is the controller's address as node i sees it, on a cable of their own.
func controlAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 253, byte(i), 1}) }

// portName is the switch's end of the cable to a host.
func portName(number int) string { return fmt.Sprintf("port%d", number) }

// topology is a set of network namespaces: one for switch and controller, one a node, and one for
// clients.
type topology struct{ prefix string }

func (p topology) core() string      { return p.prefix + "core" }
func (p topology) node(i int) string { return fmt.Sprintf("%snode%d", p.prefix, i) }
func (p topology) client() string    { return p.prefix + "client" }

// requireNamespaces skips the test where it cannot have network namespaces.
func requireNamespaces(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs the ip command of iproute2")
	}
	sweep(t)
	probe := prefixOf(os.Getpid()) + "probe"
	if err := ip("netns add " + probe); err != nil {
		t.Skipf("needs permission to make network namespaces: %v", err)
	}
	err := errors.Join(ip("netns exec "+probe+" ip link show"), ip("netns del "+probe))
	if err != nil {
		t.Skipf("needs permission to use network namespaces: %v", err)
	}
}

// prefixOf begins the names of all namespaces of a test process.
func prefixOf(pid int) string { return fmt.Sprintf("turbokv-%d-", pid) }

// sweep removes the namespaces of test processes that were killed.
func sweep(t testing.TB) {
	t.Helper()
	names, err := filepath.Glob("/run/netns/turbokv-*-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range names {
		var pid int
		name := filepath.Base(path)
		_, err := fmt.Sscanf(name, "turbokv-%d-", &pid)
		if err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = ip("netns del " + name) // another test process may do the same
		}
	}
}

// ip runs the ip command on words.
func ip(words string) error {
	out, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", words, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// must runs ip commands that must succeed.
func must(t testing.TB, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if err := ip(c); err != nil {
			t.Fatal(err)
		}
	}
}

// newTopology builds the namespaces and their cables; they go when the test ends.
func newTopology(t testing.TB) topology {
	t.Helper()
	p := topology{prefixOf(os.Getpid())}
	p.addSpace(t, p.core())
	for i := range nodes {
		number := i + 1
		p.addSpace(t, p.node(number))
		p.cableData(t, p.node(number), number, nodeAddr(number))
		p.cableControl(t, number)
	}
	p.addSpace(t, p.client())
	p.cableData(t, p.client(), clientPort, clientAddr)
	return p
}

func (p topology) addSpace(t testing.TB, name string) {
	t.Helper()
	must(t, "netns add "+name)
	t.Cleanup(func() {
		if err := ip("netns del " + name); err != nil {
			t.Error(err)
		}
	})
	must(t, "-n "+name+" link set lo up")
}

// cableData connects a host to a switch port. ARP is off, because the switch routes by IPv4 and
// answers none: the only neighbour is the gateway, and everything lies behind it.
func (p topology) cableData(t testing.TB, space string, number int, addr netip.Addr) {
	t.Helper()
	core, host := "-n "+p.core()+" ", "-n "+space+" "
	must(t,
		core+"link add "+portName(number)+" type veth peer name "+dataLink+" netns "+space,
		core+"link set "+portName(number)+" up",
		fmt.Sprintf("%slink set %s address %v arp off up", host, dataLink, macOf(addr)),
		fmt.Sprintf("%saddr add %v/32 dev %s", host, addr, dataLink),
		fmt.Sprintf("%sneigh replace %s lladdr %s dev %s nud permanent", host, gateway,
			macText(transport.GatewayMAC), dataLink),
		fmt.Sprintf("%sroute add default via %s dev %s onlink", host, gateway, dataLink),
	)
	if err := inside(space, func() error { return checksumInSoftware(dataLink) }); err != nil {
		t.Fatal(err)
	}
}

// cableControl connects a node to the controller's gRPC service, apart from the data network.
func (p topology) cableControl(t testing.TB, number int) {
	t.Helper()
	core, host := "-n "+p.core()+" ", "-n "+p.node(number)+" "
	link, addr := fmt.Sprintf("control%d", number), controlAddr(number)
	must(t,
		core+"link add "+link+" type veth peer name control netns "+p.node(number),
		core+fmt.Sprintf("addr add %v/30 dev %s", addr, link),
		core+"link set "+link+" up",
		host+fmt.Sprintf("addr add %v/30 dev control", addr.Next()),
		host+"link set control up",
	)
}

// macOf is the text of the Ethernet address that the switch expects of a host.
func macOf(addr netip.Addr) string { return macText(transport.MACOf(addr)) }

func macText[M ~[6]byte](m M) string {
	b := [6]byte(m)
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5])
}

// inside runs f in a network namespace; what it opens stays there.
func inside(space string, f func() error) (err error) {
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("own network namespace: %w", err)
	}
	defer func() {
		if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
			panic(back) // this thread must not serve anybody else, and cannot end either
		}
		runtime.UnlockOSThread()
		err = errors.Join(err, unix.Close(home))
	}()
	away, err := unix.Open("/run/netns/"+space, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("network namespace %s: %w", space, err)
	}
	defer unix.Close(away)
	if err := unix.Setns(away, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", space, err)
	}
	return f()
}

// checksumInSoftware turns off transmit checksum offload, as ethtool -K tx off does: on a veth pair
// nobody would ever complete the checksum of a frame that simple_switch_grpc forwards.
func checksumInSoftware(link string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	value := struct{ command, data uint32 }{command: unix.ETHTOOL_STXCSUM} // struct ethtool_value
	request := struct {                                                    // struct ifreq
		name  [unix.IFNAMSIZ]byte
		value unsafe.Pointer
		_     [16]byte
	}{value: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], link)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL,
		uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(&value)
	if errno != 0 {
		return fmt.Errorf("interface %s: transmit checksum offload off: %w", link, errno)
	}
	return nil
}
