// Header unions and stacks of them, for the tests of the switch.
#include <core.p4>
#include <v1model.p4>

header base_t {
    bit<8> op;    // what ingress does
    bit<8> kind;  // what u is: 1 byte, 2 short, 3 both in turn; else nothing
    bit<8> count; // how many unions follow
    bit<8> mark;  // written by ingress
}
header tag_t { bit<8> tag; }
header byte_t { bit<8> tag; bit<8> data; }
header short_t { bit<8> tag; bit<16> data; }

header_union value_t {
    byte_t  b;
    short_t s;
}

struct headers_t {
    base_t     base;
    value_t    u;
    value_t[3] us;
}
struct metadata_t {
    bit<8> left;
    bit<8> tag;
}

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.base);
        m.left = h.base.count;
        transition select(h.base.kind) {
            1: byte;
            2: short;
            3: both;
            default: more;
        }
    }
    state byte {
        p.extract(h.u.b);
        transition more;
    }
    state short {
        p.extract(h.u.s);
        transition more;
    }
    state both {
        p.extract(h.u.b);
        p.extract(h.u.s);
        transition more;
    }
    state more {
        transition select(m.left) {
            0: accept;
            default: next;
        }
    }
    state next {
        m.left = m.left - 1;
        m.tag = p.lookahead<bit<8>>();
        transition select(m.tag) {
            0xb0 &&& 0xf0: next_byte;
            default: next_short;
        }
    }
    state next_byte {
        p.extract(h.us.next.b);
        transition select(m.tag) {
            0xbe: accept; // ends the list early
            default: more;
        }
    }
    state next_short {
        p.extract(h.us.next.s);
        transition more;
    }
}

control check(inout headers_t h, inout metadata_t m) { apply { } }

control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    value_t copy;
    apply {
        s.egress_spec = 1;
        switch (h.base.op) {
            1: { h.u.s.setValid(); h.u.s.tag = 0xcc; h.u.s.data = 0x1234; }
            2: { h.u.b.setInvalid(); }
            3: {
                h.us.push_front(1);
                h.us[0].b.setValid();
                h.us[0].b.tag = 0xbb;
                h.us[0].b.data = 1;
            }
            4: { h.us.pop_front(1); }
            5: { h.us[1] = h.u; }
            6: { copy = h.us[0]; h.us[0] = h.us[2]; h.us[2] = copy; }
            7: { h.us[0].b = h.u.b; }
            8: { h.us.pop_front(2); h.us.push_front(1); }
            9: { h.u = h.us[0]; }
        }
        if (h.u.isValid()) { h.base.mark = h.base.mark | 1; }
        if (h.u.s.isValid()) { h.base.mark = h.base.mark | 2; }
        if (h.us[0].b.isValid() || h.us[0].s.isValid()) { h.base.mark = h.base.mark | 4; }
        if (h.u == h.us[0]) { h.base.mark = h.base.mark | 8; }
        if (h.us[2].b.isValid()) { h.base.mark = h.base.mark | 16; }
    }
}

control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply { } }
control update(inout headers_t h, inout metadata_t m) { apply { } }
control deparse(packet_out p, in headers_t h) {
    apply {
        p.emit(h.base);
        p.emit(h.u);
        p.emit(h.us);
    }
}

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
