// Package tunnel is a cable between two processes on one machine: Ethernet frames in UDP datagrams
// between two fixed addresses. It is compatible with the UDP ports of the built-in switch and with
// transport.Tunnel, and needs far less system time than they do, because it lets the kernel carry a
// run of frames of equal size through its UDP stack as one (UDP_SEGMENT and UDP_GRO, udp(7)). On
// the loopback interface that was measured as 0.3 instead of 4.7 µs a frame of 1,250 bytes.
//
// A Link is a port.Port and a transport.Link at once. Elsewhere than on Linux it is a plain tunnel.
package tunnel
