package daemon

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/turbokv/turbokv/bmv2/port"
)

// Flows are UDP source ports; a number follows the header.
const (
	manyFlows   = 40
	manyFrames  = 20000
	flowOffset  = 34
	orderOffset = 42
)

func flowFrame(flow uint16, number uint32) []byte {
	f := frame(2, 60)
	copy(f[12:], "\x08\x00\x45\x00\x00\x2e\x00\x00\x40\x00\x40\x11\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02")
	copy(f[flowOffset:], "\x00\x00\x1b\x58\x00\x1a\x00\x00")
	binary.BigEndian.PutUint16(f[flowOffset:], flow)
	binary.BigEndian.PutUint32(f[orderOffset:], number)
	return f
}

// TestWorkersKeepTheOrderOfFlows has four workers share the frames of one interface: behind the switch
// each flow must come out in the order in which it went in, and whole.
func TestWorkersKeepTheOrderOfFlows(t *testing.T) {
	r := newRig(t, Config{})
	r.forward(2, "ingress.forward", 2)
	vethPairs(t) // gRPC stays where it was
	for number, name := range map[uint16]string{1: "port1", 2: "port2"} {
		p, err := port.Spec{Number: number, Interface: name, Workers: 4}.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.daemon.AddPort(number, p); err != nil {
			t.Fatal(err)
		}
	}
	out, in := openPacket(t, "gen0"), openPacket(t, "gen1")
	late := time.AfterFunc(time.Minute, func() { in.Close() })
	defer late.Stop()
	latest, seen, sent := make(map[uint16]uint32), 0, 0
	bufs := make([][]byte, batchSize)
	for i := range bufs {
		bufs[i] = make([]byte, port.MaxFrame)
	}
	for number := uint32(1); seen < manyFrames; number++ {
		if sent < manyFrames {
			var batch [][]byte
			for flow := range uint16(manyFlows) {
				batch = append(batch, flowFrame(flow+5000, number))
			}
			n, err := out.WriteBatch(batch)
			if err != nil {
				t.Fatal(err)
			}
			sent += n
		}
		for seen < sent && (sent-seen > 800 || sent >= manyFrames) {
			n, err := in.ReadBatch(bufs)
			if err != nil {
				t.Fatalf("%v: %d of %d frames came", err, seen, sent)
			}
			for _, f := range bufs[:n] {
				if binary.BigEndian.Uint16(f[12:]) != 0x0800 {
					continue // of the kernel's own
				}
				flow, number := binary.BigEndian.Uint16(f[flowOffset:]), binary.BigEndian.Uint32(f[orderOffset:])
				if number != latest[flow]+1 {
					t.Fatalf("flow %d: frame %d after frame %d", flow, number, latest[flow])
				}
				latest[flow] = number
				seen++
			}
		}
	}
}
