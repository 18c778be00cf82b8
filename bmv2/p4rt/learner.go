package p4rt

import (
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds of one digest. A list that is full is sent although its time has not come; samples
// beyond the cache are dropped until the controller acknowledges lists or they time out.
const (
	maxListSamples  = 4096
	maxCacheSamples = 1 << 16
)

// learner batches the samples of one digest into lists and suppresses repetitions of samples that
// the controller has not acknowledged yet (specification, section "DigestEntry"). It has no
// clock: its owner passes the time and calls tick when the deadline has come.
type learner struct {
	id       uint32
	config   *p4v1.DigestEntry // nil: the controller wants no samples
	lastList uint64

	pending []*p4v1.P4Data
	keys    []string  // of the pending samples
	oldest  time.Time // when the first pending sample came

	cached map[string]bool // samples pending or not acknowledged
	lists  []sentList      // in the order of sending
}

type sentList struct {
	id   uint64
	keys []string
	sent time.Time
}

// configure applies an update of the digest's configuration.
func (l *learner) configure(kind p4v1.Update_Type, entry *p4v1.DigestEntry) error {
	c := entry.GetConfig()
	if c.GetMaxTimeoutNs() < 0 || c.GetAckTimeoutNs() < 0 || c.GetMaxListSize() < 0 {
		return invalid("digest %#x: times and sizes must not be negative", l.id)
	}
	switch {
	case kind == p4v1.Update_INSERT && l.config != nil:
		return status.Errorf(codes.AlreadyExists, "digest %#x is configured already", l.id)
	case (kind == p4v1.Update_MODIFY || kind == p4v1.Update_DELETE) && l.config == nil:
		return status.Errorf(codes.NotFound, "digest %#x is not configured", l.id)
	case kind == p4v1.Update_INSERT, kind == p4v1.Update_MODIFY:
		l.config = entry
	case kind == p4v1.Update_DELETE:
		*l = learner{id: l.id, lastList: l.lastList}
	default:
		return invalid("update type %v: valid are INSERT, MODIFY and DELETE", kind)
	}
	return nil
}

// add takes a sample; key is its identity. It returns the list that is now due, or nil, and
// whether the sample was dropped for want of room.
func (l *learner) add(sample *p4v1.P4Data, key string, now time.Time) (*p4v1.DigestList, bool) {
	if l.config == nil {
		return nil, false
	}
	if l.cached[key] {
		return nil, false
	}
	if len(l.cached) >= maxCacheSamples {
		return nil, true
	}
	if l.cached == nil {
		l.cached = make(map[string]bool)
	}
	l.cached[key] = true
	l.keys = append(l.keys, key)
	if len(l.pending) == 0 {
		l.oldest = now
	}
	l.pending = append(l.pending, sample)
	if l.full() {
		return l.take(now), false
	}
	return nil, false
}

// full reports whether the pending list must not wait. Size 0 means no limit, timeout 0 no waiting.
func (l *learner) full() bool {
	c := l.config.GetConfig()
	size := int(c.GetMaxListSize())
	return c.GetMaxTimeoutNs() == 0 || size > 0 && len(l.pending) >= size ||
		len(l.pending) >= maxListSamples
}

// take makes a list of the pending samples.
func (l *learner) take(now time.Time) *p4v1.DigestList {
	l.lastList++
	list := &p4v1.DigestList{
		DigestId:  l.id,
		ListId:    l.lastList,
		Data:      l.pending,
		Timestamp: now.UnixNano(),
	}
	sent := sentList{l.lastList, l.keys, now}
	if l.ackTimeout() > 0 {
		l.lists = append(l.lists, sent)
	} else {
		l.forget(sent)
	}
	l.pending, l.keys = nil, nil
	return list
}

// ack forgets the samples of a list, so that they are reported again when they come again.
func (l *learner) ack(list uint64) {
	for i, s := range l.lists {
		if s.id == list {
			l.forget(s)
			l.lists = append(l.lists[:i], l.lists[i+1:]...)
			return
		}
	}
}

func (l *learner) forget(s sentList) {
	for _, key := range s.keys {
		delete(l.cached, key)
	}
}

// tick forgets lists that were not acknowledged in time and returns the pending list when it is
// due.
func (l *learner) tick(now time.Time) *p4v1.DigestList {
	if l.config == nil {
		return nil
	}
	timeout := l.ackTimeout()
	expired := 0
	for _, s := range l.lists {
		if now.Sub(s.sent) < timeout {
			break
		}
		l.forget(s)
		expired++
	}
	l.lists = l.lists[expired:]
	if len(l.pending) > 0 && now.Sub(l.oldest) >= l.maxTimeout() {
		return l.take(now)
	}
	return nil
}

func (l *learner) ackTimeout() time.Duration {
	return time.Duration(l.config.GetConfig().GetAckTimeoutNs())
}

func (l *learner) maxTimeout() time.Duration {
	return time.Duration(l.config.GetConfig().GetMaxTimeoutNs())
}

// deadline returns when tick has something to do next.
func (l *learner) deadline() (at time.Time, ok bool) {
	if l.config == nil {
		return time.Time{}, false
	}
	if len(l.pending) > 0 {
		at, ok = l.oldest.Add(l.maxTimeout()), true
	}
	if len(l.lists) > 0 {
		expiry := l.lists[0].sent.Add(l.ackTimeout())
		if !ok || expiry.Before(at) {
			at, ok = expiry, true
		}
	}
	return at, ok
}
