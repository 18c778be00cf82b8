// Resolution, first half: which sub-range holds the index key. A range of index keys stands here
// as its minimal cover by prefixes, because bmv2 scans range tables linearly, Tofino expands them
// anyway, and the eBPF and DPDK targets refuse them. Entries change when ranges are cut anew, not
// when a chain changes.

#ifndef TKV_RESOLVE_P4
#define TKV_RESOLVE_P4

control resolve(inout headers_t hdr, inout metadata_t meta) {
    @id(ID_ACTION_SET_SUB_RANGE)
    action set_sub_range(@refers_to(sub_range_table, id) sub_range_t id) {
        hdr.tkv_route.sub_range = id;
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
        actions = { set_sub_range; @defaultonly no_keyspace; }
        const default_action = no_keyspace;
        size = PARTITION_ENTRIES;
    }

    apply {
        partition_table.apply();
    }
}

#endif
