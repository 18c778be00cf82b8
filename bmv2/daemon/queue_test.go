package daemon

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/link"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// Frames that wait for a slow cable are what the program is told as the depth of the queue.
func TestProgramsSeeTheQueueOfACable(t *testing.T) {
	data, err := os.ReadFile("../testdata/queueing.json")
	if err != nil {
		t.Fatal(err)
	}
	program, err := bmv2.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	in, cable := port.NewPair(16)
	out, _ := port.NewPair(16)
	d, err := New(Config{Address: "127.0.0.1:0", Program: program, Ports: map[uint16]port.Port{
		1: in, 2: port.Shape(out, link.Spec{Rate: 1})}}) // 12 bytes take 96 s
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	traces := make(chan *v1model.Trace, 1)
	if _, err := d.Watch(v1model.Filter{}, func(x *v1model.Trace) { traces <- x }, nil); err != nil {
		t.Fatal(err)
	}
	for want := range uint32(4) {
		if _, err := cable.WriteBatch([][]byte{make([]byte, 12)}); err != nil {
			t.Fatal(err)
		}
		x := <-traces // before the frame leaves, but the next one is read after that
		told := x.Passes[0].Out.Frame
		enq, delta := binary.BigEndian.Uint32(told), binary.BigEndian.Uint32(told[8:])
		if enq != want || (delta > 0) != (want > 0) {
			t.Errorf("frame %d was told of %d waiting frames, %d us", want, enq, delta)
		}
	}
	if frames, _ := d.backlog(3); frames != 0 {
		t.Errorf("%d frames wait at a port that is not there", frames)
	}
}
