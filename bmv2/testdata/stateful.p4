// Meters, action profiles, selectors, idle timeouts: what a program keeps between packets besides
// counters and registers, for the tests of the switch.
#include <core.p4>
#include <v1model.p4>

header key_t {
    bit<8>  kind;  // which table
    bit<8>  flow;
    bit<16> hash;  // what the selectors look at, with flow
    bit<8>  color;
    bit<8>  next;  // what followed the table
}

struct headers_t { key_t key; }
struct metadata_t { bit<2> color; }

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.key);
        transition accept;
    }
}

control check(inout headers_t h, inout metadata_t m) { apply {} }
control update(inout headers_t h, inout metadata_t m) { apply {} }

control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    meter(4, MeterType.packets) packet_meter;
    meter(4, MeterType.bytes) byte_meter;
    direct_meter<bit<2>>(MeterType.packets) flow_meter;
    direct_counter(CounterType.packets_and_bytes) member_hits;
    action_profile(8) nexthops;
    action_selector(HashAlgorithm.crc16, 8, 16) paths;

    action send(bit<9> port) { s.egress_spec = port; }
    action mark(bit<9> port, bit<8> next) {
        s.egress_spec = port;
        h.key.next = next;
    }
    action drop() { mark_to_drop(s); }
    action police(bit<9> port) {
        flow_meter.read(m.color);
        s.egress_spec = port;
    }

    table metered_table {
        key = { h.key.flow : exact; }
        actions = { police; drop; }
        default_action = drop();
        meters = flow_meter;
        size = 16;
    }
    table indirect_table {
        key = { h.key.flow : exact; }
        actions = { send; mark; drop; }
        default_action = drop();
        implementation = nexthops;
        counters = member_hits;
        size = 16;
    }
    table second_table {
        key = { h.key.flow : lpm; }
        actions = { send; mark; drop; }
        implementation = nexthops;
        size = 16;
    }
    table selected_table {
        key = { h.key.flow : exact; h.key.hash : selector; h.key.next : selector; }
        actions = { send; mark; drop; NoAction; }
        default_action = NoAction();
        implementation = paths;
        size = 16;
    }
    table aging_table {
        key = { h.key.flow : exact; }
        actions = { send; drop; }
        default_action = drop();
        support_timeout = true;
        size = 16;
    }

    apply {
        if (h.key.kind == 1) {
            packet_meter.execute_meter((bit<32>)h.key.flow, m.color);
            h.key.color = (bit<8>)m.color;
            s.egress_spec = 1;
        } else if (h.key.kind == 2) {
            byte_meter.execute_meter((bit<32>)h.key.flow, m.color);
            h.key.color = (bit<8>)m.color;
            s.egress_spec = 1;
        } else if (h.key.kind == 3) {
            metered_table.apply();
            h.key.color = (bit<8>)m.color;
        } else if (h.key.kind == 4) {
            if (indirect_table.apply().hit) { h.key.color = 0xff; }
        } else if (h.key.kind == 5) {
            switch (second_table.apply().action_run) {
                send: { h.key.color = 1; }
                mark: { h.key.color = 2; }
                default: { h.key.color = 3; }
            }
        } else if (h.key.kind == 6) {
            switch (selected_table.apply().action_run) {
                send: { h.key.color = 1; }
                mark: { h.key.color = 2; }
                NoAction: { h.key.color = 3; s.egress_spec = 9; }
            }
        } else if (h.key.kind == 7) {
            aging_table.apply();
        }
    }
}

control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply {} }
control deparse(packet_out p, in headers_t h) { apply { p.emit(h.key); } }

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
