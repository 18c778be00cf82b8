// One table of each kind, one behind the other, with room for a million entries. Every packet meets
// all of them and leaves by port 2, whatever they hold.
#include <core.p4>
#include <v1model.p4>

typedef bit<9> port_t;
typedef bit<48> mac_t;
typedef bit<32> address_t;

const port_t OUT = 2;
const bit<32> ENTRIES = 1 << 20;

header ethernet_t {
    mac_t dst;
    mac_t src;
    bit<16> kind;
}

header ipv4_t {
    bit<8> version_words;
    bit<8> service;
    bit<16> length;
    bit<16> id;
    bit<16> fragment;
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

struct metadata_t {
    bit<16> class;
}

parser start_parser(packet_in packet, out headers_t hdr, inout metadata_t meta,
                    inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.ipv4);
        packet.extract(hdr.udp);
        transition accept;
    }
}

control verify_control(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control ingress(inout headers_t hdr, inout metadata_t meta,
                inout standard_metadata_t standard) {
    action set_class(bit<16> class) { meta.class = class; }

    table exact_table {
        key = { hdr.ethernet.dst: exact @name("dst"); }
        actions = { set_class; @defaultonly NoAction; }
        size = ENTRIES;
    }
    table lpm_table {
        key = { hdr.ipv4.dst: lpm @name("dst"); }
        actions = { set_class; @defaultonly NoAction; }
        size = ENTRIES;
    }
    table ternary_table {
        key = {
            hdr.ipv4.src: ternary @name("src");
            hdr.ipv4.dst: ternary @name("dst");
            hdr.ipv4.protocol: ternary @name("protocol");
            hdr.udp.src: ternary @name("src_port");
            hdr.udp.dst: ternary @name("dst_port");
        }
        actions = { set_class; @defaultonly NoAction; }
        size = ENTRIES;
    }
    table range_table {
        key = {
            hdr.ipv4.src: ternary @name("src");
            hdr.ipv4.dst: ternary @name("dst");
            hdr.udp.dst: range @name("dst_port");
        }
        actions = { set_class; @defaultonly NoAction; }
        size = ENTRIES;
    }

    apply {
        standard.egress_spec = OUT;
        exact_table.apply();
        lpm_table.apply();
        ternary_table.apply();
        range_table.apply();
    }
}

control egress(inout headers_t hdr, inout metadata_t meta,
               inout standard_metadata_t standard) {
    apply {}
}

control compute_control(inout headers_t hdr, inout metadata_t meta) {
    apply {}
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
