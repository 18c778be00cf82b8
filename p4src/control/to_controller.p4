// Packet-in. What leaves by the controller's port says by which port it came.

#ifndef TKV_TO_CONTROLLER_P4
#define TKV_TO_CONTROLLER_P4

control to_controller(inout headers_t hdr, in metadata_t meta) {
    apply {
        if (meta.egress_port == CPU_PORT) {
            hdr.packet_in.setValid();
            hdr.packet_in.ingress_port = meta.ingress_port;
            hdr.packet_in.pad = 0;
        }
    }
}

#endif
