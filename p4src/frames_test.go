package p4src_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/turbokv/turbokv/wire"
)

// place is where a field lies in a frame: offset and length in bytes.
type place struct{ at, n int }

// places lists every field that the notation of frames can set.
var places = func() map[string]place {
	m := map[string]place{
		"eth.dst": {0, 6}, "eth.src": {6, 6}, "eth.type": {12, 2},
		"ip.version_ihl": {14, 1}, "ip.total_length": {16, 2}, "ip.fragment": {20, 2},
		"ip.ttl": {22, 1}, "ip.protocol": {23, 1}, "ip.checksum": {24, 2},
		"ip.src": {26, 4}, "ip.dst": {30, 4},
		"udp.src": {34, 2}, "udp.dst": {36, 2}, "udp.length": {38, 2}, "udp.checksum": {40, 2},
		"arp.kind": {14, 6}, "arp.operation": {20, 2},
		"arp.sender_mac": {22, 6}, "arp.sender_ip": {28, 4},
		"arp.target_mac": {32, 6}, "arp.target_ip": {38, 4},
	}
	fixed, route := wire.Layout()
	for _, f := range append(fixed, route...) {
		m[f.Name] = place{wire.FrameOverhead + f.BitOffset/8, f.Bits / 8}
	}
	return m
}()

// ops names the operations for "op=GET".
var ops = map[string]wire.Op{
	"GET": wire.OpGet, "SCAN": wire.OpScan, "PUT": wire.OpPut, "DELETE": wire.OpDelete,
	"CAS": wire.OpCAS, "INCREMENT": wire.OpIncrement, "CHAIN_UPDATE": wire.OpChainUpdate,
}

// statuses names the statuses that a switch gives.
var statuses = map[string]wire.Status{
	"TRY_AGAIN": wire.StatusTryAgain, "NO_KEYSPACE": wire.StatusNoKeyspace,
	"BAD_REQUEST": wire.StatusBadRequest,
}

// A frame in a test file is a sum of terms, as in "packet_out(egress_port=3)+udp(ip.ttl=9)":
//
//	6162                   bytes in hexadecimal
//	udp(field=value ...)   a datagram from client 10.0.1.1 with the payload "hello"
//	tkv(field=value ...)   a request from client 10.0.1.1 to the service, sealed; see request
//	arp(field=value ...)   client 10.0.1.1 asks who has 10.0.0.11
//	last(field=value ...)  the last term of the last "packet" line, changed
//	packet_out(...), packet_in(...)  the header of the controller's port
//
// Fields are those of places; lengths and checksums are right unless set. Short forms for expected
// frames: hop=ADDRESS (routed to that host, or to a MAC address), node=ADDRESS (resolved to that
// node), answer=STATUS (turned round by the switch), is_at=MAC (the answer to an ARP request),
// chain=NODE,NODE..., client=ADDRESS:PORT; cut=N cuts the frame.
type notation struct{ last []byte }

// parse returns the bytes of the frame; if it is sent, last(...) will mean its last term.
func (n *notation) parse(text string, sent bool) ([]byte, error) {
	var frame []byte
	for _, term := range strings.Split(text, "+") {
		b, err := n.term(strings.TrimSpace(term))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", term, err)
		}
		frame = append(frame, b...)
		if sent {
			n.last = b
		}
	}
	return frame, nil
}

func (n *notation) term(term string) ([]byte, error) {
	name, rest, isCall := strings.Cut(term, "(")
	if !isCall {
		return hex.DecodeString(strings.ReplaceAll(term, " ", ""))
	}
	args, err := arguments(strings.TrimSuffix(rest, ")"))
	if err != nil {
		return nil, err
	}
	switch name {
	case "udp":
		return change(datagram([]byte("hello")), args)
	case "tkv":
		return request(args)
	case "arp":
		return change(arpRequest(), args)
	case "last":
		return change(append([]byte(nil), n.last...), args)
	case "packet_out":
		return controllerHeader(args, "egress_port", "submit_to_ingress")
	case "packet_in":
		return controllerHeader(args, "ingress_port", "")
	}
	return nil, fmt.Errorf("unknown %q; valid are udp, tkv, arp, last, packet_out, packet_in", name)
}

// argument is one field=value.
type argument struct{ name, value string }

func arguments(text string) (args []argument, err error) {
	for _, word := range strings.Fields(text) {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not field=value", word)
		}
		args = append(args, argument{name, value})
	}
	return args, nil
}

// take removes the argument of that name and returns its value, or otherwise the default.
func take(args *[]argument, name, otherwise string) string {
	for i, a := range *args {
		if a.name == name {
			*args = append((*args)[:i:i], (*args)[i+1:]...)
			return a.value
		}
	}
	return otherwise
}

// Addresses of the rack in testdata/rack.stf.
var (
	client    = netip.MustParseAddrPort("10.0.1.1:40000")
	service   = netip.MustParseAddrPort("10.0.0.100:21579")
	clientMAC = wire.MAC{0x02, 0x00, 10, 0, 1, 1}
	switchMAC = wire.MAC{0x02, 0x00, 0, 0, 0, 0xfe}
)

func datagram(payload []byte) []byte {
	flow := wire.Flow{SrcMAC: clientMAC, DstMAC: switchMAC, Src: client, Dst: service}
	return wire.AppendFrame(nil, flow, payload)
}

func arpRequest() []byte {
	frame := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, clientMAC[:]...)
	frame = append(frame, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1)
	frame = append(frame, clientMAC[:]...)
	frame = append(frame, client.Addr().AsSlice()...)
	return append(frame, 0, 0, 0, 0, 0, 0, 10, 0, 0, 11)
}

func isARP(frame []byte) bool { return len(frame) >= 42 && frame[12] == 8 && frame[13] == 6 }

// request builds a frame from op=, key= (also the index key, unless given), value=, to= (end key of
// a scan), and header fields.
func request(args []argument) ([]byte, error) {
	op, key := take(&args, "op", ""), take(&args, "key", "k")
	value, to := take(&args, "value", ""), take(&args, "to", "")
	code, ok := ops[op]
	if !ok {
		n, err := strconv.ParseUint(op, 0, 8)
		if err != nil {
			return nil, fmt.Errorf("op=%q is no operation", op)
		}
		code = wire.Op(n)
	}
	packet := wire.Packet(wire.Append(nil, code))
	packet.SetRequest(0x0123456789abcdef, 7, 5)
	if code == wire.OpScan {
		packet = wire.ScanRequest{Start: []byte(key), End: []byte(to)}.Append(packet)
	} else {
		packet = wire.AppendKeyed(packet, []byte(key), []byte(value))
	}
	keyspace, err := strconv.ParseUint(take(&args, "keyspace", "1"), 0, 16)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(packet[8:], uint16(keyspace))
	copy(packet[places["index_key"].at-wire.FrameOverhead:][:16], key)
	copy(packet[places["end_index_key"].at-wire.FrameOverhead:][:16], to)
	packet.Seal()
	return change(datagram(packet), args)
}

// change sets fields of a frame, then its IPv4 checksum unless that is among them.
func change(frame []byte, args []argument) ([]byte, error) {
	cut := take(&args, "cut", "")
	sum := take(&args, "ip.checksum", "")
	if err := setAll(frame, args); err != nil {
		return nil, err
	}
	if !isARP(frame) {
		binary.BigEndian.PutUint16(frame[24:], 0)
		binary.BigEndian.PutUint16(frame[24:], onesSum(frame[14:34]))
	}
	if sum != "" {
		if err := set(frame, argument{"ip.checksum", sum}); err != nil {
			return nil, err
		}
	}
	if cut != "" {
		n, err := strconv.Atoi(cut)
		if err != nil || n > len(frame) {
			return nil, fmt.Errorf("cut=%s: frame has %d bytes", cut, len(frame))
		}
		frame = frame[:n]
	}
	return frame, nil
}

func setAll(frame []byte, args []argument) error {
	for _, a := range args {
		if err := set(frame, a); err != nil {
			return err
		}
	}
	return nil
}

func set(frame []byte, a argument) error {
	switch a.name {
	case "hop":
		return setHop(frame, a.value)
	case "node":
		return setNode(frame, a.value)
	case "answer":
		return setAnswer(frame, a.value)
	case "is_at":
		return setIsAt(frame, a.value)
	case "chain":
		return setChain(frame, a.value)
	case "client":
		ip, port, _ := strings.Cut(a.value, ":")
		return setAll(frame, []argument{{"client_ip", ip}, {"client_port", port}})
	}
	p, ok := places[a.name]
	if !ok || p.at+p.n > len(frame) {
		return fmt.Errorf("frame of %d bytes has no field %q", len(frame), a.name)
	}
	value, err := parseValue(a.value, p.n)
	if err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	copy(frame[p.at:], value)
	return nil
}

// setHop is one hop of a router: addresses of the next Ethernet, time to live.
func setHop(frame []byte, to string) error {
	mac, err := parseValue(to, 6)
	if err != nil {
		return err
	}
	if len(mac) == 4 {
		mac = append([]byte{0x02, 0x00}, mac...)
	}
	copy(frame[6:12], frame[0:6])
	copy(frame[0:6], mac)
	frame[22]--
	return nil
}

// setIsAt turns an ARP request into its answer.
func setIsAt(frame []byte, mac string) error {
	copy(frame[0:6], frame[6:12])
	copy(frame[32:38], frame[22:28])
	swap(frame[28:32], frame[38:42])
	return setAll(frame, []argument{
		{"eth.src", mac}, {"arp.operation", "2"}, {"arp.sender_mac", mac},
	})
}

// setNode is what a switch does to a request that it resolves, without the sub-range's own data.
func setNode(frame []byte, node string) error {
	ip, port := netip.AddrFrom4([4]byte(frame[26:30])), binary.BigEndian.Uint16(frame[34:])
	if err := setHop(frame, node); err != nil {
		return err
	}
	return setAll(frame, []argument{
		{"ip.dst", node}, {"udp.checksum", "0"},
		{"client_ip", ip.String()}, {"client_port", strconv.Itoa(int(port))},
	})
}

// setAnswer is what a switch does to a request that it answers.
func setAnswer(frame []byte, status string) error {
	swap(frame[0:6], frame[6:12])
	swap(frame[26:30], frame[30:34])
	swap(frame[34:36], frame[36:38])
	return setAll(frame, []argument{
		{"ip.ttl", "64"}, {"udp.checksum", "0"}, {"flags", "0x0003"}, {"status", status},
	})
}

func swap(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}

func setChain(frame []byte, nodes string) error {
	all := strings.Split(nodes, ",")
	args := []argument{{"chain_length", strconv.Itoa(len(all))}}
	for i, node := range all {
		args = append(args, argument{"chain" + strconv.Itoa(i), node})
	}
	return setAll(frame, args)
}

// parseValue reads a number (decimal or 0x), an IPv4 or MAC address, the name of an operation or
// status, or 'text' padded with zeroes on the right, into n big-endian bytes.
func parseValue(text string, n int) ([]byte, error) {
	if s, ok := statuses[text]; ok {
		return []byte{byte(s)}, nil
	}
	if op, ok := ops[text]; ok {
		return []byte{byte(op)}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
		return a.AsSlice(), nil
	}
	if mac, err := net.ParseMAC(text); err == nil {
		return mac, nil
	}
	if inner, ok := strings.CutPrefix(text, "'"); ok {
		padded := make([]byte, n)
		copy(padded, strings.TrimSuffix(inner, "'"))
		return padded, nil
	}
	number, ok := new(big.Int).SetString(text, 0)
	if !ok || number.Sign() < 0 || number.BitLen() > 8*n {
		return nil, fmt.Errorf("%q is no value of %d bytes", text, n)
	}
	return number.FillBytes(make([]byte, n)), nil
}

// controllerHeader builds the 16 bits of a controller header: a port of 9 bits, then one flag.
func controllerHeader(args []argument, port, flag string) ([]byte, error) {
	number, err := strconv.ParseUint(take(&args, port, ""), 0, 9)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", port, err)
	}
	header := uint16(number) << 7
	if flag != "" && take(&args, flag, "0") == "1" {
		header |= 1 << 6
	}
	if len(args) != 0 {
		return nil, fmt.Errorf("unknown field %q", args[0].name)
	}
	return binary.BigEndian.AppendUint16(nil, header), nil
}

// onesSum is the IPv4 header checksum (RFC 1071), written apart from the one in wire on purpose.
func onesSum(b []byte) uint16 {
	sum := 0
	for i, x := range b {
		sum += int(x) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum%0x10000 + sum/0x10000
	}
	return uint16(0xffff - sum)
}
