package p4rt

import (
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	goOn     = p4v1.WriteRequest_CONTINUE_ON_ERROR
	rollback = p4v1.WriteRequest_ROLLBACK_ON_ERROR
	atOnce   = p4v1.WriteRequest_DATAPLANE_ATOMIC
)

// batch sends updates with an atomicity and returns the code of each; nil when all succeeded.
func (r *rig) batch(how p4v1.WriteRequest_Atomicity, updates ...*p4v1.Update) ([]codes.Code, error) {
	r.t.Helper()
	_, err := r.client.Write(r.context(),
		&p4v1.WriteRequest{DeviceId: device, Updates: updates, Atomicity: how})
	var outcomes []codes.Code
	for _, d := range status.Convert(err).Details() {
		outcomes = append(outcomes, codes.Code(d.(*p4v1.Error).GetCanonicalCode()))
	}
	return outcomes, err
}

// everything reads all that controllers can read.
func (r *rig) everything() []*p4v1.Entity {
	r.t.Helper()
	all, err := r.read(
		tableEntity(&p4v1.TableEntry{CounterData: &p4v1.CounterData{}, MeterConfig: &p4v1.MeterConfig{}}),
		tableEntity(&p4v1.TableEntry{IsDefaultAction: true}),
		&p4v1.Entity{Entity: &p4v1.Entity_ActionProfileMember{
			ActionProfileMember: &p4v1.ActionProfileMember{}}},
		&p4v1.Entity{Entity: &p4v1.Entity_ActionProfileGroup{
			ActionProfileGroup: &p4v1.ActionProfileGroup{}}},
		counterEntity(&p4v1.CounterEntry{}), meterEntity(0, nil, nil), registerEntity(0, nil, ""),
		session(0, 0), group(0), digestEntity(0, nil),
		&p4v1.Entity{Entity: &p4v1.Entity_ValueSetEntry{ValueSetEntry: &p4v1.ValueSetEntry{}}})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func sameEntities(a, b []*p4v1.Entity) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !proto.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// oneOfEach changes every kind of entity.
func (r *rig) oneOfEach() []*p4v1.Update {
	counted := r.direct("counted_table", key(exact(1, "\x07")), "count_hit", "\x01")
	counted.CounterData = &p4v1.CounterData{PacketCount: 4, ByteCount: 5}
	metered := r.direct("metered_table", key(exact(1, "\x07")), "police", "\x01")
	metered.MeterConfig = &p4v1.MeterConfig{Cir: 1, Cburst: 1, Pir: 2, Pburst: 2}
	standard := r.direct("keyless_table", nil, "send", "\x01")
	standard.IsDefaultAction = true
	return []*p4v1.Update{
		insert(tableEntity(counted)), insert(tableEntity(metered)), modify(tableEntity(standard)),
		insert(r.member("paths", 1, "send", "\x01")), insert(r.group(1, 0, weighted(1, 1, ""))),
		insert(r.refer("path_table", nil, toGroup(1))),
		modify(cellOf(r.id("seen"), 0, 7, 8)),
		modify(meterEntity(r.id("two_rates"), nil, metered.MeterConfig)),
		modify(registerEntity(r.id("numbers"), nil, "\x05")),
		insert(session(5, 0, replica(1, 1))), insert(group(3, replica(1, 1))),
		insert(digestEntity(r.id("note_t"), &p4v1.DigestEntry_Config{MaxListSize: 2})),
		modify(r.valueSet("kinds", key(exact(1, "\x01")))),
	}
}

func TestRollbackLeavesNothingBehind(t *testing.T) {
	r := newRig(t).withEntities()
	before := r.everything()
	updates := r.oneOfEach()
	bad := tableEntity(r.direct("counted_table", key(exact(1, "\x07")), "drop")) // there twice
	for name, last := range map[string]*p4v1.Update{
		"found by the switch": insert(bad),
		"found at once":       insert(tableEntity(&p4v1.TableEntry{TableId: 5})),
		"digest":              insert(digestEntity(r.id("note_t"), nil)),
	} {
		got, err := r.batch(rollback, append(updates, last)...)
		if status.Code(err) != codes.Unknown || len(got) != len(updates)+1 {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		for i, code := range got {
			if (code == codes.Aborted) != (i < len(updates)) {
				t.Errorf("%s: update %d has %v", name, i, code)
			}
		}
		if !sameEntities(r.everything(), before) {
			t.Errorf("%s: something is left:\n%v\nwant\n%v", name, r.everything(), before)
		}
	}
	if _, err := r.batch(rollback, updates...); err != nil {
		t.Fatalf("without the bad one: %v %v", err, status.Convert(err).Details())
	}
	after := r.everything()
	if _, err := r.batch(rollback, insert(group(3)), remove(group(3))); err == nil {
		t.Error("an insert of what is there went through")
	}
	if !sameEntities(r.everything(), after) {
		t.Error("a batch that failed changed something")
	}
}

func TestDataplaneAtomic(t *testing.T) {
	r := newRig(t).withEntities()
	var tables []*p4v1.Update
	for _, u := range r.oneOfEach() {
		switch u.GetEntity().GetEntity().(type) {
		case *p4v1.Entity_MeterEntry, *p4v1.Entity_RegisterEntry:
			if _, err := r.batch(atOnce, u, insert(group(9))); status.Code(err) != codes.Unimplemented {
				t.Errorf("%v with another update: %v", u, err)
			}
			continue
		}
		if u.GetEntity().GetTableEntry().GetMeterConfig() != nil {
			continue
		}
		tables = append(tables, u)
	}
	one := modify(registerEntity(r.id("numbers"), at(1), "\x05"))
	if _, err := r.batch(atOnce, one); err != nil {
		t.Errorf("a single register: %v", err)
	}
	before := r.everything()
	if got, err := r.batch(atOnce, append(tables, tables[0])...); err == nil ||
		got[len(tables)] != codes.AlreadyExists || got[0] != codes.Aborted {
		t.Errorf("twice the same insert: %v, %v", got, err)
	}
	if !sameEntities(r.everything(), before) {
		t.Error("a batch that failed changed something")
	}
	if got, err := r.batch(atOnce, tables...); err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := r.batch(7); status.Code(err) != codes.InvalidArgument {
		t.Errorf("an unknown atomicity: %v", err)
	}
}

// Of contradictory updates the later ones meet what the earlier ones left.
func TestContradictoryBatches(t *testing.T) {
	r := newRig(t).withEntities()
	a := tableEntity(r.direct("counted_table", key(exact(1, "\x07")), "count_hit", "\x01"))
	b := tableEntity(r.direct("counted_table", key(exact(1, "\x07")), "count_hit", "\x02"))
	b.GetTableEntry().CounterData = &p4v1.CounterData{PacketCount: 9}
	got, _ := r.batch(goOn, insert(a), insert(b), modify(b), remove(a), remove(a), modify(a), insert(b))
	want := []codes.Code{0, codes.AlreadyExists, 0, 0, codes.NotFound, codes.NotFound, 0}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("update %d: %v, want %v", i, got[i], want[i])
		}
	}
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: b.GetTableEntry().TableId,
		CounterData: &p4v1.CounterData{}}), b)
}
