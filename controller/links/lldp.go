package links

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/topology"
	"github.com/turbokv/turbokv/transport"
)

// system is the system name by which frames of ours are told from those of other programs.
const system = "TurboKV"

// multicast is "nearest bridge" (IEEE 802.1AB, table 7-1): no bridge forwards it.
var multicast = []byte{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}

// ErrForeign means an LLDP frame that none of our switches has sent.
var ErrForeign = errors.New("not of " + system)

// Encode returns the frame with which a switch tells its neighbour who it is. It is valid for ttl
// seconds to other listeners; the controller does not look at that.
func Encode(from topology.End, ttl uint16) ([]byte, error) {
	eth := &layers.Ethernet{
		SrcMAC: transport.GatewayMAC[:], DstMAC: multicast, EthernetType: p4src.EtherTypeLLDP,
	}
	lldp := &layers.LinkLayerDiscovery{
		ChassisID: layers.LLDPChassisID{
			Subtype: layers.LLDPChassisIDSubTypeLocal, ID: []byte(from.Name),
		},
		PortID: layers.LLDPPortID{
			Subtype: layers.LLDPPortIDSubtypeLocal,
			ID:      strconv.AppendUint(nil, uint64(from.Port), 10),
		},
		TTL: ttl,
		Values: []layers.LinkLayerDiscoveryValue{
			{Type: layers.LLDPTLVSysName, Length: uint16(len(system)), Value: []byte(system)},
		},
	}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{}, eth, lldp); err != nil {
		return nil, fmt.Errorf("LLDP of %v: %w", from, err)
	}
	return buf.Bytes(), nil
}

// Decode returns which port of which switch has sent a frame. It wraps ErrForeign for LLDP of others.
func Decode(frame []byte) (from topology.End, err error) {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
	if e := p.ErrorLayer(); e != nil {
		return from, fmt.Errorf("LLDP: %w", e.Error())
	}
	lldp, ok := p.Layer(layers.LayerTypeLinkLayerDiscovery).(*layers.LinkLayerDiscovery)
	if !ok {
		return from, errors.New("no LLDP frame")
	}
	info, ok := p.Layer(layers.LayerTypeLinkLayerDiscoveryInfo).(*layers.LinkLayerDiscoveryInfo)
	if !ok || info.SysName != system {
		return from, fmt.Errorf("LLDP: %w", ErrForeign)
	}
	if lldp.ChassisID.Subtype != layers.LLDPChassisIDSubTypeLocal ||
		lldp.PortID.Subtype != layers.LLDPPortIDSubtypeLocal {
		return from, fmt.Errorf("LLDP: chassis subtype %d, port subtype %d: must be local",
			lldp.ChassisID.Subtype, lldp.PortID.Subtype)
	}
	port, err := strconv.ParseUint(string(lldp.PortID.ID), 10, 32)
	if err != nil {
		return from, fmt.Errorf("LLDP: port %q: must be a number", lldp.PortID.ID)
	}
	return topology.End{Name: string(lldp.ChassisID.ID), Port: uint32(port)}, nil
}
