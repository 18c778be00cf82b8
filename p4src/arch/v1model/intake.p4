// From standard metadata into ours. The parser has set ingress_port, because it must tell packets
// of the controller from others.

control intake(in headers_t hdr, inout metadata_t meta, in standard_metadata_t std) {
    apply {
        meta.checksum_error = (bit<1>)std.checksum_error;
        meta.packet_length = std.packet_length;
        if (hdr.packet_out.isValid()) {
            meta.packet_length = std.packet_length - 2;   // without the packet-out header
        }
    }
}
