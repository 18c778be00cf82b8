package controller_test

import "time"

func (r *tree) mark(writers []*writer, began time.Time, what string) {
	var n []int
	for _, w := range writers {
		w.mu.Lock()
		n = append(n, w.writes)
		w.mu.Unlock()
	}
	r.t.Logf("%v %s: %v", time.Since(began), what, n)
}
