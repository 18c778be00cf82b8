// Keys and conditions on elements of a stack that are chosen at run time, for the tests of the
// switch.
#include <core.p4>
#include <v1model.p4>

header base_t {
    bit<8> index;
    bit<8> count;
    bit<8> found; // written by ingress
}
header item_t {
    bit<4>  kind;
    bit<12> value;
}
struct headers_t {
    base_t    base;
    item_t[3] items;
}
struct metadata_t { bit<8> left; }

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.base);
        m.left = h.base.count;
        transition select(m.left) {
            0: accept;
            default: item;
        }
    }
    state item {
        m.left = m.left - 1;
        p.extract(h.items.next);
        transition select(m.left) {
            0: accept;
            default: item;
        }
    }
}
control check(inout headers_t h, inout metadata_t m) { apply { } }
control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    action found(bit<8> v) { h.base.found = v; }
    table by_value {
        key = {
            h.items[h.base.index].value: exact;
            h.items[h.base.index].kind: ternary;
            h.base.count: ternary;
        }
        actions = { found; NoAction; }
        const default_action = NoAction;
    }
    apply {
        s.egress_spec = 1;
        by_value.apply();
        if (h.items[h.base.index].isValid()) {
            s.egress_spec = 2;
        }
    }
}
control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply { } }
control update(inout headers_t h, inout metadata_t m) { apply { } }
control deparse(packet_out p, in headers_t h) {
    apply {
        p.emit(h.base);
        p.emit(h.items);
    }
}

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
