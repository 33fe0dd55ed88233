package datapath

import "sync"

// maxQueued is how many bytes wait for the writer at the most: the frames of some
// ten milliseconds at 1 Gb/s. More is dropped, as a full device queue does.
const maxQueued = 1 << 20

// lowQueued is how many bytes wait when the port is not read for a while: frames
// then stay in its socket, whose memory is more than what a TCP connection has
// under way, and are not lost. What is read at once fits above it.
const lowQueued = maxQueued / 2

// queue holds packets from the host, which must not wait, for the writer. Its
// buffers are used again.
type queue struct {
	wake chan struct{} // capacity 1: there is something to take
	room chan struct{} // capacity 1: something was taken, or the queue is closed

	mu      sync.Mutex
	filling batch
	dropped uint64
	closed  bool
}

// batch is packets, one behind the other in one buffer.
type batch struct {
	buf     []byte
	ends    []int // of each packet in buf
	packets [][]byte
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)} }

// put appends a copy of a packet. It does not wait. It is safe for concurrent use.
func (q *queue) put(packet []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := &q.filling
	if len(b.buf)+len(packet) > maxQueued {
		q.dropped++
		return
	}
	b.buf = append(b.buf, packet...)
	b.ends = append(b.ends, len(b.buf))
	if len(b.ends) == 1 {
		wake(q.wake)
	}
}

// wake makes the receiver of a channel with capacity 1 run again.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// await waits until there is room for what one read of a port gives, or the queue
// is closed. One goroutine calls it.
func (q *queue) await() {
	for {
		q.mu.Lock()
		ok := q.closed || len(q.filling.buf) < lowQueued
		q.mu.Unlock()
		if ok {
			return
		}
		<-q.room
	}
}

// close ends waiting for room.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	wake(q.room)
}

// take puts what is there into b, whose former contents are forgotten, and returns
// the packets. They are valid until the next call.
func (q *queue) take(b *batch) [][]byte {
	b.buf, b.ends = b.buf[:0], b.ends[:0]
	q.mu.Lock()
	*b, q.filling = q.filling, *b
	q.mu.Unlock()
	wake(q.room)
	b.packets = b.packets[:0]
	start := 0
	for _, end := range b.ends {
		b.packets = append(b.packets, b.buf[start:end:end])
		start = end
	}
	return b.packets
}

// drops returns how many packets were dropped.
func (q *queue) drops() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
