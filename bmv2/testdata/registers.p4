// Registers in one control, and in two, for the tests of who has to wait for whom.
#include <core.p4>
#include <v1model.p4>

header key_t {
    bit<8>  cell;
    bit<32> count;  // after this packet
}

struct headers_t { key_t key; }
struct metadata_t { bit<96> wide; }

// Of the whole switch.
register<bit<96>>(4) shared;

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.key);
        transition accept;
    }
}

control check(inout headers_t h, inout metadata_t m) { apply {} }
control update(inout headers_t h, inout metadata_t m) { apply {} }

control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    register<bit<32>>(4) counts;

    apply {
        s.egress_spec = 1;
        counts.read(h.key.count, (bit<32>)h.key.cell);
        h.key.count = h.key.count + 1;
        counts.write((bit<32>)h.key.cell, h.key.count);
        shared.read(m.wide, (bit<32>)h.key.cell);
        shared.write((bit<32>)h.key.cell, m.wide + 0x100000001);
    }
}

control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    apply {
        shared.read(m.wide, (bit<32>)h.key.cell);
        shared.write((bit<32>)h.key.cell, m.wide + 0xffffffffff00000001);
    }
}

control deparse(packet_out p, in headers_t h) { apply { p.emit(h.key); } }

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
