// Resolution, first half: which sub-range holds the index key, or which switch knows. A range of
// index keys stands here as its minimal cover by prefixes, because bmv2 scans range tables
// linearly, Tofino expands them anyway, and the eBPF and DPDK targets refuse them. Entries change
// when ranges are cut anew, not when a chain changes.
//
//   set_sub_range -> this switch is the home of the sub-range, the only one that stamps its epoch
//   pass_down     -> the home lies below that port: on goes the request as it came, a hop older
//   pass_up       -> the home lies elsewhere: some switch above knows more
//
// What came from above never goes up again, else a switch above whose entries are old could send it
// round forever; the client asks again and finds them renewed. But the rest of a scan has been
// served in part by this switch and goes on as if from here: it may.

#ifndef TKV_RESOLVE_P4
#define TKV_RESOLVE_P4

control resolve(inout headers_t hdr, inout metadata_t meta) {
    @id(ID_ACTION_SET_SUB_RANGE)
    action set_sub_range(@refers_to(sub_range_table, id) sub_range_t id) {
        hdr.tkv_route.sub_range = id;
    }

    @id(ID_ACTION_PASS_DOWN)
    action pass_down(port_t port, @format(MAC_ADDRESS) mac_addr_t dst_mac) {
        hdr.ethernet.src_addr = hdr.ethernet.dst_addr;
        hdr.ethernet.dst_addr = dst_mac;
        meta.egress_port = port;
        meta.path = path_t.EMIT;
    }

    @id(ID_ACTION_PASS_UP)
    action pass_up(@refers_to(hop_table, group) group_t group) {
        spread_over(meta, group);
    }

    @id(ID_ACTION_NO_KEYSPACE)
    action no_keyspace() {
        answer_with(meta, status_t.NO_KEYSPACE);
    }

    @id(ID_PARTITION_TABLE)
    table partition_table {
        key = {
            hdr.tkv_fixed.keyspace  : exact @name("keyspace");
            hdr.tkv_route.index_key : lpm   @name("index_key");
        }
        actions = { set_sub_range; pass_down; pass_up; @defaultonly no_keyspace; }
        const default_action = no_keyspace;
        size = PARTITION_ENTRIES;
    }

    apply {
        switch (partition_table.apply().action_run) {
            pass_down: {
                if (hdr.ipv4.ttl <= 1) {
                    drop_because(meta, drop_reason_t.TTL_EXPIRED);
                } else {
                    hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
                }
            }
            pass_up: {
                if (meta.neighbour == neighbour_t.ABOVE && meta.recirculated == 0) {
                    answer_with(meta, status_t.TRY_AGAIN);
                }
            }
        }
    }
}

#endif
