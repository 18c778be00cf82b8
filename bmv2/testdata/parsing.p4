// Parsers, header stacks, checksums and computed stack indexes, for the tests of the switch.
#include <core.p4>
#include <v1model.p4>

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> type;
}
header label_t {
    bit<20> label;
    bit<3>  class;
    bit<1>  bottom;
    bit<8>  ttl;
}
header ipv4_t {
    bit<4>  version;
    bit<4>  ihl;
    bit<8>  diffserv;
    bit<16> length;
    bit<16> id;
    bit<3>  flags;
    bit<13> offset;
    bit<8>  ttl;
    bit<8>  protocol;
    bit<16> checksum;
    bit<32> src;
    bit<32> dst;
}
header udp_t {
    bit<16> src;
    bit<16> dst;
    bit<16> length;
    bit<16> checksum;
}

error { BadVersion }

struct headers_t {
    ethernet_t ethernet;
    label_t[3] labels;
    ipv4_t     ipv4;
    udp_t      udp;
}
struct metadata_t { bit<8> next; }

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.ethernet);
        m.next = p.lookahead<bit<8>>();
        transition select(h.ethernet.type, m.next[7:4]) {
            (0x8847, _): labels;
            (0x0800, 4 &&& 0xc): ipv4;
            default: accept;
        }
    }
    state labels {
        p.extract(h.labels.next);
        transition select(h.labels.last.bottom) {
            0: labels;
            1: ipv4;
        }
    }
    state ipv4 {
        p.extract(h.ipv4);
        verify(h.ipv4.version == 4, error.BadVersion);
        p.advance((bit<32>)(h.ipv4.ihl - 5) << 5);
        transition select(h.ipv4.protocol) {
            17: udp;
            default: accept;
        }
    }
    state udp {
        p.extract(h.udp);
        transition accept;
    }
}

control check(inout headers_t h, inout metadata_t m) {
    apply {
        verify_checksum(h.ipv4.isValid(), { h.ipv4.version, h.ipv4.ihl, h.ipv4.diffserv,
            h.ipv4.length, h.ipv4.id, h.ipv4.flags, h.ipv4.offset, h.ipv4.ttl, h.ipv4.protocol,
            h.ipv4.src, h.ipv4.dst }, h.ipv4.checksum, HashAlgorithm.csum16);
    }
}

control update(inout headers_t h, inout metadata_t m) {
    apply {
        update_checksum(h.ipv4.isValid(), { h.ipv4.version, h.ipv4.ihl, h.ipv4.diffserv,
            h.ipv4.length, h.ipv4.id, h.ipv4.flags, h.ipv4.offset, h.ipv4.ttl, h.ipv4.protocol,
            h.ipv4.src, h.ipv4.dst }, h.ipv4.checksum, HashAlgorithm.csum16);
        update_checksum_with_payload(h.udp.isValid(), { h.ipv4.src, h.ipv4.dst, 8w0,
            h.ipv4.protocol, h.udp.length, h.udp.src, h.udp.dst, h.udp.length },
            h.udp.checksum, HashAlgorithm.csum16);
    }
}

control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        if (s.checksum_error == 1) s.egress_spec = 2;
        if (s.parser_error != error.NoError) {
            s.egress_spec = 3;
            h.ethernet.type = 0xee00;
            if (s.parser_error == error.PacketTooShort) h.ethernet.type = 0xee01;
            if (s.parser_error == error.StackOutOfBounds) h.ethernet.type = 0xee02;
            if (s.parser_error == error.BadVersion) h.ethernet.type = 0xee03;
            if (s.parser_error == error.NoMatch) h.ethernet.type = 0xee04;
        }
        if (h.labels[0].isValid() && h.labels[0].class == 1) {
            h.labels.push_front(1);
            h.labels[0].setValid();
            h.labels[0].label = h.labels[1].label + 1;
            h.labels[0].ttl = 64;
        } else if (h.labels[0].isValid() && h.labels[0].class == 2) {
            h.labels.pop_front(1);
        } else if (h.labels[0].isValid() && h.labels[0].class == 3) {
            bit<2> last = 1;
            h.labels[last].label = 0xabcde;
        }
        if (h.ipv4.isValid()) {
            h.ipv4.ttl = h.ipv4.ttl - 1;
            hash(h.ipv4.id, HashAlgorithm.crc16, 16w0x100, { h.ipv4.src, h.ipv4.dst }, 16w0x80);
        }
    }
}

control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply {} }
control deparse(packet_out p, in headers_t h) {
    apply {
        p.emit(h.ethernet);
        p.emit(h.labels);
        p.emit(h.ipv4);
        p.emit(h.udp);
    }
}

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
