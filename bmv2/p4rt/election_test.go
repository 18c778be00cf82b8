package p4rt

import (
	"fmt"
	"strings"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ballot is an election whose notifications are written down.
type ballot struct {
	election
	heard []string
	names map[string]*controller
}

func newBallot(names ...string) *ballot {
	b := &ballot{election: election{device: device}, names: make(map[string]*controller)}
	for _, name := range names {
		b.names[name] = &controller{tell: func(m *p4v1.StreamMessageResponse) {
			a := m.GetArbitration()
			b.heard = append(b.heard, fmt.Sprintf("%s:%v:%d",
				name, codes.Code(a.GetStatus().GetCode()), a.GetElectionId().GetLow()))
		}}
	}
	return b
}

// expect compares what was heard since the last call.
func (b *ballot) expect(t *testing.T, step, want string) {
	t.Helper()
	if got := strings.Join(b.heard, " "); got != want {
		t.Errorf("%s:\nheard %s\nwant  %s", step, got, want)
	}
	b.heard = nil
}

func id(low uint64) electionID { return electionID{true, 0, low} }

func TestElection(t *testing.T) {
	b := newBallot("a", "b", "c")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(b.join(b.names["c"], electionID{}, role{}))
	b.expect(t, "nobody with an id", "c:NotFound:0")
	check(b.join(b.names["a"], id(5), role{}))
	b.expect(t, "first primary", "c:AlreadyExists:5 a:OK:5")
	check(b.join(b.names["b"], id(3), role{}))
	b.expect(t, "a backup hears alone", "b:AlreadyExists:5")
	check(b.update(b.names["b"], id(9), role{}))
	b.expect(t, "backup takes over", "c:AlreadyExists:9 a:AlreadyExists:9 b:OK:9")
	check(b.update(b.names["b"], id(9), role{}))
	b.expect(t, "primary asks again", "c:AlreadyExists:9 a:AlreadyExists:9 b:OK:9")
	check(b.update(b.names["b"], id(1), role{}))
	b.expect(t, "primary steps down, nobody follows", "c:NotFound:9 a:NotFound:9 b:NotFound:9")
	check(b.update(b.names["a"], id(8), role{}))
	b.expect(t, "an id below the highest ever is not enough", "a:NotFound:9")
	check(b.update(b.names["a"], id(9), role{}))
	b.expect(t, "the highest id again", "c:AlreadyExists:9 b:AlreadyExists:9 a:OK:9")
	b.leave(b.names["c"])
	b.expect(t, "a backup leaves in silence", "")
	b.leave(b.names["a"])
	b.expect(t, "the others hear that the primary left", "b:NotFound:9")
	b.leave(b.names["b"])
	if b.primary() != nil {
		t.Error("an empty election has a primary")
	}
	check(b.join(b.names["a"], id(5), role{}))
	b.expect(t, "ids are remembered when nobody is left", "a:NotFound:9")
	check(b.update(b.names["a"], id(10), role{}))
	b.expect(t, "a higher one", "a:OK:10")
}

func TestElectionRefuses(t *testing.T) {
	b := newBallot("a", "b", "c")
	if err := b.join(b.names["a"], id(1), role{}); err != nil {
		t.Fatal(err)
	}
	if err := b.join(b.names["b"], id(1), role{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("an id that is in use: %v", err)
	}
	if err := b.join(b.names["b"], id(2), role{}); err != nil {
		t.Fatal(err)
	}
	if err := b.update(b.names["b"], id(1), role{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a change to an id that is in use: %v", err)
	}
	for i := range maxControllers - 2 {
		c := &controller{tell: func(*p4v1.StreamMessageResponse) {}}
		if err := b.join(c, id(uint64(10+i)), role{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.join(b.names["c"], id(99), role{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one controller too many: %v", err)
	}
}

func TestElectionIDsAreOrderedBy128Bits(t *testing.T) {
	ascending := []electionID{{}, {true, 0, 0}, {true, 0, 7}, {true, 1, 0}, {true, 1, 1}}
	for i, a := range ascending {
		for j, b := range ascending {
			if a.less(b) != (i < j) {
				t.Errorf("%v < %v is %v", a, b, a.less(b))
			}
		}
	}
}
