package daemon_test

import (
	"fmt"
	"log"

	"github.com/turbokv/turbokv/bmv2/daemon"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/bmv2/stf"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// A whole switch in a Go test: ports are cables in memory, and P4Runtime is served at Addr, where the
// controller under test connects. Here a file takes its part.
func Example() {
	_, pipeline, err := daemon.ReadPipeline("../p4rt/testdata/basic.json", "../p4rt/testdata/basic.p4info.txtpb")
	if err != nil {
		log.Fatal(err)
	}
	entries, err := stf.Parse("entries", "add forward_table dst:0x00000000000b forward(port:2)")
	if err != nil {
		log.Fatal(err)
	}
	inner1, cable1 := port.NewPair(64) // what is written to a cable, the switch receives
	inner2, cable2 := port.NewPair(64)
	sw, err := daemon.New(daemon.Config{
		Address:  "127.0.0.1:0",
		Ports:    map[uint16]port.Port{1: inner1, 2: inner2},
		Pipeline: pipeline,
		Fill:     func(sw *v1model.Switch) error { return stf.Fill(sw, entries) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sw.Close()

	frame := append([]byte{0, 0, 0, 0, 0, 0xb}, make([]byte, 54)...)
	if _, err := cable1.WriteBatch([][]byte{frame}); err != nil {
		log.Fatal(err)
	}
	got := [][]byte{make([]byte, port.MaxFrame)}
	if _, err := cable2.ReadBatch(got); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("port 2: %d bytes for %x\n", len(got[0]), got[0][:6])
	// Output: port 2: 60 bytes for 00000000000b
}
