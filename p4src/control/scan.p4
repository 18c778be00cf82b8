// Scans. One packet asks for index keys index_key .. end_index_key, both included. The sub-range
// that holds index_key serves its part; the rest is a packet of its own:
//
//   arrived   [ index_key ........................................ end_index_key ]  budget b
//             |-- this sub-range ----- last |next --- sub-ranges after it -------|
//   goes on   [ index_key ........... last ]                                        budget b
//   the copy                                [ next ................ end_index_key ]  budget b-1
//
// The copy is taken of the packet as it arrived, still from the client to the service, so it
// resolves like any request when it comes round. The budget bounds how often this happens. A piece
// that ends before the end wanted and has budget 0 is not followed by its rest: the client goes on.

#ifndef TKV_SCAN_P4
#define TKV_SCAN_P4

control scan(inout headers_t hdr, inout metadata_t meta) {
    @hidden
    action split() {
        meta.split = 1;
        meta.rest_index_key = meta.next_index_key;
        meta.rest_budget = hdr.tkv_route.scan_budget - 1;
    }

    apply {
        if (hdr.tkv_route.scan_budget > SCAN_BUDGET_MAX) {
            hdr.tkv_route.scan_budget = SCAN_BUDGET_MAX;
        }
        if (hdr.tkv_route.end_index_key < hdr.tkv_route.index_key) {
            answer_with(meta, status_t.BAD_REQUEST);
        } else if (hdr.tkv_route.index_key > meta.last_index_key) {
            // The two tables are between two cuts of the ranges.
            answer_with(meta, status_t.TRY_AGAIN);
        } else if (hdr.tkv_route.end_index_key > meta.last_index_key) {
            hdr.tkv_route.end_index_key = meta.last_index_key;
            if (hdr.tkv_route.scan_budget > 0 && meta.is_last == 0) {
                split();
            }
        }
    }
}

#endif
