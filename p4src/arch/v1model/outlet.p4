// From our decision into what v1model does after ingress: drop, send, tell the controller, copy.
// A dropped packet is learned from and copied as well: its rest may have a route.

control outlet(in metadata_t meta, inout standard_metadata_t std) {
    apply {
        if (meta.path == path_t.EMIT) {
            std.egress_spec = meta.egress_port;
        } else {
            mark_to_drop(std);
        }
        if (meta.learn == 1) {
            digest<learn_digest_t>(1, meta.host);
        }
        if (meta.split == 1) {
            clone_preserving_field_list(CloneType.I2E, SCAN_CLONE_SESSION, KEEP_FOR_SCAN_REST);
        }
    }
}
