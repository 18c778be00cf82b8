// Package wire is TurboKV's packet format, defined once: a fixed header of 168 bytes and a payload
// in one UDP datagram, as byte views in the manner of gVisor's tcpip/header. A Packet is the
// datagram itself; reading a field reads its bytes, so nothing is decoded that nobody asks for and
// nothing is allocated.
//
// The header has two parts. Part A (bytes 0 to 55) is written by the sender and covered, with the
// payload, by a CRC-32C. Part B (bytes 56 to 167) belongs to the switches: they resolve the index
// key to a sub-range and stamp epoch and chain into it. docs/PROTOCOL.md describes every field,
// operation and status; a test in p4src holds Layout against the header of the compiled P4
// program.
//
// Parse judges a packet once; afterwards the accessors of Packet and of its payload may be used
// without further checks.
package wire
