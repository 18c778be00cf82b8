// Package port holds the places where Ethernet frames enter and leave a switch.
//
// A [Port] moves whole frames in batches, so that one lock, one system call or one wake-up pays for
// many frames. Five kinds exist:
//
//   - [Mem]: one end of an in-memory cable made by [NewPair];
//   - [UDP]: one frame per UDP datagram, which needs no privileges ([ListenUDP], [DialTunnel]);
//   - [Packet]: an AF_PACKET socket on a Linux interface ([OpenPacket]), which needs CAP_NET_RAW;
//   - [Played]: a pcap file that is received, and one that is written, see [Replay];
//   - whatever else satisfies the interface.
//
// A switch port never blocks its writer. Where a real cable would lose a frame (full queue, peer
// absent), WriteBatch drops it and counts it; the caller sees the number of frames that went out.
// No port allocates memory per frame, and every port may be used by one reader and any number of
// writers at the same time.
//
// [Shape] puts a cable with delay, rate, queue and loss before a port, for kernels that cannot do it.
//
// [Tee] records what passes a port in pcap files. An [Opener] puts all of this together as a program
// asks for it.
//
// [ParseSpec] understands the command-line form of a port, such as 1@veth0 or 2@udp:127.0.0.1:5002.
package port
