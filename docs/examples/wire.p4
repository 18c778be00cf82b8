// A wire: what comes in at one port leaves by another, as the table says. See ../SWITCH.md.
#include <core.p4>
#include <v1model.p4>

header ethernet_t { bit<48> dst; bit<48> src; bit<16> kind; }
struct headers_t { ethernet_t ethernet; }
struct metadata_t {}

parser parse(packet_in p, out headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    state start { p.extract(h.ethernet); transition accept; }
}
control check(inout headers_t h, inout metadata_t m) { apply {} }
control ingress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) {
    action send(bit<9> port) { s.egress_spec = port; }
    action drop() { mark_to_drop(s); }
    table wire {
        key = { s.ingress_port : exact; }
        actions = { send; drop; }
        default_action = drop();
    }
    apply { wire.apply(); }
}
control egress(inout headers_t h, inout metadata_t m, inout standard_metadata_t s) { apply {} }
control update(inout headers_t h, inout metadata_t m) { apply {} }
control deparse(packet_out p, in headers_t h) { apply { p.emit(h); } }

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
