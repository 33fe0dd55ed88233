package segment

import (
	"container/heap"
	"time"
)

// flight is a frame on its way to one receiver.
type flight struct {
	at        time.Time // when it arrives
	order     uint64    // of launch: decides between frames that arrive together
	to        *Port
	frame     []byte
	overtaken bool // it has to wait at its receiver until another overtakes it
	waiting   bool // it does, and arrives now because it has waited long enough
}

// air holds the frames in flight and the one timer they wait for. A timer for
// each would fire those of one moment in any order: the runtime promises none.
// The lock of the segment guards it.
type air struct {
	flights flights
	order   uint64
	timer   *time.Timer
}

// launch adds a frame. The caller calls schedule after the last.
func (a *air) launch(f *flight) {
	a.order++
	f.order = a.order
	heap.Push(&a.flights, f)
}

// due removes the first frame that arrives at now or before and returns it, nil
// if there is none.
func (a *air) due(now time.Time) *flight {
	if len(a.flights) == 0 || a.flights[0].at.After(now) {
		return nil
	}
	return heap.Pop(&a.flights).(*flight)
}

// schedule has land called when the first frame arrives.
func (a *air) schedule(land func()) {
	if len(a.flights) == 0 {
		return
	}
	wait := time.Until(a.flights[0].at)
	if a.timer == nil {
		a.timer = time.AfterFunc(wait, land)
		return
	}
	a.timer.Reset(wait)
}

// clear loses all frames and stops the timer.
func (a *air) clear() {
	a.flights = nil
	if a.timer != nil {
		a.timer.Stop()
	}
}

// flights is a heap: the frame that arrives first is first.
type flights []*flight

func (h flights) Len() int      { return len(h) }
func (h flights) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h flights) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].order < h[j].order
	}
	return h[i].at.Before(h[j].at)
}

// Push implements [heap.Interface].
func (h *flights) Push(x any) { *h = append(*h, x.(*flight)) }

// Pop implements [heap.Interface].
func (h *flights) Pop() any {
	last := len(*h) - 1
	f := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return f
}
