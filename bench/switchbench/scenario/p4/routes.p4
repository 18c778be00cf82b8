// A router with an access list: five ternary fields, then the longest prefix of the destination,
// a new destination address of the frame, the time to live, and both checksums of IPv4.
#include <core.p4>
#include <v1model.p4>

typedef bit<9> port_t;
typedef bit<48> mac_t;
typedef bit<32> address_t;

const bit<16> IPV4 = 0x0800;
const bit<8> UDP = 17;

header ethernet_t {
    mac_t dst;
    mac_t src;
    bit<16> kind;
}

header ipv4_t {
    bit<4> version;
    bit<4> words;
    bit<8> service;
    bit<16> length;
    bit<16> id;
    bit<3> flags;
    bit<13> offset;
    bit<8> ttl;
    bit<8> protocol;
    bit<16> checksum;
    address_t src;
    address_t dst;
}

header udp_t {
    bit<16> src;
    bit<16> dst;
    bit<16> length;
    bit<16> checksum;
}

struct headers_t {
    ethernet_t ethernet;
    ipv4_t ipv4;
    udp_t udp;
}

struct metadata_t {}

parser start_parser(packet_in packet, out headers_t hdr, inout metadata_t meta,
                    inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.kind) {
            IPV4: parse_ipv4;
            default: accept;
        }
    }
    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        transition select(hdr.ipv4.protocol) {
            UDP: parse_udp;
            default: accept;
        }
    }
    state parse_udp {
        packet.extract(hdr.udp);
        transition accept;
    }
}

control verify_control(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum(hdr.ipv4.isValid(),
            { hdr.ipv4.version, hdr.ipv4.words, hdr.ipv4.service, hdr.ipv4.length, hdr.ipv4.id,
              hdr.ipv4.flags, hdr.ipv4.offset, hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.src,
              hdr.ipv4.dst },
            hdr.ipv4.checksum, HashAlgorithm.csum16);
    }
}

control ingress(inout headers_t hdr, inout metadata_t meta,
                inout standard_metadata_t standard) {
    action drop() { mark_to_drop(standard); }
    action permit() {}
    action route(port_t port, mac_t dst) {
        standard.egress_spec = port;
        hdr.ethernet.dst = dst;
        hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
    }

    table access_table {
        key = {
            hdr.ipv4.src: ternary @name("src_addr");
            hdr.ipv4.dst: ternary @name("dst_addr");
            hdr.ipv4.protocol: ternary @name("protocol");
            hdr.udp.src: ternary @name("src_port");
            hdr.udp.dst: ternary @name("dst_port");
        }
        actions = { permit; drop; }
        const default_action = permit();
        size = 1024;
    }

    table route_table {
        key = { hdr.ipv4.dst: lpm @name("dst_addr"); }
        actions = { route; @defaultonly drop; }
        const default_action = drop();
        size = 16384;
    }

    apply {
        if (!hdr.udp.isValid() || standard.checksum_error == 1 || hdr.ipv4.ttl == 0) {
            drop();
        } else {
            switch (access_table.apply().action_run) {
                permit: { route_table.apply(); }
            }
        }
    }
}

control egress(inout headers_t hdr, inout metadata_t meta,
               inout standard_metadata_t standard) {
    apply {}
}

control compute_control(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum(hdr.ipv4.isValid(),
            { hdr.ipv4.version, hdr.ipv4.words, hdr.ipv4.service, hdr.ipv4.length, hdr.ipv4.id,
              hdr.ipv4.flags, hdr.ipv4.offset, hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.src,
              hdr.ipv4.dst },
            hdr.ipv4.checksum, HashAlgorithm.csum16);
    }
}

control deparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.ethernet);
        packet.emit(hdr.ipv4);
        packet.emit(hdr.udp);
    }
}

V1Switch(start_parser(), verify_control(), ingress(), egress(), compute_control(),
         deparser()) main;
