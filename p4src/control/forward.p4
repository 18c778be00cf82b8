// Forwarding: plain IPv4 routing, by one hop or by one of several. The switch answers to whatever
// MAC address its neighbour used for it, and sends from that address. The checksum is renewed on
// leaving.

#ifndef TKV_FORWARD_P4
#define TKV_FORWARD_P4

control forwarding(inout headers_t hdr, inout metadata_t meta) {
    @id(ID_ACTION_FORWARD)
    action forward(port_t port, @format(MAC_ADDRESS) mac_addr_t dst_mac) {
        hdr.ethernet.src_addr = hdr.ethernet.dst_addr;
        hdr.ethernet.dst_addr = dst_mac;
        hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
        meta.egress_port = port;
        meta.path = path_t.EMIT;
    }

    @id(ID_ACTION_TO_GROUP)
    action to_group(@refers_to(hop_table, group) group_t group) {
        spread_over(meta, group);
    }

    @id(ID_ACTION_NO_ROUTE)
    action no_route() {
        drop_because(meta, drop_reason_t.NO_ROUTE);
    }

    @id(ID_IPV4_TABLE)
    table ipv4_table {
        key = {
            hdr.ipv4.dst_addr : lpm @name("dst_addr") @format(IPV4_ADDRESS);
        }
        actions = { forward; to_group; @defaultonly no_route; }
        const default_action = no_route;
        size = IPV4_ROUTES;
    }

    apply {
        if (hdr.ipv4.ttl <= 1) {
            drop_because(meta, drop_reason_t.TTL_EXPIRED);
        } else {
            ipv4_table.apply();
        }
    }
}

#endif
