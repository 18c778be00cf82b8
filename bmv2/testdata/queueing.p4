// What egress is told of the queue of its port: each frame carries it away.
#include <core.p4>
#include <v1model.p4>

header report_t {
    bit<32> enq_depth;
    bit<32> deq_depth;
    bit<32> deq_delta;
}

struct headers {
    report_t report;
}

struct meta {
}

parser parse(packet_in p, out headers h, inout meta m, inout standard_metadata_t s) {
    state start {
        p.extract(h.report);
        transition accept;
    }
}

control check(inout headers h, inout meta m) {
    apply { }
}

control ingress(inout headers h, inout meta m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 2;
    }
}

control egress(inout headers h, inout meta m, inout standard_metadata_t s) {
    apply {
        h.report.enq_depth = (bit<32>)s.enq_qdepth;
        h.report.deq_depth = (bit<32>)s.deq_qdepth;
        h.report.deq_delta = s.deq_timedelta;
    }
}

control update(inout headers h, inout meta m) {
    apply { }
}

control deparse(packet_out p, in headers h) {
    apply {
        p.emit(h.report);
    }
}

V1Switch(parse(), check(), ingress(), egress(), update(), deparse()) main;
