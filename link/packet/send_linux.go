package packet

import (
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// WriteFrames sends frames in order, without waiting for room, and returns how
// many the kernel took. It keeps none. If those are not all, the error is that of
// the first it did not take and wraps ENOBUFS or EAGAIN if the queue of the
// interface or of the socket is full, ENETDOWN if the interface is down, ENXIO if
// it is gone, EMSGSIZE or EINVAL if the frame is longer than the MTU or shorter
// than the link header, EPERM if the connection only observes, and
// [net.ErrClosed] after Close. An interface that is up but without carrier drops
// what it takes, which the kernel does not tell (tried).
func (c *Conn) WriteFrames(frames [][]byte) (n int, err error) {
	if c.observe {
		return 0, c.failed("observing, not sending on", unix.EPERM)
	}
	s := &c.sender
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.segments.on {
		return c.writeSegments(frames)
	}
	for n < len(frames) {
		s.prepare(frames[n:])
		err := c.raw.Write(s.poll)
		s.forget()
		c.counters.sent.Add(uint64(s.sent))
		n += s.sent
		switch {
		case err != nil:
			return n, c.failed("sending on", err)
		case s.err != 0:
			return n, c.failed("sending on", s.err)
		}
	}
	return n, nil
}

// sender holds what sending needs, so that a call allocates nothing.
type sender struct {
	mu      sync.Mutex            // guards all below; held over system calls that do not wait
	poll    func(fd uintptr) bool // the method try: a method value is an allocation
	batch   int                   // messages in one system call
	headers []mmsghdr             // made when more than one frame is sent at a time
	iovs    []unix.Iovec

	alone  bool // there is only one frame, and nothing before it: single
	single []byte
	want   int           // frames to send in this call
	sent   int           // frames sent
	err    syscall.Errno // of the first that was not sent, if the call failed
}

func (s *sender) init(batch int) {
	s.poll = s.try
	s.batch = batch
}

// prepare sets up the next system call.
func (s *sender) prepare(frames [][]byte) {
	s.sent, s.err = 0, 0
	s.want = min(len(frames), s.batch)
	if s.alone = s.want == 1; s.alone {
		s.single = frames[0]
		return
	}
	if s.headers == nil {
		s.headers = make([]mmsghdr, s.batch)
		s.iovs = make([]unix.Iovec, s.batch)
		for i := range s.headers {
			s.headers[i].Iov = &s.iovs[i]
			s.headers[i].SetIovlen(1)
		}
	}
	for i, frame := range frames[:s.want] {
		s.iovs[i] = unix.Iovec{}
		if len(frame) > 0 {
			s.iovs[i].Base = &frame[0]
			s.iovs[i].SetLen(len(frame))
		}
	}
}

// forget drops the frames, which are the caller's.
func (s *sender) forget() {
	s.single = nil
	clear(s.iovs)
}

// try makes the system call. It returns true whatever comes of it: the caller
// does not wait for room.
//
// sendmmsg that fails after the first message only returns how many it sent. The
// error shows in the next call, which begins with the message that failed.
func (s *sender) try(fd uintptr) bool {
	for {
		if s.alone {
			s.sent, s.err = send(fd, s.single)
		} else {
			s.sent, s.err = sendmmsg(fd, s.headers[:s.want])
		}
		if s.err != unix.EINTR {
			return true
		}
	}
}
