// Validation. A request that the switch cannot trust to be one is dropped, not answered: an answer
// to garbage would go to an address taken from garbage. The payload stays unread here; its CRC is
// the node's business.

#ifndef TKV_VALIDATE_P4
#define TKV_VALIDATE_P4

control validate(in headers_t hdr, inout metadata_t meta) {
    // In 32 bits, so that no sum wraps round and looks right.
    bit<32> ip_bytes = (bit<32>)hdr.ipv4.total_length;
    bit<32> udp_bytes = (bit<32>)hdr.udp.length;
    bit<32> payload_bytes = (bit<32>)hdr.tkv_fixed.payload_length;

    apply {
        if (!hdr.tkv_route.isValid() ||
            meta.packet_length < (bit<32>)ETHERNET_BYTES + ip_bytes) {
            drop_because(meta, drop_reason_t.TRUNCATED);
        } else if (hdr.tkv_fixed.magic != TKV_MAGIC) {
            drop_because(meta, drop_reason_t.BAD_MAGIC);
        } else if (hdr.tkv_fixed.version != TKV_VERSION) {
            drop_because(meta, drop_reason_t.BAD_VERSION);
        } else if (hdr.tkv_fixed.op >= OP_FIRST_OTHER) {
            drop_because(meta, drop_reason_t.BAD_OP);
        } else if (hdr.tkv_fixed.flags & (FLAG_REPLY | FLAG_FROM_SWITCH) != 0) {
            drop_because(meta, drop_reason_t.NOT_A_REQUEST);
        } else if (ip_bytes != (bit<32>)IPV4_BYTES + udp_bytes ||
                   udp_bytes != (bit<32>)(UDP_BYTES + TKV_BYTES) + payload_bytes) {
            drop_because(meta, drop_reason_t.BAD_LENGTH);
        } else if (hdr.tkv_fixed.fragment_index != 0 || hdr.tkv_fixed.fragment_count != 1) {
            drop_because(meta, drop_reason_t.BAD_FRAGMENT);
        }
    }
}

#endif
