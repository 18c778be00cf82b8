package scenario

import (
	"encoding/binary"
	"fmt"

	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

// station is the prefix of the addresses of frames that are forwarded: locally administered.
const station = 0x02_00_00_00_00_00

// forward is plain forwarding by one exact table, of frames of a size in bytes.
func forward(size int) (*Scenario, error) {
	s := &Scenario{
		Name:  fmt.Sprintf("forward %d B", size),
		About: fmt.Sprintf("one exact table of %d entries, frames of %d bytes", frames, size),
	}
	for i := range uint64(frames) {
		s.Entries = append(s.Entries, tables.Entry{
			Table: "forward_table", Match: []tables.Match{number("dst", station+i)},
			Action: "forward", Params: []tables.Param{param("port", Out)},
		})
		s.Frames = append(s.Frames, plain(station+i, size))
	}
	var err error
	s.Pipeline, err = load("forward")
	return s, err
}

// plain returns a frame of no known protocol.
func plain(dst uint64, size int) []byte {
	const experimental = 0x88b5 // IEEE 802 - Local Experimental Ethertype 1
	address := binary.BigEndian.AppendUint64(nil, dst)
	f := append(make([]byte, 0, size), address[2:]...)
	f = append(f, 2, 0, 0, 0xff, 0, 1)
	f = binary.BigEndian.AppendUint16(f, experimental)
	return f[:size]
}
