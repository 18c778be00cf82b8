package core

import "testing"

// What a learner has taken in counts once, also when it starts over.
func TestJoinedBytesAreCountedOnce(t *testing.T) {
	sum, last := uint64(0), Replica{}
	for _, r := range []Replica{
		{Learner: true, JoinedBytes: 10}, {Learner: true, JoinedBytes: 30},
		{Learner: true, JoinedBytes: 30}, {Learner: true, JoinedBytes: 5}, // starts over
		{Learner: true, JoinedBytes: 25, Joined: true}, {JoinedBytes: 25}, // is a member now
		{Learner: true, JoinedBytes: 7}, // of a later time
	} {
		sum += newlyJoined(last, r)
		last = r
	}
	if sum != 30+25+7 {
		t.Errorf("%d bytes, want 62", sum)
	}
}
