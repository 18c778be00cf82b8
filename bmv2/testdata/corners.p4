// What the switch once did otherwise than simple_switch, found by package differ.
#include <core.p4>
#include <v1model.p4>

header order_t {
    bit<8>  what;
    bit<8>  value;
}

struct headers_t { order_t order; }
struct metadata_t { }

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.order);
        transition accept;
    }
}

// A copy of standard metadata is dropped, and copied back.
action drop(inout standard_metadata_t s) { mark_to_drop(s); }

control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    action forward() { s.egress_spec = 1; }
    table copied_table {
        key = { h.order.value : exact; }
        actions = { forward; drop(s); }
        const entries = { 1 : forward(); }
        default_action = drop(s);
    }
    apply {
        if (h.order.what == 1) { copied_table.apply(); }
        if (h.order.what == 2) {
            clone(CloneType.I2E, 5);
            s.egress_spec = 1;
            h.order.value = 0xff;
        }
    }
}

control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply { } }
control verify_sums(inout headers_t h, inout metadata_t m) { apply { } }
control compute_sums(inout headers_t h, inout metadata_t m) { apply { } }
control deparse(packet_out p, in headers_t h) { apply { p.emit(h.order); } }

V1Switch(parse(), verify_sums(), ingress(), egress(), compute_sums(), deparse()) main;
