// Clone, resubmit, recirculate, multicast, digest, truncate and exit, for the tests of the switch.
#include <core.p4>
#include <v1model.p4>

header order_t {
    bit<8>  what;  // see ingress
    bit<8>  count; // passes so far
    bit<16> note;
}

struct headers_t { order_t order; }
struct metadata_t {
    @field_list(1) bit<16> kept;
    bit<16> lost;
}
struct news_t {
    bit<9>  port;
    bit<16> note;
    bit<8>  what;
}

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.order);
        transition accept;
    }
}

control check(inout headers_t h, inout metadata_t m) { apply {} }
control update(inout headers_t h, inout metadata_t m) { apply {} }

control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    action leave() { exit; }
    apply {
        s.egress_spec = 1;
        if (s.instance_type == 6 || s.instance_type == 4) {   // resubmitted, recirculated
            h.order.note = m.kept + m.lost;
        } else {
            m.kept = 0x1111;
            m.lost = 0x2222;
            if (h.order.what == 1) clone_preserving_field_list(CloneType.I2E, 5, 1);
            if (h.order.what == 2) resubmit_preserving_field_list(1);
            if (h.order.what == 4) s.mcast_grp = 3;
            if (h.order.what == 5) digest<news_t>(1, { s.ingress_port, h.order.note, h.order.what });
            if (h.order.what == 6) truncate(6);
            if (h.order.what == 7) { leave(); }
            if (h.order.what == 9) { mark_to_drop(s); }
            if (h.order.what == 10) { clone(CloneType.I2E, 5); mark_to_drop(s); }
            if (h.order.what == 12) { assert(h.order.note == 1); }
            if (h.order.what == 13) { log_msg("note {} of {}", { h.order.note, h.order.what }); }
        }
        h.order.count = h.order.count + 1;
    }
}

control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    apply {
        if (s.instance_type == 1) {                           // ingress clone
            h.order.note = m.kept + m.lost;
            h.order.count = 0xc1;
        } else if (s.instance_type == 2) {                    // egress clone
            h.order.count = h.order.count + 0x10;
            h.order.note = m.kept + m.lost;
            if (h.order.what == 14) clone_preserving_field_list(CloneType.E2E, 5, 1);
        } else if (s.instance_type == 5) {                    // replica
            h.order.note = s.egress_rid;
        } else if (s.instance_type == 0) {
            if (h.order.what == 3 && h.order.count < 3) recirculate_preserving_field_list(1);
            if (h.order.what == 8) recirculate_preserving_field_list(1);
            if (h.order.what == 11 || h.order.what == 14) {
                clone_preserving_field_list(CloneType.E2E, 5, 1);
            }
        }
    }
}

control deparse(packet_out p, in headers_t h) { apply { p.emit(h.order); } }

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
