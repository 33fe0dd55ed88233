package host

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// maxQueued bounds the frames that wait while another goroutine sends; further
// ones are dropped and counted, as a full device queue does.
const maxQueued = 4096

// transmitQueue holds the frames of one interface that the lock's holder has
// appended. Whoever gives the lock back sends them: there is no goroutine to
// wake, and the flag keeps the order if two meet. Its buffers are used again.
type transmitQueue struct {
	filling, draining frameBatch
	busy              bool // somebody is sending the other batch
	listed            bool // the interface is in Host.sending
}

// frameBatch is frames, one behind the other in one buffer.
type frameBatch struct {
	buf    []byte
	ends   []int // of each frame in buf
	frames [][]byte
}

func (b *frameBatch) reset() { b.buf, b.ends = b.buf[:0], b.ends[:0] }

// slices returns the frames.
func (b *frameBatch) slices() [][]byte {
	b.frames = b.frames[:0]
	start := 0
	for _, end := range b.ends {
		b.frames = append(b.frames, b.buf[start:end:end])
		start = end
	}
	return b.frames
}

// send appends a frame with the payload to the queue of ifc, whose address is its
// source. It reports whether there was room.
func (h *Host) send(ifc *Interface, header link.Header, payload []byte) bool {
	q := &ifc.queue
	if len(q.filling.ends) >= maxQueued {
		ifc.stats.TxErrors++
		if header.Type == link.TypeARP {
			h.diagnoseSend(ifc, syscall.ENOBUFS)
		}
		return false
	}
	header.Source = ifc.mac
	q.filling.buf = ifc.framing.Append(q.filling.buf, header, payload)
	q.filling.ends = append(q.filling.ends, len(q.filling.buf))
	if !q.listed {
		q.listed = true
		h.sending = append(h.sending, ifc)
	}
	return true
}

// sendPacket sends an IPv4 packet to a link-layer address on the same ring or
// medium.
func (h *Host) sendPacket(ifc *Interface, to lladdr.Addr, packet []byte) bool {
	return h.send(ifc, link.Header{Destination: to, Type: link.TypeIPv4}, packet)
}

// sendTo sends an IPv4 packet to the address of an entry.
func (h *Host) sendTo(e *entry, packet []byte) bool {
	return h.send(e.ifc, link.Header{Destination: e.Addr(), Type: link.TypeIPv4, Route: e.sourceRoute()}, packet)
}

// transmit sends what waits for ifc, giving the lock away meanwhile. If somebody
// else is sending already, that one goes on with it.
func (h *Host) transmit(ifc *Interface) {
	q := &ifc.queue
	q.listed = false
	if q.busy {
		return
	}
	q.busy = true
	for len(q.filling.ends) > 0 && !ifc.detached && !h.bindFirst {
		q.filling, q.draining = q.draining, q.filling
		frames := q.draining.slices()
		h.mu.Unlock()
		n, err := ifc.port.WriteFrames(frames)
		h.mu.Lock()
		if err != nil || n < len(frames) {
			ifc.stats.TxErrors += uint64(len(frames) - n)
			h.sendFailed(ifc, frames[n:], err)
		}
		q.draining.reset()
	}
	q.busy = false
	switch {
	case ifc.detached:
		q.filling.reset()
	case len(q.filling.ends) > 0 && !q.listed:
		q.listed = true
		h.sending = append(h.sending, ifc)
	}
}

// sendFailed tells of the ARP packets among frames that the port of ifc has not
// taken. The port's error is that of the first frame, and there is none if it had
// no room.
func (h *Host) sendFailed(ifc *Interface, frames [][]byte, err error) {
	errno := syscall.ENOBUFS
	if err != nil && !errors.As(err, &errno) {
		errno = syscall.EIO
	}
	for _, frame := range frames {
		if header, _, err := ifc.framing.Parse(frame); err == nil && header.Type == link.TypeARP {
			h.diagnoseSend(ifc, errno)
		}
	}
}

// diagnoseSend tells that an ARP packet could not be sent (facts/freebsd-arp.md
// 4.3). The errno is the number that this system has for it.
func (h *Host) diagnoseSend(ifc *Interface, errno syscall.Errno) {
	if ifc.detached {
		return
	}
	h.diagnose(time.Now(), ifc, event.SendFailed, netip.Addr{}, func() event.Event {
		return event.Event{Severity: event.Debug, Message: fmt.Sprintf("arp: Failed to send ARP packet on %s: %d", ifc.name, int(errno))}
	})
}
