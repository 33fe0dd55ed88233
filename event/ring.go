package event

import "sync"

// DefaultSize is the number of events that a [Ring] keeps if it is not told
// otherwise: INTERFACES section 5.
const DefaultSize = 65_536

// chunkLen is the number of events that the ring grows by. An event is 160
// bytes, so that a chunk is 40 KiB: a host where little happens pays for that
// and not for the 10 MiB of a full ring.
const chunkLen = 256

// Ring keeps the last events of one run of a host. Its methods are safe for
// concurrent use; the lock is held for the copy of one event and never while
// anybody waits, so that no reader holds up [Ring.Append].
//
// The channel that readers wait on is made by them, when they wait, so that a
// Ring may be used in a testing/synctest bubble.
type Ring struct {
	instance string
	size     uint64

	mu     sync.Mutex
	last   uint64        // sequence number of the newest event, 0 if there was none
	chunks [][]Event     // event seq is at (seq-1) % size; chunks not reached yet are nil
	wake   chan struct{} // closed by the next Append; nil if nobody waits
}

// NewRing returns an empty ring for size events, [DefaultSize] if size is not
// positive. The instance names this run of the host in a [Position]: it should
// be new at every start, and not empty where positions are given to others.
func NewRing(instance string, size int) *Ring {
	if size <= 0 {
		size = DefaultSize
	}
	return &Ring{
		instance: instance,
		size:     uint64(size),
		chunks:   make([][]Event, (size+chunkLen-1)/chunkLen),
	}
}

// Instance returns the name of this run of the host.
func (r *Ring) Instance() string { return r.instance }

// Last returns the sequence number of the newest event, 0 if there was none.
func (r *Ring) Last() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// Append adds e as the newest event, forgetting the oldest if the ring is full,
// and wakes the readers. It sets e.Seq, the number before plus one, and returns
// it. The caller sets everything else, e.Time included: the ring reads no clock.
// It allocates only when the ring grows by a chunk.
func (r *Ring) Append(e Event) uint64 {
	seq, wake := r.append(e)
	if wake != nil {
		close(wake) // outside of the lock, as every channel operation is
	}
	return seq
}

func (r *Ring) append(e Event) (seq uint64, wake chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	e.Seq = r.last
	*r.slotLocked(e.Seq) = e
	wake, r.wake = r.wake, nil
	return e.Seq, wake
}

// slotLocked returns the place of event seq. It makes its chunk if need be; the
// last chunk is cut to the size of the ring.
func (r *Ring) slotLocked(seq uint64) *Event {
	i := (seq - 1) % r.size
	c := i / chunkLen
	if r.chunks[c] == nil {
		r.chunks[c] = make([]Event, min(chunkLen, r.size-c*chunkLen))
	}
	return &r.chunks[c][i%chunkLen]
}

// oldestLocked returns the sequence number of the oldest event kept; it is
// r.last+1 if there is none.
func (r *Ring) oldestLocked() uint64 {
	if r.last <= r.size {
		return 1
	}
	return r.last - r.size + 1
}

// waitLocked returns the channel that the next Append closes.
func (r *Ring) waitLocked() chan struct{} {
	if r.wake == nil {
		r.wake = make(chan struct{})
	}
	return r.wake
}
