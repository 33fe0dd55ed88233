package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Reader reads a capture: of either byte order, with times in microseconds or
// nanoseconds. It is not safe for concurrent use.
type Reader struct {
	r        io.Reader
	order    binary.ByteOrder
	unit     time.Duration // of the fraction of a second
	linktype uint32
	buffer   []byte
}

// NewReader reads the file header. Errors wrap [ErrFormat] if it is none, or are
// those of r. Reading is in small pieces: a file is best wrapped in a
// [bufio.Reader].
func NewReader(r io.Reader) (*Reader, error) {
	var h [fileHeaderLen]byte
	if n, err := io.ReadFull(r, h[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("capture of %d bytes: %w", n, ErrFormat)
		}
		return nil, fmt.Errorf("reading the header of a capture: %w", err)
	}
	c := &Reader{r: r}
	switch little, big := binary.LittleEndian.Uint32(h[:]), binary.BigEndian.Uint32(h[:]); {
	case little == magicNanoseconds:
		c.order, c.unit = binary.LittleEndian, time.Nanosecond
	case little == magicMicroseconds:
		c.order, c.unit = binary.LittleEndian, time.Microsecond
	case big == magicNanoseconds:
		c.order, c.unit = binary.BigEndian, time.Nanosecond
	case big == magicMicroseconds:
		c.order, c.unit = binary.BigEndian, time.Microsecond
	case big == magicNextGen:
		return nil, fmt.Errorf("capture is in the pcapng format (editcap -F nsecpcap converts it): %w", ErrFormat)
	default:
		return nil, fmt.Errorf("capture begins with %#08x: %w", big, ErrFormat)
	}
	if major := c.order.Uint16(h[4:]); major != versionMajor {
		return nil, fmt.Errorf("capture of format version %d: %w", major, ErrFormat)
	}
	// The upper half of the field is about frame check sequences, not the type.
	c.linktype = c.order.Uint32(h[20:]) & 0xffff
	return c, nil
}

// LinkType returns the link-layer type of the frames.
func (c *Reader) LinkType() uint32 { return c.linktype }

// ReadFrame returns the next frame and when it was seen. The frame is valid until
// the next call, and shorter than it was on the wire if the capture has only its
// beginning. At the end the error is [io.EOF] itself; a capture that ends within
// a frame gives [io.ErrUnexpectedEOF], a damaged one [ErrFormat], wrapped.
func (c *Reader) ReadFrame() (t time.Time, frame []byte, err error) {
	var h [frameHeaderLen]byte
	if _, err := io.ReadFull(c.r, h[:]); err != nil {
		if err == io.EOF {
			return time.Time{}, nil, io.EOF
		}
		return time.Time{}, nil, fmt.Errorf("reading the header of a captured frame: %w", err)
	}
	seconds, fraction := c.order.Uint32(h[0:]), c.order.Uint32(h[4:])
	length := c.order.Uint32(h[8:])
	if length > SnapLen {
		return time.Time{}, nil, fmt.Errorf("captured frame of %d bytes: %w", length, ErrFormat)
	}
	if cap(c.buffer) < int(length) {
		c.buffer = make([]byte, length)
	}
	frame = c.buffer[:length]
	if _, err := io.ReadFull(c.r, frame); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return time.Time{}, nil, fmt.Errorf("reading a captured frame of %d bytes: %w", length, err)
	}
	return time.Unix(int64(seconds), int64(fraction)*int64(c.unit)), frame, nil
}
