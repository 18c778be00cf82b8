// Hashes, checksums, logs and assertions, for the tests of the switch.
#include <core.p4>
#include <v1model.p4>

header in_t {
    bit<8>  op;
    bit<3>  x;
    bit<13> y;
    bit<32> z;
    bit<16> base;
    bit<16> size;
}
header out_t {
    bit<16> o16;
    bit<32> o32;
    bit<64> o64;
}
header sums_t {
    bit<16> all;     // of in and the payload
    bit<16> half;    // of in without the payload, if op is odd
    bit<32> long;
}
struct headers_t {
    in_t   i;
    out_t  o;
    sums_t sums;
}
struct metadata_t { bit<64> wide; }

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.i);
        p.extract(h.sums);
        transition accept;
    }
}
control check(inout headers_t h, inout metadata_t m) {
    apply {
        verify_checksum_with_payload(h.i.op == 100, { h.i }, h.sums.all, HashAlgorithm.csum16);
        verify_checksum(h.i.op == 101, { h.i.op, h.i.z }, h.sums.long, HashAlgorithm.crc32);
        verify_checksum(h.i.op == 102, { h.i.x, h.i.y, 3w5, h.i.z, 5w1 }, h.sums.half,
            HashAlgorithm.crc16_custom);
    }
}
control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        h.o.setValid();
        switch (h.i.op) {
            0: {
                hash(h.o.o16, HashAlgorithm.crc16, h.i.base, { h.i.x, h.i.y, h.i.z }, h.i.size);
                hash(h.o.o32, HashAlgorithm.crc16, 32w0, { h.i.z }, 32w0x10000);
                hash(h.o.o64, HashAlgorithm.crc16_custom, 64w0, { h.i.x, h.i.y, h.i.z },
                    64w0x100000000);
            }
            1: {
                hash(h.o.o16, HashAlgorithm.crc32, h.i.base, { h.i.x, h.i.y, h.i.z }, h.i.size);
                hash(h.o.o32, HashAlgorithm.crc32, 32w0, { h.i.z, h.i.op }, 32w0xffffffff);
                hash(h.o.o64, HashAlgorithm.crc32_custom, 64w5, { h.i.y, h.i.x },
                    64w0x100000000);
            }
            2: {
                hash(h.o.o16, HashAlgorithm.csum16, h.i.base, { h.i.z, h.i.op }, h.i.size);
                hash(h.o.o32, HashAlgorithm.xor16, 32w0, { h.i.z, h.i.op }, 32w0x10000);
                hash(h.o.o64, HashAlgorithm.identity, 64w1, { h.i.z, h.i.op, h.i.x },
                    64w0xffffffffffffffff);
            }
            3: {
                hash(m.wide, HashAlgorithm.identity, 64w0, { h.i.x, h.i.z }, 64w1000);
                h.o.o64 = m.wide;
                log_msg("values {} and {}", { h.i.z, m.wide });
                log_msg("nothing");
            }
            4: { assert(h.i.z != 0); }
            5: { assume(h.i.x == 1 || h.i.y > 7); }
            6: { truncate(20); truncate(30); }
            7: { random(h.o.o16, 16w7, 16w7); random(h.o.o32, h.i.z, h.i.z); }
            8: { random(h.o.o32, 32w9, 32w5); }
        }
        if (s.checksum_error == 1) { s.egress_spec = 2; }
    }
}
control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply { } }
control update(inout headers_t h, inout metadata_t m) {
    apply {
        update_checksum_with_payload(true, { h.i, h.o }, h.sums.all, HashAlgorithm.csum16);
        update_checksum(h.i.op[0:0] == 1, { h.i.x, h.i.y, h.i.z, 7w1, h.i.base, 9w0x101 },
            h.sums.half, HashAlgorithm.crc16);
        update_checksum_with_payload(h.i.op[1:1] == 1, { h.i.op }, h.sums.long,
            HashAlgorithm.crc32);
    }
}
control deparse(packet_out p, in headers_t h) {
    apply {
        p.emit(h.i);
        p.emit(h.sums);
        p.emit(h.o);
    }
}

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
