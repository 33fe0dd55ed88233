package host

import (
	"context"
	"time"
)

// runTimers fires the timers as they come due, and takes the notes of lookups
// that used an entry which wanted to know.
func (h *Host) runTimers(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.pingTimers:
			h.pong()
			continue
		case key := <-h.uses:
			h.used(key)
			continue
		case <-timer.C:
		case <-h.wakeTimers:
		}
		h.mu.Lock()
		now := time.Now()
		for {
			t, ok := h.timers.Pop(now)
			if !ok {
				break
			}
			t.fire(h, now)
		}
		next, ok := h.timers.Next()
		h.armed = next
		h.unlock()
		if ok {
			timer.Reset(time.Until(next))
		} else {
			timer.Stop()
		}
	}
}
