// A program with one of everything that the P4Runtime server serves. It is compiled by
//   p4c-bm2-ss --p4runtime-files basic.p4info.txtpb -o basic.json basic.p4
#include <core.p4>
#include <v1model.p4>

typedef bit<9> port_t;
const port_t CPU_PORT = 510;
const bit<32> CLONE_SESSION = 5;

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> kind;
}

@controller_header("packet_in")
header packet_in_t {
    port_t ingress_port;
    bit<7> reason;
}

@controller_header("packet_out")
header packet_out_t {
    port_t egress_port;
    bit<7> pad;
}

struct headers_t {
    packet_out_t packet_out;
    packet_in_t packet_in;
    ethernet_t ethernet;
}

struct metadata_t {}

struct learn_digest_t {
    bit<48> src;
    port_t port;
}

parser start_parser(packet_in packet, out headers_t hdr, inout metadata_t meta,
                    inout standard_metadata_t standard) {
    state start {
        transition select(standard.ingress_port) {
            CPU_PORT: parse_packet_out;
            default: parse_ethernet;
        }
    }
    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition parse_ethernet;
    }
    state parse_ethernet {
        packet.extract(hdr.ethernet);
        transition accept;
    }
}

control verify_control(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control ingress(inout headers_t hdr, inout metadata_t meta,
                inout standard_metadata_t standard) {
    counter(4, CounterType.packets_and_bytes) seen_counter;
    direct_counter(CounterType.packets_and_bytes) forward_counter;
    register<bit<17>>(3) last_register;

    action drop() { mark_to_drop(standard); }
    action forward(port_t port) { standard.egress_spec = port; }
    action flood(bit<16> group) { standard.mcast_grp = group; }
    action mirror() { clone(CloneType.I2E, CLONE_SESSION); }
    action to_controller(bit<7> reason) {
        hdr.packet_in.setValid();
        hdr.packet_in.ingress_port = standard.ingress_port;
        hdr.packet_in.reason = reason;
        standard.egress_spec = CPU_PORT;
    }
    action learn() {
        digest<learn_digest_t>(1, {hdr.ethernet.src, standard.ingress_port});
    }

    table forward_table {
        key = { hdr.ethernet.dst: exact; }
        actions = { forward; flood; to_controller; drop; }
        default_action = drop();
        counters = forward_counter;
        size = 8;
    }
    table prefix_table {
        key = { hdr.ethernet.dst: lpm; }
        actions = { mirror; @defaultonly NoAction; }
        const default_action = NoAction();
        size = 16;
    }
    table ranked_table {
        key = {
            hdr.ethernet.kind: ternary;
            standard.ingress_port: range;
            hdr.ethernet.src: optional;
        }
        actions = { learn; NoAction; }
        default_action = NoAction();
        size = 16;
    }
    table fixed_table {
        key = { hdr.ethernet.kind: exact; }
        actions = { NoAction; drop; }
        const entries = {
            0x9999: drop();
        }
        default_action = NoAction();
    }

    apply {
        if (hdr.packet_out.isValid()) {
            standard.egress_spec = hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
        } else {
            seen_counter.count((bit<32>)(standard.ingress_port & 3));
            last_register.write(0, (bit<17>)standard.packet_length[16:0]);
            ranked_table.apply();
            prefix_table.apply();
            forward_table.apply();
            fixed_table.apply();
        }
    }
}

control egress(inout headers_t hdr, inout metadata_t meta,
               inout standard_metadata_t standard) {
    apply {}
}

control compute_control(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control deparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.ethernet);
    }
}

V1Switch(start_parser(), verify_control(), ingress(), egress(), compute_control(),
         deparser()) main;
