package datapath

import "sync"

// maxQueued is how many bytes wait for the writer at the most: the frames of some
// ten milliseconds at 1 Gb/s. More is dropped, as a full device queue does.
const maxQueued = 1 << 20

// queue holds packets from the host, which must not wait, for the writer. Its
// buffers are used again.
type queue struct {
	wake chan struct{} // capacity 1: there is something to take

	mu      sync.Mutex
	filling batch
	dropped uint64
}

// batch is packets, one behind the other in one buffer.
type batch struct {
	buf     []byte
	ends    []int // of each packet in buf
	packets [][]byte
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

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
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// take puts what is there into b, whose former contents are forgotten, and returns
// the packets. They are valid until the next call.
func (q *queue) take(b *batch) [][]byte {
	b.buf, b.ends = b.buf[:0], b.ends[:0]
	q.mu.Lock()
	*b, q.filling = q.filling, *b
	q.mu.Unlock()
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
