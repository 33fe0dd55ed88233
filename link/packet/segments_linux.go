package packet

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/offload"
)

// The kernel gives a packet socket what a network card with offloads gives or
// gets: TCP of up to 64 KB as one frame, checksums that nobody has filled in (on
// veth, whose other end leaves both to the wire, always). A socket for IP has to
// know, so struct virtio_net_hdr stands before each of its frames.

const (
	// segmentFrameSize is room in bytes for a frame of the longest IPv4 packet
	// with its Ethernet and virtio_net_hdr headers.
	segmentFrameSize = offload.HeaderLen + ethernetHeaderLen + 1<<16
	// segmentBatch is Options.Batch: frames are large already.
	segmentBatch = 16

	ethernetHeaderLen = 14 // RFC 894
)

// segments is what a connection with Options.IP has besides.
type segments struct {
	on bool

	// Of the reader.
	cut    []byte   // frames that were cut
	frames [][]byte // of the last batch
	given  int      // of frames: how many ReadFrames has given

	// Guarded by sender.mu.
	merger  offload.Merger
	headers [segmentBatch][offload.HeaderLen]byte
	counts  [segmentBatch]int // frames in each message
}

// offset returns where in a message the frame begins.
func (s *segments) offset() int {
	if s.on {
		return offload.HeaderLen
	}
	return 0
}

// readSegments is ReadFrames with Options.IP.
func (c *Conn) readSegments(frames [][]byte) (n int, err error) {
	s := &c.segments
	for s.given == len(s.frames) {
		got, err := c.receive(segmentBatch)
		if err != nil {
			return 0, err
		}
		s.frames, s.cut, s.given = s.frames[:0], s.cut[:0], 0
		for i := range got {
			m := &c.receiver.messages[i]
			ok, err := c.check(m)
			if err != nil {
				return 0, err
			}
			if ok {
				s.take(c, m.frame())
			}
		}
	}
	n = copy(frames, s.frames[s.given:])
	s.given += n
	return n, nil
}

// take makes frames of the wire of one that was received.
func (s *segments) take(c *Conn, received []byte) {
	if len(received) < offload.HeaderLen {
		c.counters.truncated.Add(1)
		return
	}
	var h offload.Header
	h.Decode(received)
	var err error
	s.frames, s.cut, err = offload.Split(s.frames, s.cut, h, received[offload.HeaderLen:], ethernetHeaderLen)
	if err != nil {
		c.counters.unsupported.Add(1)
	}
}

// writeSegments is WriteFrames with Options.IP. sender.mu is held.
func (c *Conn) writeSegments(frames [][]byte) (n int, err error) {
	s := &c.sender
	for n < len(frames) {
		c.prepareSegments(frames[n:])
		err := c.raw.Write(s.poll)
		s.forget()
		for _, count := range c.segments.counts[:s.sent] {
			n += count
		}
		c.counters.sent.Add(uint64(s.sent))
		switch {
		case err != nil:
			return n, c.failed("sending on", err)
		case s.err != 0:
			return n, c.failed("sending on", s.err)
		}
	}
	return n, nil
}

// prepareSegments sets up the next system call: as many messages as there is
// room for, each of as many frames as make one.
func (c *Conn) prepareSegments(frames [][]byte) {
	s, g := &c.sender, &c.segments
	if s.headers == nil {
		s.headers = make([]mmsghdr, s.batch)
	}
	s.sent, s.err, s.want, s.iovs = 0, 0, 0, s.iovs[:0]
	var ends [segmentBatch]int // of each message in iovs
	for len(frames) > 0 && s.want < segmentBatch {
		n, header, parts := g.merger.Merge(frames, ethernetHeaderLen)
		header.Encode(g.headers[s.want][:])
		s.iovs = append(s.iovs, iovec(g.headers[s.want][:]))
		for _, part := range parts {
			s.iovs = append(s.iovs, iovec(part))
		}
		g.counts[s.want], ends[s.want] = n, len(s.iovs)
		s.want++
		frames = frames[n:]
	}
	start := 0 // the list is complete and does not move any more
	for i := range s.want {
		s.headers[i].Iov = &s.iovs[start]
		s.headers[i].SetIovlen(ends[i] - start)
		start = ends[i]
	}
}

// iovec returns b as the kernel takes it.
func iovec(b []byte) unix.Iovec {
	v := unix.Iovec{Base: unsafe.SliceData(b)}
	v.SetLen(len(b))
	return v
}
