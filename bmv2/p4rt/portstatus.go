package p4rt

import (
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// PortStatus tells the primaries that a port has come into service or has lost its link. P4Runtime has
// no message for it and leaves this to gNMI; but it lets a switch send messages of its own, so this
// goes as the field other of a stream message: a google.protobuf.Struct, as in
//
//	{"port_status": {"port": 3, "up": false}}
//
// A controller that does not know it ignores it. Nothing is repeated for one that connects later.
func (s *Server) PortStatus(number uint32, up bool) {
	body, err := structpb.NewStruct(map[string]any{
		"port_status": map[string]any{"port": float64(number), "up": up},
	})
	if err != nil {
		panic("p4rt: port status: " + err.Error()) // numbers and booleans always fit
	}
	other, err := anypb.New(body)
	if err != nil {
		panic("p4rt: port status: " + err.Error()) // a Struct can always be marshalled
	}
	s.tell(&p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Other{Other: other}},
		func(*scope) bool { return true })
}
