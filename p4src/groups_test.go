package p4src_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/turbokv/turbokv/p4src"
)

// slotOf is the slot that a flow takes in a group, computed bit by bit from the definition in
// docs/PROTOCOL.md.
func slotOf(group uint16, flow []byte) byte {
	crc := uint16(0)
	for _, b := range flow {
		crc ^= uint16(b)
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low == 1 {
				crc ^= 0xa001
			}
		}
	}
	return byte(crc>>(4*((group+1)%4))) & 15
}

// flowOf returns source, destination, protocol and ports of a frame.
func flowOf(frame []byte) []byte {
	flow := append([]byte(nil), frame[26:34]...)
	flow = append(flow, frame[23])
	if frame[23] != 6 && frame[23] != 17 {
		return append(flow, 0, 0, 0, 0)
	}
	return append(flow, frame[34:38]...)
}

// newGroups returns a switch with one group per level, behind 10.LEVEL.0.0/16. The last byte of the
// MAC address to which a hop sends is its slot.
func newGroups(t *testing.T) *builtInDevice {
	t.Helper()
	d := newBuiltIn(t)
	r := run{device: d, expected: map[uint16][][]byte{}}
	for level := range 4 {
		group := p4src.GroupID(level, 3)
		lines := []string{fmt.Sprintf("ipv4_table dst_addr:10.%d.0.0/16 to_group(group:%d)", level, group)}
		for slot := range p4src.GroupSlots {
			lines = append(lines, fmt.Sprintf(
				"hop_table group:%d slot:%d hop(port:21, dst_mac:02:00:00:00:00:%02x)", group, slot, slot))
		}
		for _, line := range lines {
			if err := r.execute(statement{verb: "add", rest: line}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return d
}

// route sends a frame through the groups of a level and returns the slot taken.
func (d *builtInDevice) route(t *testing.T, level int, frame []byte) byte {
	t.Helper()
	sent, err := change(append([]byte(nil), frame...), []argument{{"ip.dst", fmt.Sprintf("10.%d.7.7", level)}})
	if err != nil {
		t.Fatal(err)
	}
	_ = d.send(1, sent)
	out, _ := d.receive(1)
	if len(out) != 1 || out[0].port != 21 {
		t.Fatalf("%d frames left the switch", len(out))
	}
	if want := slotOf(p4src.GroupID(level, 3), flowOf(sent)); out[0].bytes[5] != want {
		t.Fatalf("level %d: slot %d, want %d, for\n%s", level, out[0].bytes[5], want, describe(sent))
	}
	return out[0].bytes[5]
}

// TestGroupsSpreadFlows sends the flows that racks have: few addresses, ports that hosts draw. Each
// slot must get its share, and so must each slot of the next level from each of this one.
func TestGroupsSpreadFlows(t *testing.T) {
	d := newGroups(t)
	random := rand.New(rand.NewPCG(4, 16))
	const flows = 8192
	var taken [4][p4src.GroupSlots]int
	var pairs [2][p4src.GroupSlots][p4src.GroupSlots]int
	for range flows {
		frame := datagram([]byte("hello"))
		frame[29] = byte(1 + random.IntN(20)) // 10.0.1.x
		binary.BigEndian.PutUint16(frame[34:], uint16(32768+random.IntN(28232)))
		frame[23] = []byte{6, 17}[random.IntN(2)]
		var slots [4]byte
		for level := range slots {
			slots[level] = d.route(t, level, frame)
			taken[level][slots[level]]++
		}
		for level := range pairs {
			pairs[level][slots[level]][slots[level+1]]++
		}
	}
	for level := range taken[:3] { // the fourth piece is not so even: see control/spread.p4
		checkShares(t, "level "+strconv.Itoa(level), taken[level][:], flows)
	}
	for level := range pairs {
		for slot, next := range pairs[level] {
			name := fmt.Sprintf("slot %d of level %d, on the next level", slot, level)
			checkShares(t, name, next[:], taken[level][slot])
		}
	}
}

// checkShares allows each share 6 standard deviations from the mean of a fair draw.
func checkShares(t *testing.T, name string, counts []int, all int) {
	t.Helper()
	mean := float64(all) / float64(len(counts))
	for slot, n := range counts {
		if d := float64(n) - mean; d*d > 36*mean {
			t.Errorf("%s: slot %d has %d of %d flows", name, slot, n, all)
		}
	}
}

func TestGroupIDsOfLevelsDiffer(t *testing.T) {
	seen := map[uint16]string{}
	for level := range 4 {
		for _, n := range []int{0, 1, 2, 16383} {
			id, name := p4src.GroupID(level, n), fmt.Sprintf("group %d of level %d", n, level)
			if seen[id] != "" {
				t.Errorf("%s has the id %d of %s", name, id, seen[id])
			}
			seen[id] = name
			if int(id)%4 != level {
				t.Errorf("%s: id %d chooses bits of level %d", name, id, id%4)
			}
		}
	}
}
