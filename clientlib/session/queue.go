package session

// queue is a list of queued slots, first come first served, through the slots themselves, so that
// one may leave from the middle.
type queue struct {
	head, tail int32 // -1 if empty
	length     int
}

func newQueue() queue { return queue{head: -1, tail: -1} }

func (q *queue) push(t *slots, i int32) {
	t.all[i].prev, t.all[i].next = q.tail, -1
	if q.tail >= 0 {
		t.all[q.tail].next = i
	} else {
		q.head = i
	}
	q.tail = i
	q.length++
}

func (q *queue) remove(t *slots, i int32) {
	s := t.all[i]
	if s.prev >= 0 {
		t.all[s.prev].next = s.next
	} else {
		q.head = s.next
	}
	if s.next >= 0 {
		t.all[s.next].prev = s.prev
	} else {
		q.tail = s.prev
	}
	q.length--
}
