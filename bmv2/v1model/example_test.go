package v1model_test

import (
	"fmt"
	"log"
	"os"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

func Example() {
	json, err := os.ReadFile("../testdata/tables.json")
	if err != nil {
		log.Fatal(err)
	}
	program, err := bmv2.Load(json)
	if err != nil {
		log.Fatal(err)
	}
	sw, err := v1model.NewSwitch(program, v1model.Config{})
	if err != nil {
		log.Fatal(err)
	}
	err = sw.Insert(&v1model.Entry{
		Table:  "ingress.exact_table",
		Match:  []v1model.Match{{Value: []byte{0xa}}, {Value: []byte{0x12, 0x34}}},
		Action: "ingress.send", Params: [][]byte{{3}},
	})
	if err != nil {
		log.Fatal(err)
	}
	frame := append([]byte{0, 0xa0, 0, 0x12, 0x34}, make([]byte, 16)...)
	sw.NewWorker().Process(1, frame, func(port uint16, frame []byte) {
		fmt.Printf("port %d: %x...\n", port, frame[:5])
	})
	// Output: port 3: 00a0001234...
}
