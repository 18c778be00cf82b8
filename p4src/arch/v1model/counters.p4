// Counters. P4Runtime reads counters everywhere and registers nowhere, so all load is counted here.

// Requests by sub-range, for the balancer. An id beyond the counters is not counted; v1model would
// see to that, but a simple_switch built for speed does not, and writes beyond the array.
control count_load(in headers_t hdr) {
    @id(ID_READ_COUNTER)
    counter(SUB_RANGES, CounterType.packets_and_bytes) read_counter;

    @id(ID_WRITE_COUNTER)
    counter(SUB_RANGES, CounterType.packets_and_bytes) write_counter;

    apply {
        if (hdr.tkv_route.sub_range < SUB_RANGES) {
            if (hdr.tkv_fixed.op >= OP_FIRST_WRITE) {
                write_counter.count(hdr.tkv_route.sub_range);
            } else {
                read_counter.count(hdr.tkv_route.sub_range);
            }
        }
    }
}

// Dropped packets by drop_reason_t.
control count_drop(in metadata_t meta) {
    @id(ID_DROP_COUNTER)
    counter(DROP_REASONS, CounterType.packets) drop_counter;

    apply {
        drop_counter.count((bit<32>)(bit<8>)meta.drop_reason);
    }
}
