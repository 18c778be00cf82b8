// Addressing: a resolved request goes to one node of its chain, the head for writes and the tail
// for reads, and remembers its client, because sources change along the chain. From here on it is
// plain IPv4, for this switch and for every other.
//
// The UDP checksum covers the addresses that change here; 0 means "none" (RFC 768), and our own
// CRC-32C covers what matters.

#ifndef TKV_ADDRESS_P4
#define TKV_ADDRESS_P4

control address(inout headers_t hdr, inout metadata_t meta) {
    @hidden
    action to_head() {
        hdr.tkv_route.chain_position = 0;
        hdr.ipv4.dst_addr = hdr.tkv_route.chain0;
    }

    @hidden
    action to_tail(in ipv4_addr_t tail) {
        hdr.tkv_route.chain_position = hdr.tkv_route.chain_length - 1;
        hdr.ipv4.dst_addr = tail;
    }

    // A chain of no nodes or too many cannot be an entry of ours: treat it as blocked, and send
    // nothing back that a client could take for a chain.
    @hidden
    action no_such_chain() {
        hdr.tkv_route.chain_length = 0;
        answer_with(meta, status_t.TRY_AGAIN);
    }

    @hidden
    action remember_client() {
        hdr.tkv_route.client_ip = hdr.ipv4.src_addr;
        hdr.tkv_route.client_port = hdr.udp.src_port;
        hdr.udp.checksum = 0;
        meta.path = path_t.PLAIN;
    }

    apply {
        remember_client();
        chain_length_t length = hdr.tkv_route.chain_length;
        if (length == 0 || length > 6) {
            no_such_chain();
        } else if (hdr.tkv_fixed.op[7:4] == CLASS_WRITE) {
            to_head();
        } else if (length == 1) {
            to_tail(hdr.tkv_route.chain0);
        } else if (length == 2) {
            to_tail(hdr.tkv_route.chain1);
        } else if (length == 3) {
            to_tail(hdr.tkv_route.chain2);
        } else if (length == 4) {
            to_tail(hdr.tkv_route.chain3);
        } else if (length == 5) {
            to_tail(hdr.tkv_route.chain4);
        } else {
            to_tail(hdr.tkv_route.chain5);
        }
    }
}

#endif
