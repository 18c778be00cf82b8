// Ids: the numbers by which the control plane may know an object, fixed here so that they survive
// every change of the program. The first byte is the kind of object that P4Runtime prescribes.
// (p4c derives the id of a digest from its name, learn_digest.)
// Drop reasons, session and port numbers that both sides must know stand here too.

#ifndef TKV_IDS_P4
#define TKV_IDS_P4

// Tables.
#define ID_SERVICE_TABLE    0x02000001
#define ID_PARTITION_TABLE  0x02000002
#define ID_SUB_RANGE_TABLE  0x02000003
#define ID_IPV4_TABLE       0x02000004
#define ID_LEARN_TABLE      0x02000005
#define ID_PORT_TABLE       0x02000006
#define ID_HOP_TABLE        0x02000007

// Actions.
#define ID_ACTION_TO_SERVICE    0x01000001
#define ID_ACTION_NOT_SERVICE   0x01000002
#define ID_ACTION_SET_SUB_RANGE 0x01000003
#define ID_ACTION_NO_KEYSPACE   0x01000004
#define ID_ACTION_SERVE         0x01000005
#define ID_ACTION_BLOCK         0x01000006
#define ID_ACTION_FORWARD       0x01000007
#define ID_ACTION_NO_ROUTE      0x01000008
#define ID_ACTION_KNOWN         0x01000009
#define ID_ACTION_UNKNOWN       0x0100000A
#define ID_ACTION_FROM_HOST     0x0100000B
#define ID_ACTION_FROM_BELOW    0x0100000C
#define ID_ACTION_FROM_ABOVE    0x0100000D
#define ID_ACTION_PASS_DOWN     0x0100000E
#define ID_ACTION_PASS_UP       0x0100000F
#define ID_ACTION_TO_GROUP      0x01000010
#define ID_ACTION_HOP           0x01000011
#define ID_ACTION_NO_HOP        0x01000012

// Counters.
#define ID_READ_COUNTER  0x12000001
#define ID_WRITE_COUNTER 0x12000002
#define ID_DROP_COUNTER  0x12000003

// Controller headers.
#define ID_PACKET_IN  0x04000001
#define ID_PACKET_OUT 0x04000002

// The port of packet-in and packet-out: the last of 9 bits before 511, which means "drop".
const port_t CPU_PORT = 510;

// The clone session of scans that are split. The controller creates it with one replica; the port
// does not matter, because the copy is recirculated and never leaves.
const bit<32> SCAN_CLONE_SESSION = 1;

// Why a packet was dropped: the index of drop_counter. Values are read by the controller: do not
// renumber.
enum bit<8> drop_reason_t {
    NONE          = 0,
    NOT_IPV4      = 1,    // another EtherType or version, or a cut header
    IPV4_OPTIONS  = 2,    // a header longer than 20 bytes, whose checksum we could not renew
    IPV4_CHECKSUM = 3,
    TTL_EXPIRED   = 4,
    NO_ROUTE      = 5,
    TRUNCATED     = 6,    // to the service, shorter than our header or than its IPv4 length
    BAD_MAGIC     = 7,
    BAD_VERSION   = 8,
    BAD_OP        = 9,    // a class that is not for clients
    NOT_A_REQUEST = 10,   // a reply sent to the service address
    BAD_LENGTH    = 11,   // IPv4, UDP and payload length contradict each other
    BAD_FRAGMENT  = 12,   // not fragment 0 of 1: there are no fragment trains yet
    NO_HOP        = 13,   // a group that lacks the slot, or all of them
    ARP           = 14    // no question of a host: a probe, an announcement, a reply
}

#endif
