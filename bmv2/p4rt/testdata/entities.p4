// Everything that P4Runtime has an entity for, for the tests of the server.
#include <core.p4>
#include <v1model.p4>

@p4runtime_translation("turbokv/test/port_t", bit<32>)
type bit<9> sdn_port_t;

header key_t {
    bit<8>  kind; // which table
    bit<16> flow;
    bit<8>  mark;
}

@controller_header("packet_in")
header packet_in_t { bit<9> ingress_port; bit<7> reason; }
@controller_header("packet_out")
header packet_out_t { bit<9> egress_port; @padding bit<7> pad; }

struct headers_t { packet_in_t packet_in; packet_out_t packet_out; key_t key; }
struct metadata_t { bit<2> color; sdn_port_t in_port; }
struct pair_t { bit<8> kind; @match(ternary) bit<16> flow; }
struct note_t { bit<16> flow; bit<9> port; }

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    value_set<bit<8>>(4) kinds;
    value_set<pair_t>(2) pairs;
    state start {
        m.in_port = (sdn_port_t)s.ingress_port;
        transition select(s.ingress_port) {
            510: out_header;
            default: key;
        }
    }
    state out_header { p.extract(h.packet_out); transition key; }
    state key {
        p.extract(h.key);
        transition select(h.key.kind) {
            kinds: marked;
            default: more;
        }
    }
    state more {
        transition select(h.key.kind, h.key.flow) {
            pairs: marked;
            default: accept;
        }
    }
    state marked { h.key.mark = 0xee; transition accept; }
}

control check(inout headers_t h, inout metadata_t m) { apply {} }
control update(inout headers_t h, inout metadata_t m) { apply {} }

control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    register<bit<12>>(3) numbers;
    register<int<12>>(2) signed_numbers;
    counter(2, CounterType.packets) seen;
    meter(4, MeterType.packets) two_rates;
    @single_rate_three_color meter(2, MeterType.bytes) one_rate;
    @single_rate_two_color meter(2, MeterType.bytes) two_colors;
    direct_meter<bit<2>>(MeterType.packets) flow_meter;
    direct_counter(CounterType.packets_and_bytes) flow_counter;
    action_profile(4) nexthops;
    @max_group_size(4) action_selector(HashAlgorithm.crc16, 8, 16) paths;

    action send(bit<9> port) { s.egress_spec = port; }
    action send_sdn(sdn_port_t port) { s.egress_spec = (bit<9>)port; }
    action drop() { mark_to_drop(s); }
    action police(bit<9> port) { flow_meter.read(m.color); s.egress_spec = port; }
    action count_hit(bit<9> port) { flow_counter.count(); s.egress_spec = port; }
    action note() { digest<note_t>(1, {h.key.flow, s.ingress_port}); mark_to_drop(s); }
    action many(bit<16> group) { s.mcast_grp = group; }

    table counted_table {
        key = { h.key.flow : exact; }
        actions = { count_hit; note; many; drop; }
        default_action = drop();
        counters = flow_counter;
        size = 8;
    }
    table metered_table {
        key = { h.key.flow : exact; }
        actions = { police; drop; }
        default_action = drop();
        meters = flow_meter;
        size = 8;
    }
    table member_table {
        key = { h.key.flow : exact; }
        actions = { send; drop; }
        implementation = nexthops;
        size = 8;
    }
    table path_table {
        key = { h.key.flow : lpm; h.key.flow : selector; }
        actions = { send; drop; }
        implementation = paths;
        size = 8;
    }
    table aging_table {
        key = { h.key.flow : ternary; }
        actions = { send; drop; }
        default_action = drop();
        support_timeout = true;
        size = 8;
    }
    table sdn_table {
        key = { m.in_port : ternary; }
        actions = { send_sdn; drop; }
        default_action = drop();
        size = 8;
    }
    table keyless_table {
        actions = { send; drop; }
        default_action = drop();
    }
    direct_counter(CounterType.packets) fixed_counter;
    action count_fixed(bit<9> port) { fixed_counter.count(); s.egress_spec = port; }
    table fixed_table {
        key = { h.key.flow : exact; }
        actions = { count_fixed; @defaultonly drop; }
        const entries = { 1 : count_fixed(1); }
        const default_action = drop();
        counters = fixed_counter;
    }

    apply {
        bit<12> number;
        int<12> other;
        numbers.read(number, 0);
        numbers.write(0, number + 1);
        signed_numbers.read(other, 0);
        seen.count(1);
        two_rates.execute_meter((bit<32>)0, m.color);
        one_rate.execute_meter((bit<32>)0, m.color);
        two_colors.execute_meter((bit<32>)0, m.color);
        if (h.packet_out.isValid()) {
            s.egress_spec = h.packet_out.egress_port;
            h.packet_out.setInvalid();
        } else if (h.key.kind == 1) { counted_table.apply();
        } else if (h.key.kind == 2) { metered_table.apply(); h.key.mark = (bit<8>)m.color;
        } else if (h.key.kind == 3) { member_table.apply();
        } else if (h.key.kind == 4) { path_table.apply();
        } else if (h.key.kind == 5) { aging_table.apply();
        } else if (h.key.kind == 6) { sdn_table.apply();
        } else if (h.key.kind == 7) { keyless_table.apply();
        } else if (h.key.kind == 8) { fixed_table.apply();
        } else if (h.key.kind == 9) {
            s.egress_spec = 510;
            h.packet_in.setValid();
            h.packet_in.ingress_port = s.ingress_port;
            h.packet_in.reason = (bit<7>)h.key.mark;
        }
    }
}

control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply {} }
control deparse(packet_out p, in headers_t h) {
    apply { p.emit(h.packet_in); p.emit(h.key); }
}

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
