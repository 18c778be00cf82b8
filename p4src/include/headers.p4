// Headers, in the order in which they stand in a packet, ARP last. Change parser.p4 with them.

#ifndef TKV_HEADERS_P4
#define TKV_HEADERS_P4

// From the controller. With submit_to_ingress the rest is treated as if received from the port of
// the controller, which so can be a client of its own cluster; else it leaves by egress_port.
@controller_header("packet_out") @id(ID_PACKET_OUT)
header packet_out_t {
    @id(1) port_t egress_port;
    @id(2) bit<1> submit_to_ingress;
    @id(3) @padding bit<6> pad;
}

// To the controller.
@controller_header("packet_in") @id(ID_PACKET_IN)
header packet_in_t {
    @id(1) port_t ingress_port;
    @id(2) @padding bit<7> pad;
}

header ethernet_t {
    mac_addr_t dst_addr;
    mac_addr_t src_addr;
    bit<16>    ether_type;
}

header ipv4_t {
    bit<4>      version;
    bit<4>      ihl;
    bit<8>      diffserv;
    bit<16>     total_length;
    bit<16>     identification;
    bit<3>      flags;
    bit<13>     fragment_offset;
    bit<8>      ttl;
    bit<8>      protocol;
    bit<16>     checksum;
    ipv4_addr_t src_addr;
    ipv4_addr_t dst_addr;
}

header udp_t {
    udp_port_t src_port;
    udp_port_t dst_port;
    bit<16>    length;
    bit<16>    checksum;
}

// Part A of our header: the sender's, covered by its CRC. A switch writes flags and status, and
// only when it answers itself.
header tkv_fixed_t {
    bit<16>    magic;
    bit<8>     version;
    bit<8>     op;
    bit<16>    flags;
    bit<8>     status;
    bit<8>     reserved_a;
    keyspace_t keyspace;
    bit<16>    fragment_index;
    bit<16>    fragment_count;
    bit<16>    payload_length;
    bit<64>    client_id;
    bit<64>    sequence;
    bit<64>    lowest_outstanding;
    bit<64>    record_version;
    bit<32>    reserved_b;
    bit<32>    crc32c;
}

// Part B: the switch's. Senders fill in index keys and scan budget, a switch all else.
header tkv_route_t {
    ipv4_addr_t    client_ip;        // where the reply goes: sources change along the chain
    udp_port_t     client_port;
    bit<8>         scan_budget;      // further pieces that a scan may be split into
    bit<8>         reserved_c;
    sub_range_t    sub_range;
    epoch_t        epoch;
    index_key_t    index_key;
    index_key_t    end_index_key;    // last index key wanted by a scan, inclusive
    bit<64>        timestamp;
    bit<64>        txn_id;
    bit<8>         participant_index;
    bit<8>         participant_count;
    chain_length_t chain_length;
    bit<8>         chain_position;
    ipv4_addr_t    chain0;           // the head
    ipv4_addr_t    chain1;
    ipv4_addr_t    chain2;
    ipv4_addr_t    chain3;
    ipv4_addr_t    chain4;
    ipv4_addr_t    chain5;
    bit<32>        auth_key_id;
    bit<128>       auth_tag;
}

// ARP for Ethernet and IPv4 (RFC 826).
header arp_t {
    bit<48>     kind;
    bit<16>     operation;
    mac_addr_t  sender_mac;
    ipv4_addr_t sender_ip;
    mac_addr_t  target_mac;
    ipv4_addr_t target_ip;
}

struct headers_t {
    packet_out_t packet_out;
    packet_in_t  packet_in;
    ethernet_t   ethernet;
    ipv4_t       ipv4;
    udp_t        udp;
    tkv_fixed_t  tkv_fixed;
    tkv_route_t  tkv_route;
    arp_t        arp;          // behind ethernet, in place of all after it
}

#endif
