// Variable-length fields, for the tests of the switch.
#include <core.p4>
#include <v1model.p4>

header base_t {
    bit<8>  op;     // what ingress does
    bit<8>  length; // of the options, in bits divided by 4
    bit<8>  more;   // how many list elements follow
    bit<16> sum;    // over everything
}
header options_t {
    bit<4>      kind;
    varbit<128> data;
    bit<12>     tail;
}
header item_t {
    bit<8>     length; // bytes
    varbit<32> data;
}
header blob_t { varbit<64> data; }

struct headers_t {
    base_t    base;
    options_t options;
    options_t spare;
    item_t[2] items;
    blob_t    blob;
}
struct metadata_t { bit<8> left; }

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.base);
        m.left = h.base.more;
        p.extract(h.options, (bit<32>)h.base.length << 2);
        transition items;
    }
    state items {
        transition select(m.left) {
            0: accept;
            0xff: blob;
            default: item;
        }
    }
    state item {
        m.left = m.left - 1;
        p.extract(h.items.next, (bit<32>)p.lookahead<bit<8>>() << 3);
        transition items;
    }
    state blob {
        p.extract(h.blob, 24);
        transition accept;
    }
}

control check(inout headers_t h, inout metadata_t m) { apply { } }

control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        switch (h.base.op) {
            1: { h.spare = h.options; h.spare.kind = 0xf; }
            2: { h.items[0].data = h.items[1].data; }
            3: { h.options.setInvalid(); h.options.setValid(); h.options.tail = 0xabc; }
            4: { h.items.push_front(1); h.items[0].setValid(); h.items[0].length = 0; }
            5: { h.items.pop_front(1); }
            6: { if (h.items[0] == h.items[1]) { s.egress_spec = 2; } }
            7: { if (h.items[0].data == h.items[1].data) { s.egress_spec = 2; } }
            8: { s.egress_spec = 2; h.base.sum = (bit<16>)s.packet_length; }
            12: {
                varbit<32> data = h.items[0].data;
                h.items[0].data = h.items[1].data;
                h.items[1].data = data;
            }
        }
        if (s.parser_error != error.NoError) { s.egress_spec = 3; }
        if (s.parser_error == error.HeaderTooShort) { s.egress_spec = 4; }
        if (s.parser_error == error.ParserInvalidArgument) { s.egress_spec = 5; }
    }
}

control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    apply {
        if (h.base.op == 9) { h.base.sum = (bit<16>)s.packet_length; h.options.setInvalid(); }
    }
}

control update(inout headers_t h, inout metadata_t m) {
    apply {
        update_checksum(h.base.op == 10, { h.base.op, h.base.length, h.base.more, h.options.kind,
            h.options.data, h.options.tail }, h.base.sum, HashAlgorithm.csum16);
        update_checksum_with_payload(h.base.op == 11, { h.base.op, h.base.length, h.items[0].data,
            h.blob.data }, h.base.sum, HashAlgorithm.crc16);
    }
}
control deparse(packet_out p, in headers_t h) {
    apply {
        p.emit(h.base);
        p.emit(h.options);
        p.emit(h.spare);
        p.emit(h.items);
        p.emit(h.blob);
    }
}

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
