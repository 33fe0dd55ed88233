// Package deadline has the one timer structure of a host: a queue of deadlines,
// earliest first. What waits costs nothing; a deadline that moves later, as that
// of an ARP entry does with every answer, costs a store.
package deadline

import "time"

// Queue holds timers with values of type T. The zero Queue is not usable; see
// [New]. It is not safe for concurrent use.
type Queue[T any] struct {
	base time.Time // of slot.when; keeps the monotonic reading out of the slots
	heap []slot[T] // a binary heap
}

// slot is a timer and when it fires: here and not behind the pointer, because
// the heap compares it.
type slot[T any] struct {
	when  time.Duration // since base
	timer *Timer[T]
}

// Timer is one deadline of a value. The zero Timer with a Value is ready for
// [Queue.Set].
type Timer[T any] struct {
	Value T
	due   time.Duration // since base, of the queue it is in; not before its slot's
	place int           // 1 + index in the heap; 0 is none
}

// New returns an empty queue. Deadlines are kept with nanosecond precision up to
// 292 years from base.
func New[T any](base time.Time) *Queue[T] { return &Queue[T]{base: base} }

// Set makes t due at when. The zero time takes it out.
func (q *Queue[T]) Set(t *Timer[T], when time.Time) {
	if when.IsZero() {
		q.Remove(t)
		return
	}
	t.due = when.Sub(q.base)
	switch {
	case t.place == 0:
		q.heap = append(q.heap, slot[T]{t.due, t})
		t.place = len(q.heap)
		q.up(len(q.heap) - 1)
	case t.due < q.heap[t.place-1].when:
		q.heap[t.place-1].when = t.due
		q.up(t.place - 1)
	}
	// A later deadline is left for Pop to find: its slot fires early and is put
	// back, once, however often the deadline moved in between.
}

// Remove takes t out of the queue; it does nothing if t is not in it.
func (q *Queue[T]) Remove(t *Timer[T]) {
	if t.place == 0 {
		return
	}
	i, last := t.place-1, len(q.heap)-1
	q.swap(i, last)
	q.heap[last] = slot[T]{}
	q.heap = q.heap[:last]
	t.place = 0
	if i < last {
		q.down(i)
		q.up(i)
	}
}

// Pop takes a timer out that is due at now or before, the earliest first, and
// returns its value. It returns false if there is none.
func (q *Queue[T]) Pop(now time.Time) (T, bool) {
	for len(q.heap) > 0 {
		first := q.heap[0]
		if first.when > now.Sub(q.base) {
			break
		}
		if first.timer.due > first.when {
			q.heap[0].when = first.timer.due
			q.down(0)
			continue
		}
		q.Remove(first.timer)
		return first.timer.Value, true
	}
	var none T
	return none, false
}

// Next returns when to call [Queue.Pop] again, and false if the queue is empty.
// A deadline that was moved later may make it early.
func (q *Queue[T]) Next() (time.Time, bool) {
	if len(q.heap) == 0 {
		return time.Time{}, false
	}
	return q.base.Add(q.heap[0].when), true
}

// Len returns how many timers wait.
func (q *Queue[T]) Len() int { return len(q.heap) }

func (q *Queue[T]) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].timer.place, q.heap[j].timer.place = i+1, j+1
}

func (q *Queue[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if q.heap[parent].when <= q.heap[i].when {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q *Queue[T]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			return
		}
		if child+1 < len(q.heap) && q.heap[child+1].when < q.heap[child].when {
			child++
		}
		if q.heap[i].when <= q.heap[child].when {
			return
		}
		q.swap(i, child)
		i = child
	}
}
