package p4rt

import (
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func TestIdleTimeouts(t *testing.T) {
	const second = 1e6 // in the switch's microseconds
	r := newRig(t).withEntities()
	short := ranked(r.direct("aging_table", key(ternary(1, "\x07", "\xff")), "send", "\x01"), 5)
	long := ranked(r.direct("aging_table", key(ternary(1, "\x08", "\xff")), "send", "\x01"), 6)
	never := ranked(r.direct("aging_table", key(ternary(1, "\x09", "\xff")), "send", "\x01"), 7)
	short.IdleTimeoutNs, long.IdleTimeoutNs, short.Metadata = 1e9, 3e9, []byte("mine")
	r.mustWrite(insert(tableEntity(short)), insert(tableEntity(long)), insert(tableEntity(never)))
	other := r.direct("counted_table", key(exact(1, "\x08")), "drop")
	other.IdleTimeoutNs = 1
	since := r.direct("counted_table", key(exact(1, "\x08")), "drop")
	since.TimeSinceLastHit = &p4v1.TableEntry_IdleTimeout{}
	written := proto.Clone(never).(*p4v1.TableEntry)
	written.TimeSinceLastHit = &p4v1.TableEntry_IdleTimeout{}
	standard := r.direct("aging_table", nil, "drop")
	standard.IsDefaultAction, standard.IdleTimeoutNs = true, 5
	r.mustRefuseAs(codes.InvalidArgument, map[string]*p4v1.Update{
		"timeout of another table": insert(tableEntity(other)),
		"time of another table":    insert(tableEntity(since)),
		"time in a write":          modify(tableEntity(written)),
		"default entry":            modify(tableEntity(standard)),
	})
	p := r.connect()
	p.elect(1)
	r.now.Store(2 * second)
	r.receive(5, keyed(5, 8))
	r.server.Idle(r.sw.Expired())
	keyOnly := proto.Clone(short).(*p4v1.TableEntry)
	keyOnly.Action = nil
	expect := func(want ...*p4v1.TableEntry) {
		t.Helper()
		n := p.receive().GetIdleTimeoutNotification()
		if n.GetTimestamp() == 0 || len(n.GetTableEntry()) != len(want) {
			t.Fatalf("got %v, want %v", n, want)
		}
		for i, e := range n.GetTableEntry() {
			if !proto.Equal(e, want[i]) {
				t.Errorf("entry %d: %v, want %v", i, e, want[i])
			}
		}
	}
	expect(keyOnly)
	// Once per timeout, and a hit begins it anew.
	r.server.Idle(r.sw.Expired())
	r.now.Store(3 * second)
	r.server.Idle(r.sw.Expired())
	expect(keyOnly)
	asked := &p4v1.TableEntry{TableId: short.TableId, TimeSinceLastHit: &p4v1.TableEntry_IdleTimeout{}}
	want := proto.Clone(long).(*p4v1.TableEntry)
	want.TimeSinceLastHit = &p4v1.TableEntry_IdleTimeout{ElapsedNs: 1e9}
	asked.Match, asked.Priority = long.Match, long.Priority
	r.mustRead(tableEntity(asked), tableEntity(want))
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: short.TableId, Match: long.Match, Priority: 6}),
		tableEntity(long))
	if s := r.server.Stats(); s.IdleEntries != 2 {
		t.Errorf("stats %+v, want 2 idle entries", s)
	}
	for name, e := range map[string]*p4v1.TableEntry{"table without timeouts": since, "default entry": standard} {
		if _, err := r.read(tableEntity(e)); codeOf(err) != codes.InvalidArgument {
			t.Errorf("reading the time of a %s: %v", name, err)
		}
	}
}
