package kv

import (
	"fmt"
	"net/netip"
)

// KeyspaceID names a keyspace on the wire. Zero is the system keyspace, in which the controller
// keeps the descriptors that clients look up by name.
type KeyspaceID uint16

// SystemKeyspace holds one record per keyspace: its name is the key, its Descriptor the value.
const SystemKeyspace KeyspaceID = 0

// SubRangeID names a sub-range and indexes the counters of the switch. Zero means "not resolved".
type SubRangeID uint32

// Epoch counts the configurations of one sub-range. Zero means "never configured".
type Epoch uint32

// Seq is the place of an update in the order that the head of a sub-range gives, starting at 1
// and gapless (I3). Zero means "before the first update".
type Seq uint64

// Version tells one state of a record from every other: the Seq of the update that wrote it.
// Zero means "absent".
type Version uint64

// ClientID names a client session for exactly-once execution (I5). Zero is reserved for messages
// between nodes.
type ClientID uint64

// RequestSeq numbers the requests of one client session, starting at 1.
type RequestSeq uint64

// NodeID is the identity of a storage node: its IPv4 address on the data network, big-endian.
// Zero means "no node".
type NodeID uint32

// NodeIDOf returns the node identity of an IPv4 address; any other address gives the zero NodeID.
func NodeIDOf(a netip.Addr) NodeID {
	a = a.Unmap()
	if !a.Is4() {
		return 0
	}
	b := a.As4()
	return NodeID(b[0])<<24 | NodeID(b[1])<<16 | NodeID(b[2])<<8 | NodeID(b[3])
}

// Addr returns the IPv4 address of the node.
func (n NodeID) Addr() netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// String gives the dotted address.
func (n NodeID) String() string {
	if n == 0 {
		return "none"
	}
	return n.Addr().String()
}

// String gives the number with its kind, as in "sub-range 7".
func (s SubRangeID) String() string { return fmt.Sprintf("sub-range %d", uint32(s)) }

// String gives the number with its kind, as in "epoch 3".
func (e Epoch) String() string { return fmt.Sprintf("epoch %d", uint32(e)) }
