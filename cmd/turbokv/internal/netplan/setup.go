package netplan

import (
	"fmt"
	"net/netip"
	"strings"
)

// noIPv6 keeps router solicitations and the like out of the data network. A kernel without IPv6 has no
// such file.
const noIPv6 = "f=/proc/sys/net/ipv6/conf/all/disable_ipv6; [ ! -e $f ] || echo 1 > $f"

// acceptOwn lets clients run on storage nodes: what such a client asks its own node comes back from the
// switch with an address of this host as its source, which the kernel takes for a forgery.
const acceptOwn = "echo 1 > /proc/sys/net/ipv4/conf/eth0/accept_local"

// setup returns the commands that make a place once its cables are there.
func (m *maker) setup(p Place) (out [][]string) {
	ip := func(format string, args ...any) {
		out = append(out, append([]string{"ip"}, strings.Fields(fmt.Sprintf(format, args...))...))
	}
	out = append(out, []string{"sh", "-c", noIPv6})
	if p.Kind == HostPlace {
		out = append(out, []string{"sh", "-c", acceptOwn})
	}
	ip("link set lo up")
	for _, x := range p.Interfaces {
		mac := ""
		if x.MAC != "" {
			mac = " address " + x.MAC
		}
		ip("link set %s%s mtu %d up", x.Name, mac, x.MTU)
		if x.Addr != (netip.Prefix{}) {
			ip("addr add %v dev %s", x.Addr, x.Name)
		}
	}
	for _, r := range p.Routes {
		onlink := ""
		if r.Onlink {
			onlink = " onlink"
		}
		ip("route add default via %v dev %s%s", r.Via, r.Interface, onlink)
	}
	for _, n := range p.Neighbours {
		ip("neigh replace %v lladdr %s dev %s nud permanent", n.Addr, n.MAC, n.Interface)
	}
	for _, x := range p.Interfaces {
		if x.NoChecksumOffload {
			out = append(out, []string{m.o.Binary, "netns", "offload", x.Name})
		}
		if tc := m.tc(x); tc != nil {
			out = append(out, tc)
		}
	}
	return out
}
