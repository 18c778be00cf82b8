// Package transport holds the two small doors between TurboKV and a network. A Link moves whole
// Ethernet frames: a port of the built-in switch, a UDP tunnel. A Conn moves UDP datagrams: NewHost
// makes one of a Link by putting Ethernet, IPv4 and UDP headers around them, ListenUDP one of a
// socket of the kernel, and Network is the in-memory twin for tests.
//
// Both doors work in batches and reuse their buffers, because the cost of a packet is mostly the
// cost of handing it over. Both are lossy, as networks are: a full queue drops, and says so in
// a counter, never by an error or by blocking the writer.
package transport
