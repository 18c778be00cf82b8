// The hash of a flow: CRC-16 (ARC) over addresses, protocol and ports. A later fragment of a packet
// has no ports and may go another way than the first.

control flow_hash(in headers_t hdr, inout metadata_t meta) {
    apply {
        bit<32> ports = meta.tcp_ports;
        if (hdr.udp.isValid()) {
            ports = hdr.udp.src_port ++ hdr.udp.dst_port;
        }
        hash(meta.flow_hash, HashAlgorithm.crc16, 16w0,
             { hdr.ipv4.src_addr, hdr.ipv4.dst_addr, hdr.ipv4.protocol, ports }, 32w65536);
    }
}
