// The copy of a split scan, in egress: it is the packet as it arrived. Give it the bounds and the
// budget of the rest, and send it round; the packet-out header that it may have had is not sent.

control scan_rest(inout headers_t hdr, in metadata_t meta) {
    apply {
        hdr.tkv_route.index_key = meta.rest_index_key;
        hdr.tkv_route.scan_budget = meta.rest_budget;
        recirculate_preserving_field_list(KEEP_FOR_SCAN_REST);
    }
}
