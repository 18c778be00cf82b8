// Spreading. Where several hops lead on equally well, the flow of the packet chooses one: the hash
// of its 5-tuple, so that a flow keeps its way and its order. A group has 16 slots; the controller
// fills all of them, and when a hop is lost gives only its slots to others.
//
// A slot takes 4 of the 16 bits of the hash, and the two lowest bits of the group say which. Were
// they the same on every level, then all that a switch gets from below would have chosen alike
// already, and would choose alike again: half of the ways up would lie idle. (The lowest 4 bits come
// last, as they are the least even over the ports that hosts draw, 32768 to 60999.)

#ifndef TKV_SPREAD_P4
#define TKV_SPREAD_P4

control spread(inout headers_t hdr, inout metadata_t meta) {
    @id(ID_ACTION_HOP)
    action hop(port_t port, @format(MAC_ADDRESS) mac_addr_t dst_mac) {
        hdr.ethernet.src_addr = hdr.ethernet.dst_addr;
        hdr.ethernet.dst_addr = dst_mac;
        hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
        meta.egress_port = port;
        meta.path = path_t.EMIT;
    }

    @id(ID_ACTION_NO_HOP)
    action no_hop() {
        drop_because(meta, drop_reason_t.NO_HOP);
    }

    @id(ID_HOP_TABLE)
    table hop_table {
        key = {
            meta.group : exact @name("group");
            meta.slot  : exact @name("slot");
        }
        actions = { hop; @defaultonly no_hop; }
        const default_action = no_hop;
        size = HOPS;
    }

    apply {
        if (hdr.ipv4.ttl <= 1) {
            drop_because(meta, drop_reason_t.TTL_EXPIRED);
        } else {
            meta.slot = (slot_t)(meta.flow_hash >> ((bit<8>)(meta.group[1:0] + 1) << 2));
            hop_table.apply();
        }
    }
}

#endif
