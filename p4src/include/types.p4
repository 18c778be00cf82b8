// Types: one name for every number that could be taken for another.

#ifndef TKV_TYPES_P4
#define TKV_TYPES_P4

typedef bit<48>  mac_addr_t;
typedef bit<32>  ipv4_addr_t;
typedef bit<16>  udp_port_t;
typedef bit<9>   port_t;          // of the switch

typedef bit<16>  keyspace_t;
typedef bit<128> index_key_t;     // zero-padded key prefix (range) or XXH3-128 (hash)
typedef bit<32>  sub_range_t;     // index of the load counters; 0 means "not resolved"
typedef bit<32>  epoch_t;
typedef bit<8>   chain_length_t;

// What becomes of a packet. Each stage of ingress either leaves the path as it is or sets it, and
// the next stage runs only on the path that it serves.
enum bit<8> path_t {
    PLAIN   = 0,   // route it by its IPv4 destination
    REQUEST = 1,   // a request to the service that is not resolved yet
    ANSWER  = 2,   // the switch itself answers: turn it round with meta.status
    EMIT    = 3,   // the egress port is decided
    DROP    = 4    // count it under meta.drop_reason
}

#endif
