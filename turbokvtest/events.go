package turbokvtest

import (
	"container/heap"
	"time"
)

// events is the agenda of a run: what happens when. Equal times keep the order in which they were
// put down, so that a run depends on its seed alone.
type events struct {
	queue eventHeap
	now   time.Duration
	count uint64
}

type event struct {
	at    time.Duration
	order uint64
	do    func()
}

// after puts do down for d from now.
func (e *events) after(d time.Duration, do func()) {
	e.count++
	heap.Push(&e.queue, event{at: e.now + d, order: e.count, do: do})
}

// step does the next event; it reports false when there is none at or before the limit.
func (e *events) step(limit time.Duration) bool {
	if len(e.queue) == 0 || e.queue[0].at > limit {
		return false
	}
	next := heap.Pop(&e.queue).(event)
	e.now = next.at
	next.do()
	return true
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].order < h[j].order
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = event{}
	*h = (*h)[:last]
	return e
}
