// Addressing: a resolved request goes to one node of its chain, the head for writes and the tail
// for reads, and remembers its client, because sources change along the chain. From here on it is
// plain IPv4, for this switch and for every other.
//
// The UDP checksum covers the addresses that change here; 0 means "none" (RFC 768), and our own
// CRC-32C covers what matters.

#ifndef TKV_ADDRESS_P4
#define TKV_ADDRESS_P4

control address(inout headers_t hdr, inout metadata_t meta) {
    // To the tail, as a read; a write goes on to the head from here.
    @hidden
    action to_tail(in ipv4_addr_t tail) {
        hdr.tkv_route.client_ip = hdr.ipv4.src_addr;
        hdr.tkv_route.client_port = hdr.udp.src_port;
        hdr.tkv_route.chain_position = hdr.tkv_route.chain_length - 1;
        hdr.ipv4.dst_addr = tail;
        hdr.udp.checksum = 0;
        meta.path = path_t.PLAIN;
    }

    @hidden
    action to_head() {
        hdr.tkv_route.chain_position = 0;
        hdr.ipv4.dst_addr = hdr.tkv_route.chain0;
    }

    // A chain of no nodes or too many cannot be an entry of ours: treat it as blocked, and send
    // nothing back that a client could take for a chain.
    @hidden
    action no_such_chain() {
        hdr.tkv_route.chain_length = 0;
        answer_with(meta, status_t.TRY_AGAIN);
    }

    apply {
        // Three replicas are the rule, so they come first.
        if (hdr.tkv_route.chain_length == 3) {
            to_tail(hdr.tkv_route.chain2);
        } else if (hdr.tkv_route.chain_length == 2) {
            to_tail(hdr.tkv_route.chain1);
        } else if (hdr.tkv_route.chain_length == 1) {
            to_tail(hdr.tkv_route.chain0);
        } else if (hdr.tkv_route.chain_length == 4) {
            to_tail(hdr.tkv_route.chain3);
        } else if (hdr.tkv_route.chain_length == 5) {
            to_tail(hdr.tkv_route.chain4);
        } else if (hdr.tkv_route.chain_length == 6) {
            to_tail(hdr.tkv_route.chain5);
        } else {
            no_such_chain();
        }
        if (meta.path == path_t.PLAIN && hdr.tkv_fixed.op >= OP_FIRST_WRITE) {
            to_head();
        }
    }
}

#endif
