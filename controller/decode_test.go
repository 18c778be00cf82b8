package controller

import (
	"testing"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"google.golang.org/protobuf/proto"
)

func fuzzDirectory(t *testing.T) *directory.Directory {
	d, err := directory.New(directory.Config{Switches: []string{"s1"},
		Limits: directory.Limits{SubRanges: 100, PartitionEntries: 1000}},
		directory.Snapshot{Meta: directory.Meta{ClusterID: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// FuzzHello gives a fresh directory whatever a node may say: it is refused, or leaves a directory that
// holds its invariants.
func FuzzHello(f *testing.F) {
	seed, _ := proto.Marshal(&controlpb.Hello{Node: 0x0a000001, Mac: []byte{2, 0, 0, 0, 0, 1},
		SwitchPort: 1, Incarnation: 1, ClusterId: "c",
		Held: []*controlpb.SubRangeState{{SubRange: 1, Epoch: 1}}})
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m controlpb.Hello
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		h, err := helloOf(&m)
		if err != nil {
			return
		}
		d := fuzzDirectory(t)
		_, _ = d.Hello(h)
		if err := d.Check(); err != nil {
			t.Fatalf("after %+v: %v", h, err)
		}
	})
}

// FuzzCreateKeyspace gives a directory of one node whatever an operator may ask for.
func FuzzCreateKeyspace(f *testing.F) {
	cut := kv.IndexKey{'m'}
	seed, _ := proto.Marshal(&adminpb.CreateKeyspaceRequest{Name: "users", Partitioner: 1,
		Durability: 1, Replication: 1, Cuts: [][]byte{cut[:]}})
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m adminpb.CreateKeyspaceRequest
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		command, err := commandOf(&m)
		if err != nil {
			return
		}
		d := fuzzDirectory(t)
		if _, err := d.Hello(directory.Hello{Node: directory.Node{ID: 0x0a000001, MAC: [6]byte{2, 1},
			Port: 1, Incarnation: 1}}); err != nil {
			t.Fatal(err)
		}
		_, _, _ = d.CreateKeyspace(command)
		if err := d.Check(); err != nil {
			t.Fatalf("after %+v: %v", command, err)
		}
	})
}
