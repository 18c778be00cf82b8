// Every kind of table, counter and register, for the tests of the switch.
#include <core.p4>
#include <v1model.p4>

header key_t {
    bit<8>   kind;   // which table
    bit<4>   nibble;
    bit<12>  odd;
    bit<16>  small;
    bit<128> wide;
}

struct headers_t { key_t key; }
struct metadata_t { bit<32> index; }

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.key);
        transition accept;
    }
}

control check(inout headers_t h, inout metadata_t m) { apply {} }
control update(inout headers_t h, inout metadata_t m) { apply {} }

control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    counter(8, CounterType.packets_and_bytes) kinds;
    direct_counter(CounterType.packets_and_bytes) exact_hits;
    register<bit<32>>(4) seen;
    register<bit<128>>(2) wides;

    action send(bit<9> port) { s.egress_spec = port; }
    action send_wide(bit<9> port, bit<128> wide) {
        s.egress_spec = port;
        h.key.wide = wide;
    }
    action drop() { mark_to_drop(s); }

    table exact_table {
        key = { h.key.nibble : exact; h.key.small : exact; }
        actions = { send; drop; }
        default_action = drop();
        counters = exact_hits;
        size = 4;
    }
    table wide_table {
        key = { h.key.wide : exact; h.key.odd : exact; }
        actions = { send_wide; drop; }
        const default_action = drop();
        size = 1024;
    }
    table lpm_table {
        key = { h.key.wide : lpm; h.key.odd : exact; }
        actions = { send; drop; }
        default_action = drop();
        size = 1024;
    }
    table ternary_table {
        key = { h.key.odd : ternary; h.key.small : optional; h.key.wide : lpm; }
        actions = { send; drop; }
        default_action = drop();
        size = 1024;
    }
    table range_table {
        key = { h.key.small : range; h.key.nibble : exact; }
        actions = { send; drop; }
        default_action = drop();
        size = 1024;
    }
    table const_table {
        key = { h.key.small : ternary; }
        actions = { send; drop; }
        const default_action = drop();
        const entries = {
            0x0100 &&& 0xff00 : send(1);
            0x0102            : send(2);
            0x0200 &&& 0x0f00 : send(3);
        }
    }

    apply {
        m.index = (bit<32>)h.key.kind;
        kinds.count(m.index);
        if (h.key.kind == 0) exact_table.apply();
        else if (h.key.kind == 1) wide_table.apply();
        else if (h.key.kind == 2) lpm_table.apply();
        else if (h.key.kind == 3) ternary_table.apply();
        else if (h.key.kind == 4) range_table.apply();
        else if (h.key.kind == 5) const_table.apply();
        else if (h.key.kind == 6) {
            bit<32> n;
            bit<128> w;
            seen.read(n, (bit<32>)h.key.nibble);
            seen.write((bit<32>)h.key.nibble, n + 1);
            wides.read(w, 1);
            wides.write(1, w + h.key.wide);
            h.key.small = n[15:0];
            h.key.wide = w;
            s.egress_spec = 7;
        } else drop();
    }
}

control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply {} }
control deparse(packet_out p, in headers_t h) { apply { p.emit(h.key); } }

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
