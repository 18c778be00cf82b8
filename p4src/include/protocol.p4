// Protocol: the constants of docs/PROTOCOL.md that the switch must know.

#ifndef TKV_PROTOCOL_P4
#define TKV_PROTOCOL_P4

const bit<16> ETHERTYPE_IPV4 = 0x0800;
const bit<16> ETHERTYPE_ARP  = 0x0806;
const bit<16> ETHERTYPE_LLDP = 0x88CC;
const bit<8>  IP_PROTO_TCP   = 6;
const bit<8>  IP_PROTO_UDP   = 17;
const bit<8>  TTL_INITIAL    = 64;   // of packets that the switch originates (RFC 1700)

// ARP (RFC 826). The kind is all that stands before the operation: Ethernet, IPv4, and the lengths
// of their addresses.
const bit<48> ARP_ETHERNET_IPV4 = 0x0001_0800_06_04;
const bit<16> ARP_REQUEST       = 1;
const bit<16> ARP_REPLY         = 2;

// The address that every host has for its router. Hosts that do not ask use it by default.
const mac_addr_t ROUTER_MAC = 0x02544B0000FF;

const bit<16> ETHERNET_BYTES = 14;
const bit<16> IPV4_BYTES     = 20;
const bit<16> UDP_BYTES      = 8;
const bit<16> TKV_BYTES      = 168;  // tkv_fixed_t and tkv_route_t

const udp_port_t TKV_PORT    = 0x544B;   // "TK"
const bit<16>    TKV_MAGIC   = 0x544B;
const bit<8>     TKV_VERSION = 1;

// Operations: the high nibble is the class. Reads are served by the tail, writes are ordered by the
// head, and those from OP_FIRST_OTHER on are not for clients. Only SCAN is told from its class.
const bit<8> OP_SCAN        = 0x02;
const bit<8> OP_FIRST_WRITE = 0x10;
const bit<8> OP_FIRST_OTHER = 0x20;

const bit<16> FLAG_REPLY       = 0x0001;
const bit<16> FLAG_FROM_SWITCH = 0x0002;

// Statuses with which a switch answers.
enum bit<8> status_t {
    OK          = 0,
    TRY_AGAIN   = 4,   // the sub-range is blocked, or not installed here yet
    NO_KEYSPACE = 5,   // no sub-range for this keyspace and index key
    BAD_REQUEST = 6    // the request contradicts itself
}

#endif
