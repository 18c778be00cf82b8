package p4src

import "fmt"

// DropReason is the index of DropCounter under which the switch counts a packet that it drops.
type DropReason uint8

// Drop reasons; include/ids.p4 has the same numbers and says more.
const (
	DropNotIPv4      DropReason = 1
	DropIPv4Options  DropReason = 2
	DropIPv4Checksum DropReason = 3
	DropTTLExpired   DropReason = 4
	DropNoRoute      DropReason = 5
	DropTruncated    DropReason = 6
	DropBadMagic     DropReason = 7
	DropBadVersion   DropReason = 8
	DropBadOp        DropReason = 9
	DropNotARequest  DropReason = 10
	DropBadLength    DropReason = 11
	DropBadFragment  DropReason = 12
	DropNoHop        DropReason = 13
	DropARP          DropReason = 14
)

var dropNames = [...]string{
	"NONE", "NOT_IPV4", "IPV4_OPTIONS", "IPV4_CHECKSUM", "TTL_EXPIRED", "NO_ROUTE", "TRUNCATED",
	"BAD_MAGIC", "BAD_VERSION", "BAD_OP", "NOT_A_REQUEST", "BAD_LENGTH", "BAD_FRAGMENT",
	"NO_HOP", "ARP",
}

// DropReasons returns every reason, in order.
func DropReasons() []DropReason {
	var all []DropReason
	for r := DropNotIPv4; int(r) < len(dropNames); r++ {
		all = append(all, r)
	}
	return all
}

// String gives the name in include/ids.p4.
func (r DropReason) String() string {
	if int(r) < len(dropNames) {
		return dropNames[r]
	}
	return fmt.Sprintf("drop reason %d", uint8(r))
}
