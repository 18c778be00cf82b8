package engine

import "slices"

// vector is an immutable list whose changed copies share the blocks that did not change, so that a
// change of one of many thousand elements is cheap.
type vector[T any] []*block[T]

const blockSize = 64

type block[T any] [blockSize]T

// at returns element i, which must have been set.
func (l vector[T]) at(i int) T { return l[i/blockSize][i%blockSize] }

// vectorEditor makes a changed copy of a vector.
type vectorEditor[T any] struct {
	list  vector[T]
	owned map[int]bool // blocks that nobody else sees
}

func (l vector[T]) edit() vectorEditor[T] {
	return vectorEditor[T]{slices.Clone(l), map[int]bool{}}
}

func (e *vectorEditor[T]) set(i int, v T) {
	k := i / blockSize
	for len(e.list) <= k {
		e.owned[len(e.list)] = true
		e.list = append(e.list, new(block[T]))
	}
	if !e.owned[k] {
		copied := *e.list[k]
		e.list[k], e.owned[k] = &copied, true
	}
	e.list[k][i%blockSize] = v
}
