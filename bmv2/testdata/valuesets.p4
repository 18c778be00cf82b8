// Parser value sets, for the tests of the switch.
#include <core.p4>
#include <v1model.p4>

header base_t {
    bit<16> type;
    bit<3>  small;
    bit<13> large;
    bit<128> wide;
}
header mark_t { bit<8> way; }

struct headers_t {
    base_t base;
    mark_t mark;
}
struct metadata_t { bit<8> way; }
struct pair_t {
    bit<3>  small;
    bit<13> large;
}
struct wide_t {
    bit<16>  type;
    bit<128> wide;
}

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    value_set<bit<16>>(4) types;
    value_set<pair_t>(2) pairs;
    value_set<wide_t>(2) wides;
    state start {
        p.extract(h.base);
        transition select(h.base.type) {
            0x0001: constant;
            types: by_type;
            0x0002: constant;
            default: others;
        }
    }
    state others {
        transition select(h.base.small, h.base.large) {
            pairs: by_pair;
            default: wide;
        }
    }
    state wide {
        transition select(h.base.type, h.base.wide) {
            wides: by_wide;
            (3, _): constant;
            default: accept;
        }
    }
    state constant { m.way = 1; transition accept; }
    state by_type { m.way = 2; transition accept; }
    state by_pair { m.way = 3; transition accept; }
    state by_wide { m.way = 4; transition accept; }
}
control check(inout headers_t h, inout metadata_t m) { apply { } }
control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        h.mark.setValid();
        h.mark.way = m.way;
    }
}
control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply { } }
control update(inout headers_t h, inout metadata_t m) { apply { } }
control deparse(packet_out p, in headers_t h) { apply { p.emit(h.mark); } }

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
