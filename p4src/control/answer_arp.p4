// Proxy ARP. Everything is routed, also between two hosts of one subnet, so the answer to "who has
// this address" is always the router, whichever address it is.
//
// No answer to a probe (sender 0.0.0.0, RFC 5227), which asks whether the address is taken, nor to
// an announcement, which asks nothing; and none to another switch. (Who asks has been learned.)

#ifndef TKV_ANSWER_ARP_P4
#define TKV_ANSWER_ARP_P4

control answer_arp(inout headers_t hdr, inout metadata_t meta) {
    @hidden
    action reply() {
        ipv4_addr_t asked = hdr.arp.target_ip;
        hdr.arp.operation = ARP_REPLY;
        hdr.arp.target_mac = hdr.arp.sender_mac;
        hdr.arp.target_ip = hdr.arp.sender_ip;
        hdr.arp.sender_mac = ROUTER_MAC;
        hdr.arp.sender_ip = asked;
        hdr.ethernet.dst_addr = hdr.ethernet.src_addr;
        hdr.ethernet.src_addr = ROUTER_MAC;
        meta.egress_port = meta.ingress_port;
        meta.path = path_t.EMIT;
    }

    apply {
        if (hdr.arp.operation == ARP_REQUEST && meta.neighbour == neighbour_t.HOST &&
            hdr.arp.sender_ip != 0 && hdr.arp.sender_ip != hdr.arp.target_ip) {
            reply();
        } else {
            drop_because(meta, drop_reason_t.ARP);
        }
    }
}

#endif
