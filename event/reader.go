package event

import (
	"context"
	"fmt"
)

// Reader reads the events of a [Ring] in order, each once. It needs no closing.
// It is for one goroutine; any number of readers may share a ring.
//
// A reader that the ring has overtaken gets one event of type [Lost] in place of
// those that are no longer kept, and goes on with the oldest kept. That event is
// no part of the ring: its Seq is that of the last event it stands for, so that
// reading on from there misses nothing; its Time is that of the oldest kept, zero
// if none is; its Count tells how many it stands for.
type Reader struct {
	ring    *Ring
	after   uint64   // sequence number of the last event that was read
	foreign Position // the position of another run to report first; zero: none
}

// Reader returns a reader of the events with a sequence number above after: 0
// for all since the start, [Ring.Last] for those to come. A number beyond
// Last is waited for.
func (r *Ring) Reader(after uint64) *Reader { return &Reader{ring: r, after: after} }

// ReaderSince returns a reader of the events after p, as a client asks for them
// that was interrupted and comes back. The zero Position is before everything.
//
// If p is of another instance then the host was started again in the meantime,
// and nobody knows what the client missed. The client did not ask for less than
// everything, so it gets everything: one event [Lost], at once, whose Message
// says so, then all from the oldest kept. Count is the number of events of
// this instance that are gone, mostly 0. (Kubernetes refuses a watch in this
// case, with status 410, and every client does then what this reader does;
// journalctl goes on silently with the nearest entry, which hides the gap.)
func (r *Ring) ReaderSince(p Position) *Reader {
	if p.Instance == r.instance {
		return r.Reader(p.Seq)
	}
	return &Reader{ring: r, foreign: p}
}

// Position returns where the reader stands: that of the event it gave last. A
// [Ring.ReaderSince] there goes on with the next event.
func (r *Reader) Position() Position { return Position{Instance: r.ring.instance, Seq: r.after} }

// Next returns the next event, and waits until there is one or ctx is done. Then
// it returns an error wrapping that of ctx, even if there are events left:
// [Reader.TryNext] reads those.
func (r *Reader) Next(ctx context.Context) (Event, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Event{}, fmt.Errorf("waiting for an event: %w", err)
		}
		e, ok, wait := r.read(true)
		if ok {
			return e, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
		}
	}
}

// TryNext returns the next event and true, or false at once if there is none.
func (r *Reader) TryNext() (Event, bool) {
	e, ok, _ := r.read(false)
	return e, ok
}

// read returns the next event and true. If there is none it returns false and,
// if wanted, a channel that is closed when it is worth another try.
func (r *Reader) read(wantWait bool) (e Event, ok bool, wait chan struct{}) {
	ring := r.ring
	ring.mu.Lock()
	defer ring.mu.Unlock()
	oldest := ring.oldestLocked()
	switch {
	case r.foreign != Position{}:
		e = r.lostLocked(oldest, fmt.Sprintf("arp: events after %v are not known: this is instance %s", r.foreign, ring.instance))
		r.foreign = Position{}
	case r.after >= ring.last:
		if wantWait {
			wait = ring.waitLocked()
		}
		return Event{}, false, wait
	case r.after+1 < oldest:
		e = r.lostLocked(oldest, fmt.Sprintf("arp: %d events are no longer kept", oldest-1-r.after))
	default:
		e = *ring.slotLocked(r.after + 1)
	}
	r.after = e.Seq
	return e, true, nil
}

// lostLocked returns the event in place of those before the oldest kept.
func (r *Reader) lostLocked(oldest uint64, message string) Event {
	e := Event{
		Seq:      oldest - 1,
		Type:     Lost,
		Count:    oldest - 1 - r.after,
		Severity: Warning,
		Message:  message,
	}
	if oldest <= r.ring.last {
		e.Time = r.ring.slotLocked(oldest).Time
	}
	return e
}
