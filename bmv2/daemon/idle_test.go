package daemon

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/encoding/prototext"
)

// stateful is the test program that has a table with idle timeouts.
func stateful(t *testing.T) *p4v1.ForwardingPipelineConfig {
	t.Helper()
	device, err := os.ReadFile("../testdata/stateful.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../testdata/stateful.p4info.txtpb")
	if err != nil {
		t.Fatal(err)
	}
	info := new(p4config.P4Info)
	if err := prototext.Unmarshal(text, info); err != nil {
		t.Fatal(err)
	}
	return &p4v1.ForwardingPipelineConfig{P4Info: info, P4DeviceConfig: device}
}

// TestControllersHearOfIdleEntries has an hour pass for the switch, and none for the test.
func TestControllersHearOfIdleEntries(t *testing.T) {
	var now atomic.Uint64
	r := newRig(t, Config{Now: now.Load}, 1)
	config := stateful(t)
	stream, err := r.client.StreamChannel(r.context())
	if err != nil {
		t.Fatal(err)
	}
	first := &p4v1.Uint128{Low: 1}
	err = stream.Send(&p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Arbitration{
		Arbitration: &p4v1.MasterArbitrationUpdate{DeviceId: 1, ElectionId: first}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	_, err = r.client.SetForwardingPipelineConfig(r.context(), &p4v1.SetForwardingPipelineConfigRequest{
		DeviceId: 1, ElectionId: first, Config: config,
		Action: p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT})
	if err != nil {
		t.Fatal(err)
	}
	entry := &p4v1.TableEntry{IdleTimeoutNs: time.Hour.Nanoseconds(), Match: []*p4v1.FieldMatch{{FieldId: 1,
		FieldMatchType: &p4v1.FieldMatch_Exact_{Exact: &p4v1.FieldMatch_Exact{Value: []byte{7}}}}}}
	for _, table := range config.P4Info.Tables {
		if table.Preamble.Name == "ingress.aging_table" {
			entry.TableId = table.Preamble.Id
		}
	}
	for _, a := range config.P4Info.Actions {
		if a.Preamble.Name == "ingress.drop" {
			entry.Action = &p4v1.TableAction{Type: &p4v1.TableAction_Action{
				Action: &p4v1.Action{ActionId: a.Preamble.Id}}}
		}
	}
	_, err = r.client.Write(r.context(), &p4v1.WriteRequest{DeviceId: 1, ElectionId: first,
		Updates: []*p4v1.Update{{Type: p4v1.Update_INSERT, Entity: &p4v1.Entity{
			Entity: &p4v1.Entity_TableEntry{TableEntry: entry}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // and again, an hour later
		now.Add(uint64(time.Hour.Microseconds()))
		for {
			m, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			n := m.GetIdleTimeoutNotification()
			if n == nil {
				continue
			}
			if len(n.TableEntry) != 1 || n.TableEntry[0].TableId != entry.TableId ||
				n.TableEntry[0].IdleTimeoutNs != entry.IdleTimeoutNs {
				t.Errorf("notification %v", n)
			}
			break
		}
	}
}
