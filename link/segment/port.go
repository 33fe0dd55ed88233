package segment

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/isat-project/isat/lladdr"
)

// headerLen is the length in bytes of an Ethernet header: what a frame has at
// least.
const headerLen = 14

// Port is a network interface on a segment, for one host. Its methods are safe
// for concurrent use, but it has one reader.
type Port struct {
	segment *Segment
	ready   *sync.Cond // there is something to read, or the port is closed

	// The lock of the segment guards everything below.
	mac         [6]byte
	promiscuous bool
	up          bool
	closed      bool
	queue       [][]byte // frames to read
	lent        [][]byte // frames the reader has, until it reads again
	free        [][]byte // buffers to use again
	held        *flight  // a frame that waits to be overtaken
	stats       Stats
}

// Stats counts the frames of a port since it was made.
type Stats struct {
	Sent     uint64 // taken by WriteFrames
	Received uint64 // put into the receive queue
	Dropped  uint64 // lost because the receive queue was full
}

// ReadFrames blocks until there is a frame at least, fills frames with as many
// as there are and returns their number. The slices belong to the port and are
// valid until the next call. There is one reader. After Close it returns an error
// that wraps [net.ErrClosed]. A port that is down has nothing to read, which is
// no error: the reader waits until it is up again.
func (p *Port) ReadFrames(frames [][]byte) (n int, err error) {
	if len(frames) == 0 {
		return 0, nil
	}
	p.segment.mu.Lock()
	defer p.segment.mu.Unlock()
	p.free = append(p.free, p.lent...)
	p.lent = p.lent[:0]
	for len(p.queue) == 0 && !p.closed {
		p.ready.Wait()
	}
	if p.closed {
		return 0, fmt.Errorf("reading from a segment: %w", net.ErrClosed)
	}
	n = copy(frames, p.queue)
	p.lent = append(p.lent, p.queue[:n]...)
	p.queue = slices.Delete(p.queue, 0, n)
	return n, nil
}

// WriteFrames sends frames in order, without waiting, and returns how many were
// sent. It keeps none. If fewer than all were sent the error wraps [net.ErrClosed]
// after Close, ENETDOWN while the port is down, or EINVAL for a frame too short
// for its header.
func (p *Port) WriteFrames(frames [][]byte) (n int, err error) {
	p.segment.mu.Lock()
	defer p.segment.mu.Unlock()
	now := time.Now()
	for _, frame := range frames {
		switch {
		case p.closed:
			return n, fmt.Errorf("writing to a segment: %w", net.ErrClosed)
		case !p.up:
			return n, fmt.Errorf("writing to a segment: %w", syscall.ENETDOWN)
		case len(frame) < headerLen:
			return n, fmt.Errorf("writing a frame of %d bytes to a segment: %w", len(frame), syscall.EINVAL)
		}
		p.stats.Sent++
		p.segment.sendLocked(p, now, frame)
		n++
	}
	return n, nil
}

// Close takes the port off its segment and wakes its reader. Frames not read are
// lost; those it has sent still arrive.
func (p *Port) Close() error {
	p.segment.mu.Lock()
	defer p.segment.mu.Unlock()
	if p.closed {
		return fmt.Errorf("closing a port of a segment: %w", net.ErrClosed)
	}
	p.closeLocked()
	p.segment.ports = slices.DeleteFunc(p.segment.ports, func(q *Port) bool { return q == p })
	return nil
}

// SetUp connects the port or disconnects it. While it is down it neither sends
// nor receives; frames that arrive then are lost. What is in its queue stays.
func (p *Port) SetUp(up bool) {
	p.segment.mu.Lock()
	defer p.segment.mu.Unlock()
	p.up = up
}

// SetPromiscuous tells whether the port receives the frames to all addresses.
func (p *Port) SetPromiscuous(on bool) {
	p.segment.mu.Lock()
	defer p.segment.mu.Unlock()
	p.promiscuous = on
}

// SetMAC changes the link-layer address that the port receives for. It panics if
// mac is no six-byte address.
func (p *Port) SetMAC(mac lladdr.Addr) {
	b := mac6(mac)
	p.segment.mu.Lock()
	defer p.segment.mu.Unlock()
	p.mac = b
}

// MAC returns the link-layer address that the port receives for.
func (p *Port) MAC() lladdr.Addr {
	p.segment.mu.Lock()
	defer p.segment.mu.Unlock()
	return lladdr.From6(p.mac)
}

// Stats returns the counters.
func (p *Port) Stats() Stats {
	p.segment.mu.Lock()
	defer p.segment.mu.Unlock()
	return p.stats
}

// acceptsLocked reports whether the port receives frames to the destination. The
// group bit (IEEE 802-2014 section 8.2.2) is set in broadcast and multicast
// addresses.
func (p *Port) acceptsLocked(destination [6]byte) bool {
	return p.promiscuous || destination == p.mac || destination[0]&1 != 0
}

// receiveLocked delivers a frame. If another waits to be overtaken, that has
// happened now.
func (p *Port) receiveLocked(frame []byte) {
	p.enqueueLocked(frame)
	p.releaseLocked()
}

// releaseLocked delivers the frame that waits to be overtaken.
func (p *Port) releaseLocked() {
	if p.held != nil {
		p.enqueueLocked(p.held.frame)
		p.held = nil
	}
}

// enqueueLocked copies a frame into the receive queue and wakes the reader.
func (p *Port) enqueueLocked(frame []byte) {
	switch {
	case p.closed || !p.up:
		return
	case len(p.queue) == p.segment.queue:
		p.stats.Dropped++
		return
	}
	var buffer []byte
	if last := len(p.free) - 1; last >= 0 {
		buffer, p.free = p.free[last][:0], p.free[:last]
	}
	p.queue = append(p.queue, append(buffer, frame...))
	p.stats.Received++
	p.ready.Signal()
}

func (p *Port) closeLocked() {
	p.closed = true
	p.queue, p.free, p.held = nil, nil, nil
	p.ready.Broadcast()
}

// mac6 returns the bytes of an Ethernet address. What is none is a mistake in
// the program.
func mac6(mac lladdr.Addr) [6]byte {
	b, ok := mac.As6()
	if !ok {
		panic(fmt.Sprintf("segment: %q is no Ethernet address", mac))
	}
	return b
}
