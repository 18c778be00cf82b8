// Metadata: what the stages of the pipeline tell each other. The controls under control/ read and
// write only headers and these fields; arch/ carries them from and to the target.

#ifndef TKV_METADATA_P4
#define TKV_METADATA_P4

// Fields that a copy of a split scan keeps on its way to egress and round to ingress again.
#define KEEP_FOR_SCAN_REST 1

// A host seen on a port of the switch: what the controller learns.
@name("learn_digest")
struct learn_digest_t {
    ipv4_addr_t src_addr;
    mac_addr_t  src_mac;
    port_t      port;
}

struct metadata_t {
    // From the target.
    @field_list(KEEP_FOR_SCAN_REST)
    port_t         ingress_port;   // of the packet as it came, also when recirculated
    bit<1>         recirculated;   // the rest of a scan, on its second way through
    bit<32>        packet_length;  // in bytes, without a packet-out header
    bit<32>        tcp_ports;      // source and destination port; 0 if it is no TCP

    // Who sends.
    learn_digest_t host;           // address from the parser; kept apart: targets read it last
    neighbour_t    neighbour;      // what hangs on the port of ingress

    // The decision.
    path_t         path;
    status_t       status;         // for path ANSWER
    drop_reason_t  drop_reason;    // for path DROP
    port_t         egress_port;    // for path EMIT
    group_t        group;          // for path SPREAD
    bit<16>        flow_hash;      // which slot of the group
    slot_t         slot;
    bit<1>         learn;          // send the digest of meta.host

    // The sub-range of a request, from sub_range_table.
    index_key_t    last_index_key;
    index_key_t    next_index_key; // the first one after it
    bit<1>         is_last;        // nothing comes after it

    // The rest of a scan.
    bit<1>         split;          // copy the packet as it came, for the next sub-range
    @field_list(KEEP_FOR_SCAN_REST)
    index_key_t    rest_index_key; // where the copy goes on
    @field_list(KEEP_FOR_SCAN_REST)
    bit<8>         rest_budget;    // further pieces that the copy may become
}

#endif
