package hops

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// request is the identity of a request.
type request struct {
	client   kv.ClientID
	sequence kv.RequestSeq
}

// packet is what a packet says.
type packet struct {
	request
	store      bool // it has the store's header
	op         wire.Op
	status     wire.Status
	reply      bool
	fromSwitch bool
	index, end kv.IndexKey
	key        string    // of a request, else empty
	flow       wire.Flow // who sends it to whom
	resolved   bool      // a switch has chosen the node
	other      string    // a packet that is not of the store
}

// headers finds fields by name.
type headers map[string]map[string]v1model.Bytes

func headersOf(list []v1model.Header) headers {
	out := headers{}
	for _, h := range list {
		out[h.Name] = map[string]v1model.Bytes{}
		for _, f := range h.Fields {
			out[h.Name][f.Name] = f.Value
		}
	}
	return out
}

// field takes a full name apart, as in "tkv_fixed.op".
func (h headers) field(full string) v1model.Bytes {
	header, name, _ := strings.Cut(full, ".")
	return h[header][name]
}

func (h headers) number(full string) (v uint64) {
	for _, b := range h.field(full) {
		v = v<<8 | uint64(b)
	}
	return v
}

// packetOf reads a packet. The switch parses only requests: answers are plain UDP to it, so the frame
// is read here.
func packetOf(list []v1model.Header, frame []byte) (p packet) {
	h := headersOf(list)
	if h["packet_out"] != nil {
		const size = 2
		frame = frame[min(size, len(frame)):]
	}
	flow, payload, ok := wire.ParseFrame(frame)
	if !ok || len(payload) < wire.HeaderSize || wire.Packet(payload).Magic() != wire.Magic {
		p.other = otherOf(h)
		return p
	}
	w := wire.Packet(payload)
	p = packet{
		request: request{w.Client(), w.Sequence()}, store: true, op: w.Op(), status: w.Status(),
		reply: w.Flags()&wire.FlagReply != 0, fromSwitch: w.Flags()&wire.FlagFromSwitch != 0,
		index: w.IndexKey(), end: w.EndIndexKey(), flow: flow, resolved: w.ChainLength() > 0,
	}
	if p.reply || p.op == wire.OpScan || p.op.Class() > wire.ClassWrite {
		return p
	}
	if key, _, err := w.Keyed(); err == nil {
		p.key = string(key)
	}
	return p
}

// otherOf names what is not of the store.
func otherOf(h headers) string {
	switch {
	case h["packet_out"] != nil && h["ethernet"] == nil:
		return "packet of the controller"
	case h["arp"] != nil:
		who := "ARP request"
		if h.number("arp.operation") != 1 {
			who = "ARP answer"
		}
		return fmt.Sprintf("%s of %s for %s", who, address(h.field("arp.sender_ip")),
			address(h.field("arp.target_ip")))
	case h["ipv4"] != nil:
		ports := ""
		if h["udp"] != nil {
			ports = fmt.Sprintf(" port %d", h.number("udp.dst_port"))
		}
		return fmt.Sprintf("%s from %s to %s%s", protocol(h.number("ipv4.protocol")),
			address(h.field("ipv4.src_addr")), address(h.field("ipv4.dst_addr")), ports)
	case h.number("ethernet.ether_type") == p4src.EtherTypeLLDP:
		return "LLDP"
	}
	return fmt.Sprintf("frame of type 0x%04x", h.number("ethernet.ether_type"))
}

func protocol(number uint64) string {
	if name := map[uint64]string{1: "ICMP", 6: "TCP", 17: "UDP"}[number]; name != "" {
		return name
	}
	return fmt.Sprintf("IP protocol %d", number)
}

func address(b []byte) string {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return "nobody"
	}
	return a.String()
}

// mostKeys bounds what a Teller remembers.
const mostKeys = 1 << 14

// name says which packet it is.
func (t *Teller) name(p packet) string {
	if !p.store {
		return p.other
	}
	what := p.op.String()
	if p.op.Class() > wire.ClassWrite {
		return fmt.Sprintf("%s from %v to %v", what, p.flow.Src.Addr(), p.flow.Dst.Addr())
	}
	if p.key != "" {
		if t.keys == nil || len(t.keys) >= mostKeys {
			t.keys = map[request]string{}
		}
		t.keys[p.request] = p.key
	}
	switch key := t.keys[p.request]; {
	case p.op == wire.OpScan && !p.reply:
		what += " from " + indexKey(p.index) + " to " + indexKey(p.end)
	case p.op == wire.OpScan:
	case key != "":
		what += " " + quoted(key)
	default:
		what += " " + indexKey(p.index)
	}
	if p.reply {
		who := "answer"
		if p.fromSwitch {
			who = "answer of a switch"
		}
		return fmt.Sprintf("%s %v to %s", who, p.status, what)
	}
	if p.resolved {
		what += fmt.Sprintf(" for %v", p.flow.Dst.Addr())
	}
	return what
}

// quoted returns a key as it is, if it is plain.
func quoted(key string) string {
	if q := strconv.QuoteToASCII(key); q != `"`+key+`"` || strings.ContainsAny(key, " ,;") {
		return q
	}
	return key
}

// indexKey shows an index key as text if it looks like some, and leaves out what fills it up.
func indexKey(k kv.IndexKey) string {
	const shortest, fewest = 2, 4 // characters of a text, bytes of a filling
	text := strings.TrimRight(string(k[:]), "\x00")
	if len(text) >= shortest && strconv.QuoteToASCII(text) == `"`+text+`"` {
		return quoted(text)
	}
	switch start := strings.TrimRight(text, "\xff"); {
	case len(text) < len(k) || len(text)-len(start) < fewest:
		return k.String()
	case start == "":
		return "the end"
	default:
		return fmt.Sprintf("0x%xff..", start)
	}
}

// number returns the value of a big-endian byte string of up to 8 bytes.
func number(b []byte) uint64 {
	var word [8]byte
	copy(word[8-min(len(b), 8):], b[max(len(b)-8, 0):])
	return binary.BigEndian.Uint64(word[:])
}
