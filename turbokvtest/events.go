package turbokvtest

import "time"

// events is the agenda of a run: what happens when. Equal times keep the order in which they were
// put down, so that a run depends on its seed alone.
type events struct {
	heap  []event // by time, then order; a heap with four children per event
	now   time.Duration
	count uint64
}

type event struct {
	at    time.Duration
	order uint64
	do    func()
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

// after puts do down for d from now.
func (e *events) after(d time.Duration, do func()) {
	e.count++
	e.heap = append(e.heap, event{at: e.now + max(d, 0), order: e.count, do: do})
	e.up(len(e.heap) - 1)
}

// step does the next event; it reports false when there is none at or before the limit.
func (e *events) step(limit time.Duration) bool {
	if len(e.heap) == 0 || e.heap[0].at > limit {
		return false
	}
	next := e.pop()
	e.now = next.at
	next.do()
	return true
}

func (e *events) pop() event {
	top, last := e.heap[0], len(e.heap)-1
	e.heap[0], e.heap[last] = e.heap[last], event{}
	e.heap = e.heap[:last]
	e.down(0)
	return top
}

// children of an event in the heap.
const children = 4

// up moves an event towards the top until the one above is earlier.
func (e *events) up(i int) {
	moving := e.heap[i]
	for i > 0 {
		parent := (i - 1) / children
		if !moving.before(&e.heap[parent]) {
			break
		}
		e.heap[i] = e.heap[parent]
		i = parent
	}
	e.heap[i] = moving
}

// down moves an event away from the top until all below are later.
func (e *events) down(i int) {
	if len(e.heap) == 0 {
		return
	}
	moving := e.heap[i]
	for {
		least := e.leastChild(i)
		if least < 0 || moving.before(&e.heap[least]) {
			break
		}
		e.heap[i] = e.heap[least]
		i = least
	}
	e.heap[i] = moving
}

// leastChild returns the earliest event right below one; -1 if there is none.
func (e *events) leastChild(i int) int {
	first := children*i + 1
	if first >= len(e.heap) {
		return -1
	}
	least := first
	for child := first + 1; child < min(first+children, len(e.heap)); child++ {
		if e.heap[child].before(&e.heap[least]) {
			least = child
		}
	}
	return least
}
