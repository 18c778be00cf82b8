package p4rt

import (
	"testing"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var epoch = time.Unix(1000, 0)

// after returns the time some milliseconds after the start of a test.
func after(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

func newLearner(t testing.TB, maxTimeoutMs, maxSize, ackTimeoutMs int) *learner {
	t.Helper()
	l := &learner{id: 5}
	if err := l.configure(p4v1.Update_INSERT, &p4v1.DigestEntry{DigestId: 5,
		Config: &p4v1.DigestEntry_Config{
			MaxTimeoutNs: int64(maxTimeoutMs) * 1e6,
			MaxListSize:  int32(maxSize),
			AckTimeoutNs: int64(ackTimeoutMs) * 1e6,
		}}); err != nil {
		t.Fatal(err)
	}
	return l
}

// feed adds a sample and returns the size of the list that became due, 0 for none.
func feed(l *learner, key string, ms int) int {
	list, _ := l.add(&p4v1.P4Data{}, key, after(ms))
	return len(list.GetData())
}

func TestLearnerSendsAtOnceWithoutTimeout(t *testing.T) {
	l := newLearner(t, 0, 10, 0)
	for want := uint64(1); want < 4; want++ {
		list, _ := l.add(&p4v1.P4Data{}, "same", after(0))
		if list.GetListId() != want || list.GetDigestId() != 5 || len(list.GetData()) != 1 {
			t.Errorf("list %v, want id %d", list, want)
		}
	}
	if _, ok := l.deadline(); ok {
		t.Error("a deadline without anything pending")
	}
}

func TestLearnerFillsLists(t *testing.T) {
	l := newLearner(t, 100, 3, 0)
	if feed(l, "a", 0) != 0 || feed(l, "b", 10) != 0 {
		t.Error("a list was sent before it was full")
	}
	if got := feed(l, "c", 20); got != 3 {
		t.Errorf("list of %d samples, want 3", got)
	}
	feed(l, "d", 30)
	if at, ok := l.deadline(); !ok || !at.Equal(after(130)) {
		t.Errorf("deadline %v, %v", at, ok)
	}
	if list := l.tick(after(129)); list != nil {
		t.Error("the list was sent too early")
	}
	list := l.tick(after(130))
	if len(list.GetData()) != 1 || list.GetTimestamp() != after(130).UnixNano() {
		t.Errorf("list at the deadline: %v", list)
	}
}

func TestLearnerSuppressesUntilAcknowledged(t *testing.T) {
	l := newLearner(t, 0, 0, 1000)
	if feed(l, "a", 0) != 1 || feed(l, "a", 1) != 0 || feed(l, "b", 2) != 1 {
		t.Error("a repeated sample was sent, or a new one was not")
	}
	l.ack(77) // no such list
	l.ack(1)
	if feed(l, "a", 3) != 1 {
		t.Error("a sample was not sent again after its list was acknowledged")
	}
	if feed(l, "b", 4) != 0 {
		t.Error("an acknowledgement freed a sample of another list")
	}
	l.tick(after(1001))
	if feed(l, "b", 1001) != 0 {
		t.Error("a list expired too early")
	}
	if at, ok := l.deadline(); !ok || !at.Equal(after(1002)) {
		t.Errorf("deadline %v, %v", at, ok)
	}
	l.tick(after(1002))
	if feed(l, "b", 1002) != 1 {
		t.Error("a sample was not sent again after its list expired")
	}
}

func TestLearnerIsBounded(t *testing.T) {
	l := newLearner(t, 1_000_000, 0, 1_000_000)
	lists, drops := 0, 0
	var key [4]byte
	for i := range maxCacheSamples + 10 {
		key = [4]byte{byte(i >> 16), byte(i >> 8), byte(i)}
		list, dropped := l.add(&p4v1.P4Data{}, string(key[:]), after(0))
		if list != nil {
			lists++
		}
		if dropped {
			drops++
		}
	}
	if lists != maxCacheSamples/maxListSamples || drops != 10 {
		t.Errorf("%d lists and %d drops", lists, drops)
	}
}

func TestLearnerConfiguration(t *testing.T) {
	l := &learner{id: 5}
	entry := &p4v1.DigestEntry{DigestId: 5}
	if feed(l, "a", 0) != 0 {
		t.Error("a digest that is not configured was sent")
	}
	for _, step := range []struct {
		kind p4v1.Update_Type
		want codes.Code
	}{
		{p4v1.Update_MODIFY, codes.NotFound},
		{p4v1.Update_DELETE, codes.NotFound},
		{p4v1.Update_UNSPECIFIED, codes.InvalidArgument},
		{p4v1.Update_INSERT, codes.OK},
		{p4v1.Update_INSERT, codes.AlreadyExists},
		{p4v1.Update_MODIFY, codes.OK},
		{p4v1.Update_DELETE, codes.OK},
		{p4v1.Update_DELETE, codes.NotFound},
	} {
		if got := status.Code(l.configure(step.kind, entry)); got != step.want {
			t.Errorf("%v: %v, want %v", step.kind, got, step.want)
		}
	}
	negative := &p4v1.DigestEntry{Config: &p4v1.DigestEntry_Config{AckTimeoutNs: -1}}
	if got := status.Code(l.configure(p4v1.Update_INSERT, negative)); got != codes.InvalidArgument {
		t.Errorf("a negative timeout: %v", got)
	}
}

// All samples of a list are distinct, also when the controller acknowledges nothing.
func TestListsHaveNoDuplicates(t *testing.T) {
	l := newLearner(t, 100, 2, 0)
	if feed(l, "a", 0) != 0 || feed(l, "a", 10) != 0 {
		t.Error("a sample that is pending already counts towards the size of the list")
	}
	if got := feed(l, "b", 20); got != 2 {
		t.Errorf("list of %d samples, want 2", got)
	}
	if feed(l, "a", 30) != 0 || feed(l, "b", 40) != 2 {
		t.Error("without an ack timeout samples are sent again in the next list")
	}
}
