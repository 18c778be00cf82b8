package turbokvtest

import "time"

// events is the agenda of a run: what happens when. Equal times keep the order in which they were
// put down, so that a run depends on its seed alone.
type events struct {
	heap  []event // by time, then order; a binary heap
	now   time.Duration
	count uint64
}

type event struct {
	at    time.Duration
	order uint64
	do    func()
}

func (e event) before(o event) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

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

func (e *events) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !e.heap[i].before(e.heap[parent]) {
			return
		}
		e.heap[i], e.heap[parent] = e.heap[parent], e.heap[i]
		i = parent
	}
}

func (e *events) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(e.heap); child++ {
			if e.heap[child].before(e.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		e.heap[i], e.heap[least] = e.heap[least], e.heap[i]
		i = least
	}
}
