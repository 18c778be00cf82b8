package p4rt

import (
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
)

// TestThePrimaryHearsOfPorts lets a port lose its link and regain it.
func TestThePrimaryHearsOfPorts(t *testing.T) {
	r := newRig(t).withPipeline()
	backup, primary := r.connect(), r.connect()
	backup.elect(1)
	primary.elect(2)
	backup.notified() // of the new primary
	for _, up := range []bool{false, true} {
		r.server.PortStatus(7, up)
		var body structpb.Struct
		if err := primary.receive().GetOther().UnmarshalTo(&body); err != nil {
			t.Fatal(err)
		}
		got := body.AsMap()["port_status"].(map[string]any)
		if got["port"] != 7.0 || got["up"] != up {
			t.Errorf("heard %v, want port 7, up %v", got, up)
		}
	}
	primary.elect(0) // gives up the primacy
	if m := backup.receive(); m.GetArbitration() == nil {
		t.Errorf("the backup heard %v", m)
	}
}
