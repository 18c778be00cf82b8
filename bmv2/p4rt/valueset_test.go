package p4rt

import (
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
)

func (r *rig) valueSet(name string, members ...[]*p4v1.FieldMatch) *p4v1.Entity {
	e := &p4v1.ValueSetEntry{ValueSetId: r.id(name)}
	for _, m := range members {
		e.Members = append(e.Members, &p4v1.ValueSetMember{Match: m})
	}
	return &p4v1.Entity{Entity: &p4v1.Entity_ValueSetEntry{ValueSetEntry: e}}
}

func TestValueSets(t *testing.T) {
	r := newRig(t).withEntities()
	forward := r.direct("counted_table", key(exact(1, "\x01\x07")), "count_hit", "\x01")
	r.mustWrite(insert(tableEntity(forward)))
	marked := func() bool { return r.receive(5, keyed(1, 0x107))[0].frame[3] == 0xee }
	if marked() {
		t.Error("an empty set has members")
	}
	r.mustWrite(modify(r.valueSet("kinds", key(exact(1, "\x00\x01")), key(exact(1, "\x09")))))
	r.mustRead(r.valueSet("kinds"), r.valueSet("kinds", key(exact(1, "\x01")), key(exact(1, "\x09"))))
	if !marked() {
		t.Error("the parser does not find a member")
	}
	r.mustWrite(modify(r.valueSet("kinds")))
	pair := key(exact(1, "\x01"), ternary(2, "\x01\x00", "\xff\x00"))
	r.mustWrite(modify(r.valueSet("pairs", pair)))
	if !marked() {
		t.Error("the parser does not find a member with a mask")
	}
	anyFlow := key(exact(1, "\x01")) // the ternary field is left out
	r.mustWrite(modify(r.valueSet("pairs", anyFlow)))
	r.mustRead(r.valueSet("pairs"), r.valueSet("pairs", anyFlow))
	if !marked() {
		t.Error("the parser does not find a member that leaves a field out")
	}
	all, err := r.read(&p4v1.Entity{Entity: &p4v1.Entity_ValueSetEntry{
		ValueSetEntry: &p4v1.ValueSetEntry{}}})
	if err != nil || len(all) != 2 {
		t.Errorf("all value sets: %v, %v", all, err)
	}
	five := [][]*p4v1.FieldMatch{key(exact(1, "\x01")), key(exact(1, "\x02")), key(exact(1, "\x03")),
		key(exact(1, "\x04")), key(exact(1, "\x05"))}
	unknown := &p4v1.Entity{Entity: &p4v1.Entity_ValueSetEntry{
		ValueSetEntry: &p4v1.ValueSetEntry{ValueSetId: 3}}}
	r.mustRefuse(map[string]refusal{
		"insert":       {insert(r.valueSet("kinds")), codes.InvalidArgument},
		"delete":       {remove(r.valueSet("kinds")), codes.InvalidArgument},
		"unknown":      {modify(unknown), codes.InvalidArgument},
		"twice":        {modify(r.valueSet("kinds", five[0], key(exact(1, "\x00\x01")))), codes.AlreadyExists},
		"too many":     {modify(r.valueSet("kinds", five...)), codes.ResourceExhausted},
		"too wide":     {modify(r.valueSet("kinds", key(exact(1, "\x01\x00")))), codes.InvalidArgument},
		"missing":      {modify(r.valueSet("pairs", key(ternary(2, "\x01", "\x01")))), codes.InvalidArgument},
		"mask of 0":    {modify(r.valueSet("pairs", key(exact(1, "\x01"), ternary(2, "\x00", "\x00")))), codes.InvalidArgument},
		"wrong kind":   {modify(r.valueSet("kinds", key(lpm(1, "\x01", 8)))), codes.InvalidArgument},
		"unknown part": {modify(r.valueSet("kinds", key(exact(2, "\x01")))), codes.InvalidArgument},
	})
	r.mustRead(r.valueSet("pairs"), r.valueSet("pairs", anyFlow))
}
