package v1model_test

import (
	"encoding/binary"
	"testing"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// Egress sees the queue of its own port, cut to the widths of standard metadata.
func TestEgressIsToldOfTheQueue(t *testing.T) {
	for _, c := range []struct{ frames, wait, wantFrames, wantWait uint64 }{
		{0, 0, 0, 0},
		{7, 1234, 7, 1234},
		{1 << 20, 1 << 40, 1<<19 - 1, 1<<32 - 1},
	} {
		asked := uint16(0)
		sw := newSwitch(t, "queueing", v1model.Config{Backlog: func(port uint16) (uint64, uint64) {
			asked = port
			return c.frames, c.wait
		}})
		out := process(sw.NewWorker(), 1, make([]byte, 12))
		if len(out) != 1 || out[0].port != 2 || asked != 2 {
			t.Fatalf("%d frames left, the queue of port %d was asked for", len(out), asked)
		}
		f := []byte(out[0].frame)
		enq, deq := binary.BigEndian.Uint32(f), binary.BigEndian.Uint32(f[4:])
		delta := binary.BigEndian.Uint32(f[8:])
		if uint64(enq) != c.wantFrames || uint64(deq) != c.wantFrames || uint64(delta) != c.wantWait {
			t.Errorf("%d frames for %d us: told %d, %d, %d", c.frames, c.wait, enq, deq, delta)
		}
	}
}
