// Packet-out. The controller has two wishes: "send this by that port", which ends ingress here,
// and "take this as if I were a host", which goes on like any received packet.

#ifndef TKV_FROM_CONTROLLER_P4
#define TKV_FROM_CONTROLLER_P4

control from_controller(in headers_t hdr, inout metadata_t meta) {
    apply {
        meta.packet_length = meta.packet_length - 2;   // without the packet-out header
        if (hdr.packet_out.submit_to_ingress == 0) {
            meta.egress_port = hdr.packet_out.egress_port;
            meta.path = path_t.EMIT;
        }
    }
}

#endif
