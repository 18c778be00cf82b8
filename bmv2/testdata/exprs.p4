// Expressions of all kinds and widths, for the tests of the switch.
#include <core.p4>
#include <v1model.p4>

header in_t {
    bit<8>   op;
    bit<8>   by;
    bit<16>  narrow;
    bit<8>   a8;
    bit<8>   b8;
    bit<48>  a48;
    bit<48>  b48;
    bit<200> a200;
    bit<200> b200;
}
header out_t {
    bit<8>   flags;
    bit<8>   o8;
    bit<16>  o16;
    bit<48>  o48;
    bit<200> o200;
}
struct headers_t {
    in_t  i;
    out_t o;
}
struct metadata_t { bit<200> wide; }

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.i);
        m.wide = p.lookahead<bit<200>>();
        transition select(m.wide[199:192], m.wide[7:0], h.i.a200) {
            (1, 2 &&& 0xf, _): other;
            default: accept;
        }
    }
    state other {
        m.wide = m.wide - 1;
        transition accept;
    }
}
control check(inout headers_t h, inout metadata_t m) { apply { } }

control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    action result(bit<8> x8, bit<16> x16, bit<48> x48, bit<200> x200) {
        h.o.o8 = x8;
        h.o.o16 = x16;
        h.o.o48 = x48;
        h.o.o200 = x200;
    }
    apply {
        s.egress_spec = 1;
        h.o.setValid();
        bit<8> a = h.i.a8;
        bit<8> b = h.i.b8;
        bit<48> c = h.i.a48;
        bit<48> d = h.i.b48;
        bit<200> e = h.i.a200;
        bit<200> f = h.i.b200;
        switch (h.i.op) {
            0: { result(a + b, (bit<16>)a * (bit<16>)b, c + d, e + f); }
            1: { result(a - b, h.i.narrow - (bit<16>)a, c - d, e - f); }
            2: { result(a |+| b, h.i.narrow |+| (bit<16>)a, c |+| d, e |+| f); }
            3: { result(a |-| b, h.i.narrow |-| (bit<16>)a, c |-| d, e |-| f); }
            4: { result(a << b, h.i.narrow << h.i.by, c << h.i.by, e << h.i.by); }
            5: { result(a >> b, h.i.narrow >> h.i.by, c >> h.i.by, e >> h.i.by); }
            6: { result((bit<8>)((int<8>)a >> h.i.by), (bit<16>)((int<16>)h.i.narrow >> h.i.by),
                (bit<48>)((int<48>)c >> h.i.by), (bit<200>)((int<200>)e >> h.i.by)); }
            7: { result((bit<8>)((int<8>)a |+| (int<8>)b),
                (bit<16>)((int<16>)h.i.narrow |-| (int<16>)(int<8>)a),
                (bit<48>)((int<48>)c |+| (int<48>)d), (bit<200>)((int<200>)e |-| (int<200>)f)); }
            8: { result(a[3:0] ++ b[7:4], a ++ b, c[40:9] ++ h.i.narrow, e[99:0] ++ f[150:51]); }
            9: { result(~a & b | 0x11, ~h.i.narrow, ~c ^ d, ~e ^ f & e); }
            10: { result(-a, -h.i.narrow, -c, -e); }
            11: { result(a * b, h.i.narrow * h.i.narrow, c * d, e * f); }
            12: { h.o.o200[150:100] = h.i.a200[50:0]; h.o.o48[11:4] = a; h.o.o16[0:0] = b[7:7]; }
            13: { result(a == b ? a : 7, (bit<16>)(int<16>)(int<8>)a, (bit<48>)(int<48>)(int<8>)b,
                (bit<200>)(int<200>)(int<48>)d); }
            14: { result(m.wide[31:24], m.wide[100:85], m.wide[199:152], m.wide + 1); }
        }
        if (a < b) { h.o.flags = h.o.flags | 1; }
        if ((int<8>)a < (int<8>)b) { h.o.flags = h.o.flags | 2; }
        if (c >= d) { h.o.flags = h.o.flags | 4; }
        if ((int<48>)c <= (int<48>)d) { h.o.flags = h.o.flags | 8; }
        if (e > f) { h.o.flags = h.o.flags | 16; }
        if ((int<200>)e > (int<200>)f) { h.o.flags = h.o.flags | 32; }
        if (e == f || e[7:0] == a) { h.o.flags = h.o.flags | 64; }
        if ((e & f) != 0 && c + d == 0xffffffffffff) { h.o.flags = h.o.flags | 128; }
    }
}
control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply { } }
control update(inout headers_t h, inout metadata_t m) { apply { } }
control deparse(packet_out p, in headers_t h) { apply { p.emit(h.o); } }

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
