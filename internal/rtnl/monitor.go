//go:build linux

package rtnl

import (
	"errors"

	"golang.org/x/sys/unix"
)

// maxBatch bounds how many notifications one Receive gives, so that the reader of
// an endless burst gets to work.
const maxBatch = 4096

// monitor receives notifications in batches.
type monitor struct {
	socket *socket
	in     []byte
	// emptied: the last receive has left nothing in the queue.
	emptied bool
}

// receive waits for a notification and calls visit for it and for those that are
// there without waiting.
//
// The kernel tells of an overrun ahead of what is queued, and queues nothing more
// until the queue has been emptied (NETLINK_S_CONGESTED). So it is emptied, and
// ErrOverrun comes after what it held: what is read from the kernel from then on
// is newer than every message seen so far and older than none to come.
func (m *monitor) receive(visit func(h header, payload []byte)) error {
	overrun := false
	m.emptied = false
	for count := 0; count < maxBatch || overrun; {
		n, err := m.socket.read(m.in, count == 0 && !overrun)
		switch {
		case errors.Is(err, unix.EAGAIN):
			m.emptied = true
			if overrun {
				return ErrOverrun
			}
			return nil
		case errors.Is(err, unix.ENOBUFS):
			overrun = true
			continue
		case err != nil:
			return err
		}
		for b := m.in[:n]; ; count++ {
			h, payload, rest, ok := nextMessage(b)
			if !ok {
				break
			}
			visit(h, payload)
			b = rest
		}
	}
	return nil
}
