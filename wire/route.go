package wire

import (
	"encoding/binary"
	"net/netip"

	"github.com/turbokv/turbokv/kv"
)

// RouteSize is the length of part B, which belongs to the switch, in bytes.
const RouteSize = HeaderSize - offClientIP

// Route returns part B. It points into the packet.
func (p Packet) Route() []byte { return p[offClientIP:HeaderSize:HeaderSize] }

// ClientAddr returns the address to which the reply goes; a switch fills it in when it resolves.
func (p Packet) ClientAddr() netip.AddrPort {
	ip := netip.AddrFrom4([4]byte(p[offClientIP : offClientIP+4]))
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(p[offClientPort:]))
}

// SetClientAddr sets the reply address; a must be IPv4.
func (p Packet) SetClientAddr(a netip.AddrPort) {
	ip := a.Addr().Unmap().As4()
	copy(p[offClientIP:], ip[:])
	binary.BigEndian.PutUint16(p[offClientPort:], a.Port())
}

// ScanBudget returns into how many further sub-ranges a switch may split the scan.
func (p Packet) ScanBudget() uint8 { return p[offScanBudget] }

// SetScanBudget sets the scan budget.
func (p Packet) SetScanBudget(n uint8) { p[offScanBudget] = n }

// SubRange returns the sub-range that a switch resolved, 0 before.
func (p Packet) SubRange() kv.SubRangeID {
	return kv.SubRangeID(binary.BigEndian.Uint32(p[offSubRange:]))
}

// Epoch returns the epoch that a switch stamped with the sub-range.
func (p Packet) Epoch() kv.Epoch { return kv.Epoch(binary.BigEndian.Uint32(p[offEpoch:])) }

// SetSubRange sets sub-range and epoch, which always change together.
func (p Packet) SetSubRange(s kv.SubRangeID, e kv.Epoch) {
	binary.BigEndian.PutUint32(p[offSubRange:], uint32(s))
	binary.BigEndian.PutUint32(p[offEpoch:], uint32(e))
}

// IndexKey returns the index key; of a scan, the first of the piece.
func (p Packet) IndexKey() kv.IndexKey { return kv.IndexKey(p[offIndexKey : offIndexKey+16]) }

// SetIndexKey sets the index key.
func (p Packet) SetIndexKey(k kv.IndexKey) { copy(p[offIndexKey:], k[:]) }

// EndIndexKey returns the last index key of a scan or of its piece; it belongs to the piece.
func (p Packet) EndIndexKey() kv.IndexKey { return kv.IndexKey(p[offEndIndexKey : offEndIndexKey+16]) }

// SetEndIndexKey sets the last index key of a scan.
func (p Packet) SetEndIndexKey(k kv.IndexKey) { copy(p[offEndIndexKey:], k[:]) }

// ChainLength returns the number of nodes in the stamped chain, 0 to kv.MaxChain.
func (p Packet) ChainLength() int { return int(p[offChainLength]) }

// ChainPosition returns the place in the chain to which the packet is addressed, head 0.
func (p Packet) ChainPosition() int { return int(p[offChainPos]) }

// ChainNode returns node i of the stamped chain, 0 <= i < kv.MaxChain.
func (p Packet) ChainNode(i int) kv.NodeID {
	return kv.NodeID(binary.BigEndian.Uint32(p[offChain+4*i:]))
}

// SetChain stamps a chain and the place in it to which the packet goes.
func (p Packet) SetChain(c kv.Chain, position int) {
	p[offChainLength], p[offChainPos] = byte(len(c)), byte(position)
	for i := range kv.MaxChain {
		var n kv.NodeID
		if i < len(c) {
			n = c[i]
		}
		binary.BigEndian.PutUint32(p[offChain+4*i:], uint32(n))
	}
}

// Field is one field of the header: its name in the P4 program, and where it lies.
type Field struct {
	Name      string
	BitOffset int
	Bits      int
}

// Layout lists the header's fields in order, part A then part B, without gaps. The names are those
// of the header types tkv_fixed_t and tkv_route_t of p4src.
func Layout() (fixed, route []Field) {
	return layoutA.at(0), layoutB.at(crcCovered + 4)
}

type fieldBytes struct {
	name  string
	bytes int
}

type fieldList []fieldBytes

func (l fieldList) at(byteOffset int) []Field {
	var out []Field
	for _, f := range l {
		out = append(out, Field{Name: f.name, BitOffset: 8 * byteOffset, Bits: 8 * f.bytes})
		byteOffset += f.bytes
	}
	return out
}

var layoutA = fieldList{
	{"magic", 2}, {"version", 1}, {"op", 1}, {"flags", 2}, {"status", 1}, {"reserved_a", 1},
	{"keyspace", 2}, {"fragment_index", 2}, {"fragment_count", 2}, {"payload_length", 2},
	{"client_id", 8}, {"sequence", 8}, {"lowest_outstanding", 8}, {"record_version", 8},
	{"reserved_b", 4}, {"crc32c", 4},
}

var layoutB = fieldList{
	{"client_ip", 4}, {"client_port", 2}, {"scan_budget", 1}, {"reserved_c", 1},
	{"sub_range", 4}, {"epoch", 4}, {"index_key", 16}, {"end_index_key", 16},
	{"timestamp", 8}, {"txn_id", 8}, {"participant_index", 1}, {"participant_count", 1},
	{"chain_length", 1}, {"chain_position", 1},
	{"chain0", 4}, {"chain1", 4}, {"chain2", 4}, {"chain3", 4}, {"chain4", 4}, {"chain5", 4},
	{"auth_key_id", 4}, {"auth_tag", 16},
}
