package p4rt

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// waitFor waits for a condition that must come.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// Lists of digests for a controller that reads nothing are dropped long before they fill the memory.
func TestUnreadListsTakeLittleMemory(t *testing.T) {
	r := newRig(t).withPipeline()
	p := r.connect()
	p.elect(1)
	list := &p4v1.DigestList{DigestId: r.digestID(), Data: make([]*p4v1.P4Data, maxListSamples)}
	for i := range list.Data {
		list.Data[i] = &p4v1.P4Data{Data: &p4v1.P4Data_Bitstring{Bitstring: []byte("value")}}
	}
	sent := 0
	m := &p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Digest{Digest: list}}
	for r.server.tell(m, func(*scope) bool { return true }) && sent < maxReports {
		sent++
	}
	if sent < 2 || sent > 100 {
		t.Errorf("%d lists of %d samples were taken", sent, maxListSamples)
	}
	if n := (*r.server.spokesmen.Load())[0].waiting.Load(); n > maxReportBytes+1<<21 {
		t.Errorf("%d bytes wait", n)
	}
}

// A controller that reads nothing of what must not get lost is cut off, also while it is being sent
// something.
func TestSilentControllerIsCutOff(t *testing.T) {
	r := newRig(t).withPipeline()
	p := r.connect()
	p.elect(1)
	for frame := make([]byte, 1500); r.server.Stats().PacketInDrops == 0; {
		r.server.PacketIn(frame)
	}
	for range 2 * maxNotices {
		p.send(arbitration(device, 1, ""))
	}
	waitFor(t, "the end of the stream", func() bool { return r.server.open.Load() == 0 })
	if got := r.connect().elect(1); got != codes.OK {
		t.Errorf("the next one with its id: %v", got)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	r := newRig(t)
	r.server.open.Store(maxStreams - 1)
	r.connect().elect(1)
	if got := r.connect().ended(); got != codes.ResourceExhausted {
		t.Errorf("one stream too many: %v", got)
	}
}

// Roles that nobody ever was primary of do not keep others out.
func TestUnusedRolesAreForgotten(t *testing.T) {
	r := newRig(t)
	for i := range 2 * maxRoles {
		p := r.connect()
		m := arbitration(device, 0, string(rune('a'+i)))
		m.GetArbitration().ElectionId = nil
		p.send(m)
		if got := p.notified(); got != codes.NotFound {
			t.Fatalf("role %d: %v", i, got)
		}
		if err := p.channel.CloseSend(); err != nil {
			t.Fatal(err)
		}
		p.ended()
	}
}

// The room that a request took is given back, whether it succeeds or not.
func TestLargeRequestsDoNotUseUpTheRoom(t *testing.T) {
	r := newRig(t).withPipeline()
	e := r.entry(forwardTable, key(exact(1, "\x08")), "ingress.to_controller", "\x55")
	e.Metadata = make([]byte, MaxRequest/2+1)
	if got := r.write(insert(tableEntity(e)))[0]; got != codes.OK {
		t.Fatalf("the first: %v", got)
	}
	for range 2 {
		if got := r.write(insert(tableEntity(e)))[0]; got != codes.AlreadyExists {
			t.Fatalf("again: %v", got)
		}
	}
}

func TestRequestsWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limiter{room: semaphore.NewWeighted(10)}
		first, second := new(int), new(int)
		if err := l.take(first, 8); err != nil {
			t.Fatal(err)
		}
		done := false
		go func() { _, done = l.take(second, 8), true }()
		synctest.Wait()
		if done {
			t.Error("there was no room")
		}
		l.release(first)
		l.release(first) // of no effect
		synctest.Wait()
		if !done || l.room.TryAcquire(8) {
			t.Errorf("the second has room: %v; or there is room for more", done)
		}
	})
}

func TestTooManyElements(t *testing.T) {
	r := newRig(t).withPipeline()
	if got := r.write(make([]*p4v1.Update, maxUpdates+1)...)[0]; got != codes.ResourceExhausted {
		t.Errorf("updates: %v", got)
	}
	if _, err := r.read(make([]*p4v1.Entity, maxReadRequests+1)...); codeOf(err) != codes.ResourceExhausted {
		t.Errorf("requests: %v", err)
	}
}

func TestFieldsAreCounted(t *testing.T) {
	m := &p4v1.WriteRequest{DeviceId: 7, Updates: []*p4v1.Update{
		insert(session(3, 9)), {Type: p4v1.Update_DELETE}}}
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	// device; update, type, entity, replication, session, id, length; update, type
	const want = 10
	d := m.ProtoReflect().Descriptor()
	if left := countFields(d, wire, want, 0); left != 0 {
		t.Errorf("%d are left of %d", left, want)
	}
	if left := countFields(d, wire, want-1, 0); left >= 0 {
		t.Errorf("%d are left of %d", left, want-1)
	}
	for range 3 * protowire.DefaultRecursionLimit { // structs within structs
		wire = protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), wire)
	}
	data := new(p4v1.P4Data).ProtoReflect().Descriptor()
	if left := countFields(data, wire, maxFields, 0); left < 0 {
		t.Errorf("deep message: %d are left", left)
	}
}

func TestReadersThatStopAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		send := func(n int) error {
			if n < 3 {
				time.Sleep(time.Minute / 2)
				return nil
			}
			<-gone
			return errors.New("the call has ended")
		}
		start := time.Now()
		crowded := func() bool { return time.Since(start) > 2*time.Hour }
		err := attended(time.Minute, crowded, send, func(send func(int) error) error {
			time.Sleep(time.Hour) // finding takes its time
			for n := range 5 {
				if err := send(n); err != nil {
					return err
				}
			}
			return nil
		})
		if codeOf(err) != codes.ResourceExhausted || time.Since(start) != 2*time.Hour+time.Minute/2 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		close(gone)
	})
}
