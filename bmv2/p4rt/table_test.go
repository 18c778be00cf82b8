package p4rt

import (
	"strings"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

const (
	forwardTable = "ingress.forward_table"
	prefixTable  = "ingress.prefix_table"
	rankedTable  = "ingress.ranked_table"
	fixedTable   = "ingress.fixed_table"
)

func TestEntriesReadAsWritten(t *testing.T) {
	r := newRig(t).withPipeline()
	entries := []*p4v1.TableEntry{
		r.entry(forwardTable, key(exact(1, "\x00\x00\x00\x00\x00\x05")), "ingress.forward", "\x00\x03"),
		r.entry(prefixTable, key(lpm(1, "\x0a\x00\x00\x00\x00\x00", 8)), "ingress.mirror"),
		r.entry(prefixTable, nil, "ingress.mirror"), // prefix length 0
		ranked(r.entry(rankedTable, key(ternary(1, "\x08\x00", "\xff\x00"),
			interval(2, "\x01", "\x01\x02"), optional(3, "\x00\x07")), "ingress.learn"), 9),
		ranked(r.entry(rankedTable, nil, "NoAction"), 1),
	}
	entries[0].Metadata = []byte("cookie")
	entries[1].ControllerMetadata = 77
	for _, e := range entries {
		r.mustWrite(insert(tableEntity(e)))
	}
	// Values come back in the shortest form.
	want := entries[0]
	want.Match = key(exact(1, "\x05"))
	want.Action.GetAction().Params[0].Value = []byte{3}
	entries[3].Match[2] = optional(3, "\x07")
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: want.TableId}), tableEntity(want))
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: want.TableId, Match: key(exact(1, "\x00\x05"))}),
		tableEntity(want))
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: want.TableId, Match: key(exact(1, "\x06"))}))
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: r.tableID(prefixTable)}),
		tableEntity(entries[1]), tableEntity(entries[2]))
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: r.tableID(rankedTable)}),
		tableEntity(entries[3]), tableEntity(entries[4]))
	all, err := r.read(tableEntity(&p4v1.TableEntry{}))
	if err != nil || len(all) != 6 { // one of them is const
		t.Errorf("wildcard read found %d entries, %v, want 6", len(all), err)
	}
}

func TestInsertModifyDelete(t *testing.T) {
	r := newRig(t).withPipeline()
	one := tableEntity(r.entry(forwardTable, key(exact(1, "\x05")), "ingress.forward", "\x01"))
	two := tableEntity(r.entry(forwardTable, key(exact(1, "\x05")), "ingress.forward", "\x02"))
	all := tableEntity(&p4v1.TableEntry{TableId: r.tableID(forwardTable)})
	for _, step := range []struct {
		update *p4v1.Update
		want   codes.Code
		left   []*p4v1.Entity
	}{
		{modify(one), codes.NotFound, nil},
		{remove(one), codes.NotFound, nil},
		{insert(one), codes.OK, []*p4v1.Entity{one}},
		{insert(two), codes.AlreadyExists, []*p4v1.Entity{one}},
		{modify(two), codes.OK, []*p4v1.Entity{two}},
		{remove(one), codes.OK, nil},
		{&p4v1.Update{Entity: one}, codes.InvalidArgument, nil},
	} {
		if got := r.write(step.update)[0]; got != step.want {
			t.Errorf("%v: %v, want %v", step.update.GetType(), got, step.want)
		}
		r.mustRead(all, step.left...)
	}
}

func TestRefusedEntries(t *testing.T) {
	r := newRig(t).withPipeline()
	wide := strings.Repeat("\xff", 7)
	five := key(exact(1, "\x05"))
	with := func(e *p4v1.TableEntry, change func(*p4v1.TableEntry)) *p4v1.TableEntry {
		change(e)
		return e
	}
	forward := func() *p4v1.TableEntry {
		return r.entry(forwardTable, five, "ingress.forward", "\x01")
	}
	const bad = codes.InvalidArgument
	for name, c := range map[string]struct {
		entry *p4v1.TableEntry
		want  codes.Code
	}{
		"unknown table":     {&p4v1.TableEntry{TableId: 5}, bad},
		"value too wide":    {r.entry(forwardTable, key(exact(1, wide)), "ingress.drop"), bad},
		"empty value":       {r.entry(forwardTable, key(exact(1, "")), "ingress.drop"), bad},
		"is_const":          {with(forward(), func(e *p4v1.TableEntry) { e.IsConst = true }), bad},
		"missing exact":     {r.entry(forwardTable, nil, "ingress.drop"), bad},
		"unknown field":     {r.entry(forwardTable, key(exact(2, "\x05")), "ingress.drop"), bad},
		"too many fields":   {r.entry(forwardTable, append(five, five...), "ingress.drop"), bad},
		"wrong kind":        {r.entry(forwardTable, key(lpm(1, "\x05", 48)), "ingress.drop"), bad},
		"param too wide":    {r.entry(forwardTable, five, "ingress.forward", "\x02\x00"), bad},
		"param missing":     {r.entry(forwardTable, five, "ingress.forward"), bad},
		"no action":         {r.entry(forwardTable, five, ""), bad},
		"foreign action":    {r.entry(forwardTable, five, "ingress.mirror"), bad},
		"default only":      {r.entry(prefixTable, nil, "NoAction"), codes.PermissionDenied},
		"prefix too long":   {r.entry(prefixTable, key(lpm(1, "\x05", 49)), "ingress.mirror"), bad},
		"prefix zero":       {r.entry(prefixTable, key(lpm(1, "\x00", 0)), "ingress.mirror"), bad},
		"beyond prefix":     {r.entry(prefixTable, key(lpm(1, "\x01", 40)), "ingress.mirror"), bad},
		"needless priority": {ranked(forward(), 1), bad},
		"no priority":       {r.entry(rankedTable, nil, "NoAction"), bad},
		"mask zero": {ranked(r.entry(rankedTable, key(ternary(1, "\x00", "\x00")), "NoAction"), 1),
			bad},
		"outside mask": {ranked(r.entry(rankedTable, key(ternary(1, "\x03", "\x01")), "NoAction"), 1),
			bad},
		"low above high": {ranked(r.entry(rankedTable, key(interval(2, "\x03", "\x01")), "NoAction"), 1),
			bad},
		"full range": {ranked(r.entry(rankedTable, key(interval(2, "\x00", "\x01\xff")), "NoAction"), 1),
			bad},
		"const table": {r.entry(fixedTable, key(exact(1, "\x05")), "NoAction"), codes.PermissionDenied},
		"idle timeout": {with(forward(), func(e *p4v1.TableEntry) { e.IdleTimeoutNs = 5 }),
			bad},
		"meter": {with(forward(), func(e *p4v1.TableEntry) { e.MeterConfig = &p4v1.MeterConfig{} }),
			bad},
		"no direct counter": {with(r.entry(prefixTable, nil, "ingress.mirror"), func(e *p4v1.TableEntry) {
			e.CounterData = &p4v1.CounterData{}
		}), bad},
		"insert default": {with(forward(), func(e *p4v1.TableEntry) { e.IsDefaultAction = true }),
			bad},
	} {
		if got := r.write(insert(tableEntity(c.entry)))[0]; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if all, _ := r.read(tableEntity(&p4v1.TableEntry{})); len(all) != 1 {
		t.Errorf("%d entries after refusals only, want the const one", len(all))
	}
}

// One full-width range that only looks like "everything" when bytes are counted: PI refuses it.
func TestShortRangeIsNotTheFullRange(t *testing.T) {
	r := newRig(t).withPipeline()
	e := ranked(r.entry(rankedTable, key(interval(2, "\x00", "\xff")), "NoAction"), 3)
	r.mustWrite(insert(tableEntity(e)))
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: e.TableId}), tableEntity(e))
}

func TestDefaultEntries(t *testing.T) {
	r := newRig(t).withPipeline()
	read := tableEntity(&p4v1.TableEntry{TableId: r.tableID(forwardTable), IsDefaultAction: true})
	standard := r.entry(forwardTable, nil, "ingress.drop")
	standard.IsDefaultAction = true
	r.mustRead(read, tableEntity(standard))
	other := r.entry(forwardTable, nil, "ingress.forward", "\x04")
	other.IsDefaultAction, other.Metadata = true, []byte("mine")
	r.mustWrite(modify(tableEntity(other)))
	r.mustRead(read, tableEntity(other))
	if out := r.receive(1, ethernet(9)); len(out) != 1 || out[0].port != 4 {
		t.Errorf("the new default sent %v, want one frame to port 4", out)
	}
	reset := tableEntity(&p4v1.TableEntry{TableId: r.tableID(forwardTable), IsDefaultAction: true})
	r.mustWrite(modify(reset))
	r.mustRead(read, tableEntity(standard))
	if got := r.write(remove(reset))[0]; got != codes.InvalidArgument {
		t.Errorf("DELETE of a default entry: %v", got)
	}
	fixed := r.entry(prefixTable, nil, "ingress.mirror")
	fixed.IsDefaultAction = true
	if got := r.write(modify(tableEntity(fixed)))[0]; got != codes.PermissionDenied {
		t.Errorf("MODIFY of a const default: %v", got)
	}
}

// A batch goes on after errors, and every update has its own outcome.
func TestBatchContinuesOnError(t *testing.T) {
	r := newRig(t).withPipeline()
	var updates []*p4v1.Update
	for i := range 12 { // the table holds 8 and refuses value 3 the second time
		value := string(rune(i % 11))
		updates = append(updates,
			insert(tableEntity(r.entry(forwardTable, key(exact(1, value)), "ingress.drop"))))
	}
	updates[3] = insert(tableEntity(r.entry(forwardTable, key(exact(1, "\x02")), "ingress.drop")))
	updates[5] = &p4v1.Update{Type: p4v1.Update_INSERT}
	got := r.write(updates...)
	want := make([]codes.Code, 12)
	want[3], want[5] = codes.AlreadyExists, codes.InvalidArgument
	want[10], want[11] = codes.ResourceExhausted, codes.AlreadyExists
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("update %d: %v, want %v", i, got[i], want[i])
		}
	}
	found, err := r.read(tableEntity(&p4v1.TableEntry{TableId: r.tableID(forwardTable)}))
	if err != nil || len(found) != 8 {
		t.Errorf("%d entries, %v, want 8", len(found), err)
	}
	if s := r.server.Stats(); s.Writes != 8 || s.WriteErrors != 4 {
		t.Errorf("stats %+v, want 8 writes and 4 errors", s)
	}
}

// Error details that no client could receive are left out, the summary stays.
func TestHugeBatchErrorKeepsItsSummary(t *testing.T) {
	outcomes := make([]error, 100_000)
	outcomes[7] = invalid("the reason")
	err := batchError("updates", outcomes)
	st := grpcStatus(err)
	if st.Code() != codes.Unknown || len(st.Details()) != 0 ||
		!strings.Contains(st.Message(), "the reason") {
		t.Errorf("code %v, %d details, message %q", st.Code(), len(st.Details()), st.Message())
	}
	if batchError("updates", make([]error, 3)) != nil {
		t.Error("a batch without errors is an error")
	}
}

// No update, however broken, may panic or leave the switch without its entries.
func FuzzUpdate(f *testing.F) {
	r := newRig(f).withPipeline()
	for _, e := range []*p4v1.Entity{
		tableEntity(r.entry(forwardTable, key(exact(1, "\x05")), "ingress.forward", "\x01")),
		tableEntity(ranked(r.entry(rankedTable, key(ternary(1, "\x08\x00", "\xff\x00"),
			interval(2, "\x01", "\x01\x02"), optional(3, "\x07")), "ingress.learn"), 9)),
		session(5, 0, replica(2, 1)), group(3, replica(1, 1), replica(2, 1)),
		counterEntity(&p4v1.CounterEntry{CounterId: r.counterID(), Index: &p4v1.Index{Index: 1}}),
		registerEntity(r.registerID(), &p4v1.Index{}, "\x05"),
		digestEntity(r.digestID(), &p4v1.DigestEntry_Config{MaxListSize: 3}),
	} {
		data, err := proto.Marshal(insert(e))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		u := new(p4v1.Update)
		if proto.Unmarshal(data, u) != nil {
			return
		}
		p := r.server.control.Load()
		r.server.apply(p, []*p4v1.Update{u})
		sink := func(*p4v1.Entity) error { return nil }
		_ = r.find(u.GetEntity(), sink)
		if err := r.find(tableEntity(&p4v1.TableEntry{}), sink); err != nil {
			t.Errorf("the tables cannot be read after %v: %v", u, err)
		}
	})
}
