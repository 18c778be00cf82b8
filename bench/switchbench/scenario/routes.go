package scenario

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/wire"
)

// The size of the router.
const (
	routeCount  = 10_000
	accessCount = 500
	routedSize  = 142 // bytes of a frame
)

// Rules refuse sources of one network and permit some of another, the one of the frames. So every
// frame passes, one in five by a rule.
const (
	refused   = 192<<24 | 168<<16 // and 16 bits
	permitted = 172<<24 | 16<<16  // and 16 bits
	permits   = 50                // rules, the others refuse
)

// routes is a router with an access list.
func routes() (*Scenario, error) {
	r := rand.New(rand.NewPCG(2, 2))
	s := &Scenario{
		Name: "routes",
		About: fmt.Sprintf("%d routes by longest prefix after %d ternary rules, frames of %d bytes",
			routeCount, accessCount, routedSize),
		Entries: rules(r),
	}
	destinations := make(map[uint64]bool)
	for len(destinations) < routeCount {
		to, bits := destination(r)
		if destinations[to] {
			continue
		}
		destinations[to] = true
		s.Entries = append(s.Entries, tables.Entry{
			Table: "route_table", Action: "route", Match: []tables.Match{prefix("dst_addr", to, bits)},
			Params: []tables.Param{param("port", Out), param("dst", station+to&0xff)},
		})
		if len(s.Frames) < frames {
			s.Frames = append(s.Frames, routed(r, to))
		}
	}
	var err error
	s.Pipeline, err = load("routes")
	return s, err
}

// destination draws a prefix, of the lengths that a routing table has: two thirds of /24.
func destination(r *rand.Rand) (to uint64, bits int) {
	bits = []int{16, 20, 22, 24, 24, 24, 24, 24, 24, 32}[r.IntN(10)]
	mask := uint64(1)<<32 - 1<<(32-bits)
	return (10<<24 | uint64(r.Uint32()&0xffffff)) & mask, bits
}

// rules are the access list: 16 combinations of masks, as far as the two networks allow.
func rules(r *rand.Rand) (out []tables.Entry) {
	for i := range accessCount {
		e := tables.Entry{
			Table: "access_table", Action: "drop", Priority: int32(accessCount - i),
			Match: []tables.Match{source(r, refused, 20+4*(i%4))},
		}
		if i >= accessCount-permits {
			e.Action, e.Match[0] = "permit", masked("src_addr", permitted|uint64(i%10)<<8, 0xffffff00)
		}
		if i%8 >= 4 {
			e.Match = append(e.Match, masked("protocol", 17, 0xff))
		}
		if i%16 >= 8 {
			e.Match = append(e.Match, masked("dst_port", uint64(i), 0xffff))
		}
		out = append(out, e)
	}
	return out
}

func source(r *rand.Rand, network uint64, bits int) tables.Match {
	mask := uint64(1)<<32 - 1<<(32-bits)
	return masked("src_addr", (network|uint64(r.Uint32()&0xffff))&mask, mask)
}

func masked(field string, value, mask uint64) tables.Match {
	return tables.Match{Field: field, Kind: tables.Ternary, Value: tables.Uint(value), Extra: tables.Uint(mask)}
}

// routed is a UDP datagram to an address.
func routed(r *rand.Rand, to uint64) []byte {
	flow := wire.Flow{
		Src: netip.AddrPortFrom(ip(permitted|uint64(r.IntN(50))<<8|1), 40000),
		Dst: netip.AddrPortFrom(ip(to), 9),
	}
	return wire.AppendFrame(nil, flow, make([]byte, routedSize-wire.FrameOverhead))
}

func ip(v uint64) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(v))))
}
