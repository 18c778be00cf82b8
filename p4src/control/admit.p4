// Admission. The switch is an IPv4 router: what is not IPv4, or not sound, is dropped and counted,
// but for two things that a router hears as well. Hosts ask for its address (ARP), and switches
// tell each other who they are (LLDP): that is for the controller, which knows who they should be.
//
// A header with options is refused because renewing its checksum would need a header of variable
// length; hosts of a data centre send none. (Wrong checksums never get here: see arch/.)

#ifndef TKV_ADMIT_P4
#define TKV_ADMIT_P4

control admit(in headers_t hdr, inout metadata_t meta) {
    apply {
        if (!hdr.ipv4.isValid() || hdr.ipv4.version != 4 || hdr.ipv4.ihl < 5) {
            if (hdr.arp.isValid()) {
                meta.path = path_t.ARP;
            } else if (hdr.ethernet.isValid() && hdr.ethernet.ether_type == ETHERTYPE_LLDP) {
                meta.egress_port = CPU_PORT;
                meta.path = path_t.EMIT;
            } else {
                drop_because(meta, drop_reason_t.NOT_IPV4);
            }
        } else if (hdr.ipv4.ihl > 5) {
            drop_because(meta, drop_reason_t.IPV4_OPTIONS);
        }
    }
}

#endif
