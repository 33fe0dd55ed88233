package packet

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// goneInterval is how often the reader of an interface that is down looks
// whether it still exists. The kernel does not say: it reports one error when an
// interface goes down, and none when it is deleted after that (tried).
const goneInterval = time.Second

// ReadFrames blocks until there is a frame at least, fills frames and returns
// how many there are. While frames come one at a time it returns them so; when
// they come faster than they are read, as many as one system call gives. The
// slices belong to the connection and are valid until the next call. There is one
// reader.
//
// An interface that goes down is no error: the reader waits until it is up again,
// and the socket works as before (tried). When the interface is deleted or moved
// to another network namespace the error wraps ENXIO, at once or within a second
// if it was down before, and the connection is of no more use. After Close it
// wraps [net.ErrClosed].
func (c *Conn) ReadFrames(frames [][]byte) (n int, err error) {
	if len(frames) == 0 {
		return 0, nil
	}
	if c.segments.on {
		return c.readSegments(frames)
	}
	for n == 0 {
		got, err := c.receive(len(frames))
		if err != nil {
			return 0, err
		}
		for i := range got {
			m := &c.receiver.messages[i]
			ok, err := c.check(m)
			if err != nil {
				return n, err
			}
			if ok {
				frames[n] = m.frame()
				n++
			}
		}
	}
	return n, nil
}

// check counts a message and reports whether it is for the reader.
func (c *Conn) check(m *message) (bool, error) {
	if err := m.read(); err != nil {
		return false, c.failed("reading control messages of", err)
	}
	c.overflows(m)
	return c.accept(m), nil
}

// receive has the kernel fill the messages of the receiver, at most as many as
// there is room for, and returns how many.
func (c *Conn) receive(room int) (n int, err error) {
	r := &c.receiver
	for {
		r.prepare(room)
		err := c.raw.Read(r.poll)
		switch {
		case err == nil && r.err == 0:
			if r.down {
				r.down = false
				c.file.SetReadDeadline(time.Time{})
			}
			return r.got, nil
		case err == nil && r.err == unix.EINVAL && c.segments.on:
			c.counters.unsupported.Add(1) // a frame that struct virtio_net_hdr cannot tell of
			continue
		case err == nil && r.err != unix.ENETDOWN:
			return 0, c.failed("receiving on", r.err)
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return 0, c.failed("receiving on", err)
		}
		// Down, for the first time or still. The deadline stays when the interface
		// is gone, so that reading again gives the same error.
		if err == nil {
			c.counters.downs.Add(1)
		}
		r.down = true
		if err := c.file.SetReadDeadline(time.Now().Add(goneInterval)); err != nil {
			return 0, c.failed("waiting for", err)
		}
		if c.gone() {
			return 0, c.failed("receiving on", unix.ENXIO)
		}
	}
}

// accept counts a frame and reports whether it is for the reader.
//
// A frame with a VLAN tag shows as such only where ETH_P_ALL receives it. Before
// a socket bound to ETH_P_ARP sees it, the kernel removes the tag, auxiliary data
// included, and says PACKET_OTHERHOST instead (tried; net/core/dev.c,
// __netif_receive_skb_core). A group address cannot be another host's, so that is
// how a tag shows here. A tagged unicast frame counts as another host's. A frame
// tagged for priority only, VLAN 0, comes as one without tag.
func (c *Conn) accept(m *message) bool {
	switch {
	case m.truncated():
		c.counters.truncated.Add(1)
	case m.kind() == unix.PACKET_OUTGOING:
		c.counters.outgoing.Add(1)
	case m.vlan != 0, m.kind() == unix.PACKET_OTHERHOST && m.toGroup(c.segments.offset()):
		c.counters.tagged.Add(1)
	case m.kind() == unix.PACKET_OTHERHOST && !m.isTo(c.segments.offset(), c.station):
		c.counters.otherHost.Add(1)
	default:
		c.counters.received.Add(1)
		return true
	}
	return false
}

// overflows counts the frames that were lost until this one was queued.
func (c *Conn) overflows(m *message) {
	if m.losses {
		c.counters.overflow.Add(uint64(m.lost - c.receiver.lost))
		c.receiver.lost = m.lost
	}
}

// receiver holds what receiving needs from one call to the next, so that a call
// allocates nothing. It belongs to the reader.
type receiver struct {
	poll      func(fd uintptr) bool // the method try: a method value is an allocation
	batch     int
	frameSize int
	headers   []mmsghdr
	messages  []message

	want   int           // messages to receive in this call
	got    int           // messages received
	err    syscall.Errno // 0 if got is right
	waited bool          // nothing was there at first
	burst  bool          // something was there at once the last time
	down   bool          // the interface was down the last time: there is a deadline
	lost   uint32        // the last count of lost frames, modulo 2^32
}

func (r *receiver) init(batch, frameSize int) {
	r.poll = r.try
	r.batch = batch
	r.frameSize = frameSize
	r.makeRoom(1)
}

// makeRoom makes room for count messages. What a reader still has of the old
// room stays valid.
func (r *receiver) makeRoom(count int) {
	r.headers = make([]mmsghdr, count)
	r.messages = make([]message, count)
	buffer := make([]byte, count*r.frameSize)
	for i := range r.messages {
		r.messages[i].init(&r.headers[i], buffer[i*r.frameSize:][:r.frameSize])
	}
}

// prepare decides how many messages to receive. A single recvmsg has the least
// latency, and sparse ARP is what most interfaces see; recvmmsg pays when frames
// are waiting. That they are shows in the call before, which did not wait. The
// room for a batch is made when it is first needed: quiet interfaces never do.
func (r *receiver) prepare(room int) {
	r.want = 1
	if r.burst {
		r.want = min(room, r.batch)
		if r.want > len(r.messages) {
			r.makeRoom(r.batch)
		}
	}
	r.waited = false
}

// try makes one attempt to receive. It returns false if there is nothing: the
// runtime then waits and calls it again.
func (r *receiver) try(fd uintptr) bool {
	for i := range r.want {
		r.messages[i].reset()
	}
	for {
		if r.want == 1 {
			r.got, r.err = recvmsg(fd, &r.headers[0])
		} else {
			r.got, r.err = recvmmsg(fd, r.headers[:r.want])
		}
		switch r.err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			r.waited = true
			return false
		}
		r.burst = !r.waited && r.err == 0
		return true
	}
}
