// Package port holds the places where Ethernet frames enter and leave a switch.
//
// A [Port] moves whole frames in batches, so that one lock, one system call or one wake-up pays for
// many frames. Five kinds exist:
//
//   - [Mem]: one end of an in-memory cable made by [NewPair];
//   - [UDP]: one frame per UDP datagram, which needs no privileges ([ListenUDP], [DialTunnel]);
//   - [Interface]: a network interface of Linux ([OpenInterface]), which needs CAP_NET_RAW. It may go
//     away and come back;
//   - [Played]: a pcap file that is received, and one that is written, see [Replay];
//   - whatever else satisfies the interface.
//
// A switch port never blocks its writer. Where a real cable would lose a frame (full queue, peer
// absent), WriteBatch drops it and counts it; the caller sees the number of frames that went out.
// No port allocates memory per frame, and every port may be used by one reader and any number of
// writers at the same time.
//
// An interface moves its frames in one of three ways, see [IO]:
//
//   - socket ([Packet]): an AF_PACKET socket and recvmmsg;
//   - ring ([Packet]): an AF_PACKET socket that shares 8 MiB of memory with the kernel (1 for each worker at the least). It is the
//     usual way: it does all that a socket does, at less cost;
//   - xdp ([XDP]): AF_XDP sockets with 6 to 12 MiB for each receive queue. Frames never reach the
//     kernel's own protocols, nor tcpdump or tc on the interface, in either direction. It copies
//     least, and nothing where a driver has zero-copy.
//
// Whatever the way, frames come as they would be on a cable: hosts on virtual interfaces leave
// checksums, VLAN tags and the cutting of large frames to hardware, and nobody else does it for them.
// With several workers the kernel spreads frames over readers by a hash of addresses and ports of IP,
// so that a flow stays in order. All ways wait without using a processor.
//
// [Shape] puts a cable with delay, rate, queue and loss before a port, for kernels that cannot do it.
//
// [Tee] records what passes a port in pcap files. An [Opener] puts all of this together as a program
// asks for it.
//
// [ParseSpec] understands the command-line form of a port, such as 1@veth0 or 2@udp:127.0.0.1:5002.
package port
