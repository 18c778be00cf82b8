// Types: one name for every number that could be taken for another.

#ifndef TKV_TYPES_P4
#define TKV_TYPES_P4

typedef bit<48>  mac_addr_t;
typedef bit<32>  ipv4_addr_t;
typedef bit<16>  udp_port_t;      // TCP ports are like them
typedef bit<9>   port_t;          // of the switch

typedef bit<16>  keyspace_t;
typedef bit<128> index_key_t;     // zero-padded key prefix (range) or XXH3-128 (hash)
typedef bit<32>  sub_range_t;     // index of the load counters; 0 means "not resolved"
typedef bit<32>  epoch_t;
typedef bit<8>   chain_length_t;

typedef bit<16>  group_t;         // hops of equal cost; the two lowest bits choose hash bits
typedef bit<4>   slot_t;          // one of the 16 hops of a group

// What hangs on a port.
enum bit<8> neighbour_t {
    HOST  = 0,   // client, node, controller, or nothing that the controller knows of
    BELOW = 1,   // a switch of a lower level
    ABOVE = 2    // a switch of a higher level
}

// What becomes of a packet. Each stage of ingress either leaves the path as it is or sets it, and
// the next stage runs only on the path that it serves.
enum bit<8> path_t {
    PLAIN   = 0,   // route it by its IPv4 destination
    REQUEST = 1,   // a request to the service that is not resolved yet
    ANSWER  = 2,   // the switch itself answers: turn it round with meta.status
    EMIT    = 3,   // the egress port is decided
    DROP    = 4,   // count it under meta.drop_reason
    SPREAD  = 5,   // any hop of meta.group will do: its flow chooses
    ARP     = 6    // not IPv4, but a host that asks for our address
}

#endif
