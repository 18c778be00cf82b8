// TurboKV's switch: it routes key-value requests by their keys, and all else by IPv4.
//
// A request's story: the client sends it to the service address. Here it is validated, resolved
// (keyspace and index key -> sub-range -> epoch and chain), split if it is a scan that passes the
// end of its sub-range, addressed to the head or the tail, counted, and routed. The tail replies
// to the client; the reply passes as plain IPv4. docs/PROTOCOL.md has the packet format.
//
//   ingress   PLAIN --service--> REQUEST --resolve, address--> PLAIN --forwarding--> EMIT
//             any stage may say DROP; stages of requests may say ANSWER, which becomes EMIT
//   egress    the rest of a split scan goes round to ingress
//
// Of many switches only one, the home of a sub-range, knows its chain. All others pass the request
// on unresolved, down where they know the way to the home, else up: resolve says EMIT or SPREAD.

#include <core.p4>
#include <v1model.p4>

#include "include/types.p4"
#include "include/sizes.p4"
#include "include/ids.p4"
#include "include/protocol.p4"
#include "include/headers.p4"
#include "include/metadata.p4"
#include "arch/v1model/instances.p4"
#include "include/parser.p4"
#include "control/decide.p4"
#include "control/from_controller.p4"
#include "control/admit.p4"
#include "control/neighbour.p4"
#include "control/learn.p4"
#include "control/service.p4"
#include "control/validate.p4"
#include "control/resolve.p4"
#include "control/sub_range.p4"
#include "control/scan.p4"
#include "control/address.p4"
#include "control/answer.p4"
#include "control/forward.p4"
#include "control/spread.p4"
#include "control/answer_arp.p4"
#include "control/to_controller.p4"
#include "arch/v1model/arch.p4"

control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        intake.apply(meta, std);
        if (hdr.packet_out.isValid()) { from_controller.apply(hdr, meta); }
        if (meta.path == path_t.PLAIN) { admit.apply(hdr, meta); }
        if (meta.path == path_t.PLAIN || meta.path == path_t.ARP) {
            learn.apply(hdr, meta);
            service.apply(hdr, meta);
        }
        if (meta.path == path_t.REQUEST) {
            validate.apply(hdr, meta);
            if (meta.path == path_t.REQUEST) { resolve.apply(hdr, meta); }
            if (meta.path == path_t.REQUEST) { sub_range.apply(hdr, meta); }
            if (meta.path == path_t.REQUEST && hdr.tkv_fixed.op == OP_SCAN) {
                scan.apply(hdr, meta);
            }
            if (meta.path == path_t.REQUEST) { address.apply(hdr, meta); }
            if (meta.path == path_t.PLAIN) { count_load.apply(hdr); }
        }
        if (meta.path == path_t.PLAIN) { forwarding.apply(hdr, meta); }
        if (meta.path != path_t.EMIT) {   // one look for most packets
            if (meta.path == path_t.SPREAD) {
                flow_hash.apply(hdr, meta);
                spread.apply(hdr, meta);
            }
            if (meta.path == path_t.ARP) { answer_arp.apply(hdr, meta); }
            if (meta.path == path_t.ANSWER) { answer.apply(hdr, meta); }
            if (meta.path == path_t.DROP) { count_drop.apply(meta); }
        }
        if (meta.path == path_t.EMIT) { to_controller.apply(hdr, meta); }
        outlet.apply(meta, std);
    }
}

control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    apply {
        if (std.instance_type == INSTANCE_INGRESS_CLONE) { scan_rest.apply(hdr, meta); }
    }
}

V1Switch(tkv_parser(), verify_checksums(), ingress(), egress(), update_checksums(),
         tkv_deparser()) main;
