package p4rt

import (
	"fmt"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func TestTableReadsSelect(t *testing.T) {
	r := newRig(t).withEntities()
	id := r.id("aging_table")
	var entries []*p4v1.Entity
	for i, action := range []string{"send", "send", "drop"} {
		var params []string
		if action == "send" {
			params = []string{"\x01"}
		}
		e := ranked(r.direct("aging_table", key(ternary(1, "\x07", "\xff")), action, params...), int32(i+3))
		e.Metadata, e.ControllerMetadata = []byte{byte(i % 2)}, uint64(i+1)
		entries = append(entries, tableEntity(e))
	}
	rest := ranked(r.direct("aging_table", nil, "drop"), 3)
	entries = append(entries, tableEntity(rest))
	for _, e := range entries {
		r.mustWrite(insert(e))
	}
	drop := &p4v1.TableAction{Type: &p4v1.TableAction_Action{
		Action: &p4v1.Action{ActionId: r.id("drop")}}}
	match := key(ternary(1, "\x07", "\xff"))
	for name, c := range map[string]struct {
		by   *p4v1.TableEntry
		want []int
	}{
		"table":                {&p4v1.TableEntry{}, []int{0, 1, 2, 3}},
		"priority":             {&p4v1.TableEntry{Priority: 3}, []int{0, 3}},
		"match":                {&p4v1.TableEntry{Match: match}, []int{0, 1, 2}},
		"match and priority":   {&p4v1.TableEntry{Match: match, Priority: 4}, []int{1}},
		"action":               {&p4v1.TableEntry{Action: drop}, []int{2, 3}},
		"action and priority":  {&p4v1.TableEntry{Action: drop, Priority: 3}, []int{3}},
		"metadata":             {&p4v1.TableEntry{Metadata: []byte{0}}, []int{0, 2}},
		"controller metadata":  {&p4v1.TableEntry{ControllerMetadata: 2}, []int{1}},
		"nothing is like that": {&p4v1.TableEntry{ControllerMetadata: 2, Priority: 3}, nil},
	} {
		c.by.TableId = id
		got, err := r.read(tableEntity(c.by))
		var want []*p4v1.Entity
		for _, i := range c.want {
			want = append(want, entries[i])
		}
		if err != nil || !sameEntities(got, want) {
			t.Errorf("by %s: %v, %v\nwant %v", name, got, err, want)
		}
	}
	for name, e := range map[string]*p4v1.TableEntry{
		"priority of all tables": {Priority: 3},
		"match of all tables":    {Match: match},
		"unknown table":          {TableId: 5},
		"unknown action": {TableId: id, Action: &p4v1.TableAction{Type: &p4v1.TableAction_Action{
			Action: &p4v1.Action{ActionId: 5}}}},
		"default with priority": {TableId: id, IsDefaultAction: true, Priority: 3},
	} {
		if _, err := r.read(tableEntity(e)); codeOf(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.read(r.refer("path_table", nil, toGroup(1))); codeOf(err) != codes.Unimplemented {
		t.Error("entries of indirect tables were selected by what they point at")
	}
}

// Every request has its own outcome, and those that are fine are answered.
func TestReadsAnswerWhatTheyCan(t *testing.T) {
	r := newRig(t).withPipeline()
	r.mustWrite(insert(session(5, 0)), insert(group(6)))
	got, err := r.read(session(5, 0), tableEntity(&p4v1.TableEntry{TableId: 5}), nil, group(6), session(9, 0))
	st := status.Convert(err)
	if len(got) != 2 || st.Code() != codes.Unknown || len(st.Details()) != 5 {
		t.Fatalf("%d entities, %v, %d details", len(got), err, len(st.Details()))
	}
	want := []codes.Code{0, codes.InvalidArgument, codes.InvalidArgument, 0, codes.NotFound}
	for i, d := range st.Details() {
		if code := codes.Code(d.(*p4v1.Error).GetCanonicalCode()); code != want[i] {
			t.Errorf("request %d: %v, want %v", i, code, want[i])
		}
	}
	_, err = r.read(&p4v1.Entity{Entity: &p4v1.Entity_ExternEntry{ExternEntry: &p4v1.ExternEntry{}}})
	if codeOf(err) != codes.Unimplemented {
		t.Errorf("externs: %v", err)
	}
}

// Large reads come in several messages, none of which is too large for a client's defaults.
func TestLargeReadsComeInParts(t *testing.T) {
	sent := 0
	sizes := []int{}
	c := &chunks{send: func(m *p4v1.ReadResponse) error {
		sent += len(m.GetEntities())
		sizes = append(sizes, proto.Size(m))
		return nil
	}}
	const all = 3*maxChunk + 7
	for i := range all {
		e := &p4v1.TableEntry{TableId: uint32(i)}
		if i%400 == 0 {
			e.Metadata = make([]byte, maxChunkSize/2)
		}
		if err := c.emit(tableEntity(e)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.flush(); err != nil || sent != all || len(sizes) <= 4 {
		t.Errorf("%d entities in %d messages, %v", sent, len(sizes), err)
	}
	for i, size := range sizes {
		if size > 2*maxChunkSize {
			t.Errorf("message %d has %d bytes", i, size)
		}
	}
}

// A slow reader holds no writer up.
func TestSlowReadersDoNotHoldWritersUp(t *testing.T) {
	r := newRig(t).withPipeline()
	metadata := make([]byte, 1<<20)
	for i := range 8 {
		e := r.entry(forwardTable, key(exact(1, string(rune(i)))), "ingress.drop")
		e.Metadata = metadata
		r.mustWrite(insert(tableEntity(e)))
	}
	stream, err := r.client.Read(r.context(), &p4v1.ReadRequest{
		DeviceId: device, Entities: []*p4v1.Entity{tableEntity(&p4v1.TableEntry{})}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil { // it has begun, and now does not go on
		t.Fatal(err)
	}
	r.mustWrite(remove(tableEntity(r.entry(forwardTable, key(exact(1, "\x07")), ""))))
	n := 0
	for {
		m, err := stream.Recv()
		if err != nil {
			if eof(err) != nil || n != 8 { // the const entry, and all as it was
				t.Errorf("%d more entities, %v", n, err)
			}
			return
		}
		n += len(m.GetEntities())
	}
}

// Numbers of all types come back as they were written, in their shortest form.
func TestRegisterTypes(t *testing.T) {
	r := newRig(t).withEntities()
	for name, c := range map[string]struct {
		register string
		sent     string
		want     string // "": refused
	}{
		"unsigned":          {"numbers", "\x0f\xff", "\x0f\xff"},
		"zeroes in front":   {"numbers", "\x00\x00\x01", "\x01"},
		"too wide":          {"numbers", "\x10\x00", ""},
		"empty":             {"numbers", "", ""},
		"negative":          {"signed_numbers", "\xfd\x1d", "\xfd\x1d"},
		"minus one":         {"signed_numbers", "\xff\xff\xff", "\xff"},
		"positive":          {"signed_numbers", "\x00\x7f", "\x7f"},
		"high bit":          {"signed_numbers", "\x00\x80", "\x00\x80"},
		"too large":         {"signed_numbers", "\x08\x00", ""},
		"not sign-extended": {"signed_numbers", "\x8d\x1d", ""},
	} {
		id := r.id(c.register)
		u := modify(registerEntity(id, at(1), ""))
		u.GetEntity().GetRegisterEntry().Data = &p4v1.P4Data{
			Data: &p4v1.P4Data_Bitstring{Bitstring: []byte(c.sent)}}
		got := r.write(u)[0]
		if c.want == "" {
			if got != codes.InvalidArgument {
				t.Errorf("%s: %v", name, got)
			}
			continue
		}
		r.mustRead(registerEntity(id, at(1), ""), registerEntity(id, at(1), c.want))
	}
	for i, data := range []*p4v1.P4Data{nil, {}, {Data: &p4v1.P4Data_Bool{}},
		{Data: &p4v1.P4Data_Struct{}}, {Data: &p4v1.P4Data_EnumValue{EnumValue: []byte{1}}}} {
		u := modify(registerEntity(r.id("numbers"), at(1), ""))
		u.GetEntity().GetRegisterEntry().Data = data
		if got := r.write(u)[0]; got != codes.InvalidArgument {
			t.Errorf("data %d: %v", i, fmt.Sprint(got))
		}
	}
}
