// Resolution, second half: who serves the sub-range, at its home. One entry holds all that changes
// in a failover or a move, so that the change is one atomic modify.
//
//   entry serve -> epoch and chain go into the packet
//   entry block -> TRY_AGAIN: rows of another id may still lead to a part of it, by an old chain (I2)
//   no entry    -> TRY_AGAIN: the controller is about to write it

#ifndef TKV_SUB_RANGE_P4
#define TKV_SUB_RANGE_P4

control sub_range(inout headers_t hdr, inout metadata_t meta) {
    // Node i of the chain, the head first; those from chain_length on are 0.
    @id(ID_ACTION_SERVE)
    action serve(epoch_t epoch,
                 chain_length_t chain_length,
                 @format(IPV4_ADDRESS) ipv4_addr_t node0,
                 @format(IPV4_ADDRESS) ipv4_addr_t node1,
                 @format(IPV4_ADDRESS) ipv4_addr_t node2,
                 @format(IPV4_ADDRESS) ipv4_addr_t node3,
                 @format(IPV4_ADDRESS) ipv4_addr_t node4,
                 @format(IPV4_ADDRESS) ipv4_addr_t node5,
                 index_key_t last_index_key,
                 index_key_t next_index_key,
                 bit<1> is_last) {
        hdr.tkv_route.epoch = epoch;
        hdr.tkv_route.chain_length = chain_length;
        hdr.tkv_route.chain0 = node0;
        hdr.tkv_route.chain1 = node1;
        hdr.tkv_route.chain2 = node2;
        hdr.tkv_route.chain3 = node3;
        hdr.tkv_route.chain4 = node4;
        hdr.tkv_route.chain5 = node5;
        meta.last_index_key = last_index_key;
        meta.next_index_key = next_index_key;
        meta.is_last = is_last;
    }

    @id(ID_ACTION_BLOCK)
    action block() {
        answer_with(meta, status_t.TRY_AGAIN);
    }

    @id(ID_SUB_RANGE_TABLE)
    table sub_range_table {
        key = {
            hdr.tkv_route.sub_range : exact @name("id");
        }
        actions = { serve; block; }
        const default_action = block;
        size = SUB_RANGES;
    }

    apply {
        sub_range_table.apply();
    }
}

#endif
