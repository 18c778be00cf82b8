// Answering. What the switch can decide alone it answers alone: the request turns round with a
// status and with REPLY and FROM_SWITCH set. All else in part A, and the payload, stays the
// sender's, so that its CRC still holds under the mask that FROM_SWITCH announces.
//
//   client -> VIP:21579 -> [switch] -> client, from VIP:21579, out of the port it came in by

#ifndef TKV_ANSWER_P4
#define TKV_ANSWER_P4

control answer(inout headers_t hdr, inout metadata_t meta) {
    @hidden
    action turn_ethernet() {
        mac_addr_t dst = hdr.ethernet.dst_addr;
        hdr.ethernet.dst_addr = hdr.ethernet.src_addr;
        hdr.ethernet.src_addr = dst;
    }

    @hidden
    action turn_ipv4() {
        ipv4_addr_t dst = hdr.ipv4.dst_addr;
        hdr.ipv4.dst_addr = hdr.ipv4.src_addr;
        hdr.ipv4.src_addr = dst;
        hdr.ipv4.ttl = TTL_INITIAL;
    }

    @hidden
    action turn_udp() {
        udp_port_t dst = hdr.udp.dst_port;
        hdr.udp.dst_port = hdr.udp.src_port;
        hdr.udp.src_port = dst;
        hdr.udp.checksum = 0;
    }

    apply {
        turn_ethernet();
        turn_ipv4();
        turn_udp();
        hdr.tkv_fixed.flags = hdr.tkv_fixed.flags | FLAG_REPLY | FLAG_FROM_SWITCH;
        hdr.tkv_fixed.status = meta.status;
        meta.egress_port = meta.ingress_port;
        meta.path = path_t.EMIT;
    }
}

#endif
