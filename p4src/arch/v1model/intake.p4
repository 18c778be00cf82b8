// From standard metadata into ours. The parser has set ingress_port, because it must tell packets
// of the controller from others.

control intake(inout metadata_t meta, in standard_metadata_t std) {
    apply {
        meta.packet_length = std.packet_length;
        if (std.checksum_error == 1) {
            drop_because(meta, drop_reason_t.IPV4_CHECKSUM);
        }
    }
}
