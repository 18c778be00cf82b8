// Plain forwarding: one exact table on the destination of the frame. The scenario that leaves a
// switch as little work as possible.
#include <core.p4>
#include <v1model.p4>

typedef bit<9> port_t;

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> kind;
}

struct headers_t {
    ethernet_t ethernet;
}

struct metadata_t {}

parser start_parser(packet_in packet, out headers_t hdr, inout metadata_t meta,
                    inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.ethernet);
        transition accept;
    }
}

control verify_control(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control ingress(inout headers_t hdr, inout metadata_t meta,
                inout standard_metadata_t standard) {
    action drop() { mark_to_drop(standard); }
    action forward(port_t port) { standard.egress_spec = port; }

    table forward_table {
        key = { hdr.ethernet.dst: exact @name("dst"); }
        actions = { forward; @defaultonly drop; }
        const default_action = drop();
        size = 4096;
    }

    apply {
        forward_table.apply();
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
    }
}

V1Switch(start_parser(), verify_control(), ingress(), egress(), compute_control(),
         deparser()) main;
