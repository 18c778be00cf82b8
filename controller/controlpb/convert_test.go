package controlpb

import (
	"reflect"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"google.golang.org/protobuf/proto"
)

func sample() kv.Assignment {
	return kv.Assignment{
		SubRange: 7, Epoch: 3, Keyspace: 2, Partitioner: kv.RangePartitioned,
		Durability: kv.DurabilitySync, Interval: kv.FullInterval,
		Chain: kv.Chain{0x0a000001, 0x0a000002, 0x0a000003}, Create: true,
	}
}

func TestAssignmentSurvivesTheWire(t *testing.T) {
	want := sample()
	b, err := proto.Marshal(FromAssignment(want))
	if err != nil {
		t.Fatal(err)
	}
	var m Assign
	if err := proto.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Assignment(); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestAssignmentRefusesWhatTheTypesWouldCut(t *testing.T) {
	for name, spoil := range map[string]func(*Assign){
		"short key":    func(m *Assign) { m.FirstIndexKey = m.FirstIndexKey[:15] },
		"long key":     func(m *Assign) { m.LastIndexKey = append(m.LastIndexKey, 0) },
		"keyspace":     func(m *Assign) { m.Keyspace = 1 << 16 },
		"partitioner":  func(m *Assign) { m.Partitioner = 1<<8 + 1 },
		"durability":   func(m *Assign) { m.Durability = 1<<8 + 1 },
		"no chain":     func(m *Assign) { m.Chain = nil },
		"member twice": func(m *Assign) { m.Chain[1] = m.Chain[0] },
		"epoch zero":   func(m *Assign) { m.Epoch = 0 },
		"interval reversed": func(m *Assign) {
			m.FirstIndexKey, m.LastIndexKey = m.LastIndexKey, m.FirstIndexKey
		},
	} {
		m := FromAssignment(sample())
		spoil(m)
		if a, err := m.Assignment(); err == nil {
			t.Errorf("%s: accepted as %+v", name, a)
		}
	}
}

func TestRoleOf(t *testing.T) {
	chain := kv.Chain{1, 2, 3}
	for n, want := range map[kv.NodeID]Role{
		1: Role_ROLE_HEAD, 2: Role_ROLE_MIDDLE, 3: Role_ROLE_TAIL, 4: Role_ROLE_NONE,
	} {
		if got := RoleOf(n, chain); got != want {
			t.Errorf("node %d: %v, want %v", n, got, want)
		}
	}
	if got := RoleOf(1, kv.Chain{1}); got != Role_ROLE_SINGLE {
		t.Errorf("chain of one: %v", got)
	}
}

func FuzzAssignment(f *testing.F) {
	b, _ := proto.Marshal(FromAssignment(sample()))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Assign
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		a, err := m.Assignment()
		if err != nil {
			return
		}
		again, err := FromAssignment(a).Assignment()
		if err != nil || !reflect.DeepEqual(a, again) {
			t.Fatalf("%+v -> %+v, %v", a, again, err)
		}
	})
}
