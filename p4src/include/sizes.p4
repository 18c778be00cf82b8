// Sizes: every capacity, with its reason.

#ifndef TKV_SIZES_P4
#define TKV_SIZES_P4

// Sub-ranges that one switch serves. Two nodes with 8,192 sub-ranges each fill it; a rack that
// needs more belongs under an index hierarchy. One Tofino pipeline holds about as many.
#define SUB_RANGES 16384

// Prefixes of index keys. A cut at a multiple of 2^k costs few prefixes, and the controller
// prefers such cuts: 4 per sub-range on average.
#define PARTITION_ENTRIES 65536

// Ports of the switch: as many as 9 bits tell apart.
#define PORTS 512

// Hops of groups, 16 rows each: 256 groups. A switch needs one for "up" and one for every set of
// neighbours through which some rack is reached; with a few failed links that is some dozens.
#define HOPS 4096

// IPv4 prefixes: hosts of a rack, other racks, and room for a few thousand simulated clients.
#define IPV4_ROUTES 4096

// Hosts learned, one per IPV4_ROUTES entry at most.
#define LEARNED_HOSTS 4096

// Service addresses: one per cluster that shares the switch.
#define SERVICES 16

// Counters by drop reason: drop_reason_t with room to grow.
#define DROP_REASONS 32

// Further pieces into which one scan may be split, whatever budget its sender wrote. It bounds
// both the copies that one packet can cause and the replies that hit the client at once
// (17 replies of 1.5 kB are a third of a 64-packet queue).
#define SCAN_BUDGET_MAX 16

#endif
