// What v1model does in its own way: where standard metadata enters and leaves, counters, checksums,
// hashes, digests, cloning and recirculation. Another architecture brings a folder with the same controls.

#ifndef TKV_ARCH_P4
#define TKV_ARCH_P4

#include "counters.p4"
#include "checksums.p4"
#include "flow_hash.p4"
#include "intake.p4"
#include "outlet.p4"
#include "scan_rest.p4"

#endif
