package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync"
	"time"
)

// Writer writes a capture. Its methods are safe for concurrent use.
type Writer struct {
	mu     sync.Mutex
	w      io.Writer
	buffer []byte // the record being written
	err    error  // of a failed write: what follows half a record is unreadable
}

// NewWriter begins a capture of frames of the link-layer type by writing the
// file header to w. Each frame is one Write on w, unbuffered, so that the capture
// can be a pipe into tcpdump(8). Closing w is left to the caller.
func NewWriter(w io.Writer, linktype uint32) (*Writer, error) {
	h := make([]byte, 0, fileHeaderLen)
	h = binary.LittleEndian.AppendUint32(h, magicNanoseconds)
	h = binary.LittleEndian.AppendUint16(h, versionMajor)
	h = binary.LittleEndian.AppendUint16(h, versionMinor)
	h = binary.LittleEndian.AppendUint32(h, 0) // zone: times are UTC
	h = binary.LittleEndian.AppendUint32(h, 0) // accuracy: 0 by convention
	h = binary.LittleEndian.AppendUint32(h, SnapLen)
	h = binary.LittleEndian.AppendUint32(h, linktype)
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("writing the header of a capture: %w", err)
	}
	return &Writer{w: w}, nil
}

// WriteFrame writes a frame that was seen at t; of a frame longer than [SnapLen]
// the beginning. It keeps nothing. The format has room for times from 1970 to
// February 2106, others are an error. After a failed write all further calls
// return its error.
func (w *Writer) WriteFrame(t time.Time, frame []byte) error {
	seconds := t.Unix()
	if seconds < 0 || seconds > math.MaxUint32 {
		return fmt.Errorf("writing to a capture: it cannot hold the time %v", t)
	}
	length := min(len(frame), SnapLen)

	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	b := w.buffer[:0]
	b = binary.LittleEndian.AppendUint32(b, uint32(seconds))
	b = binary.LittleEndian.AppendUint32(b, uint32(t.Nanosecond()))
	b = binary.LittleEndian.AppendUint32(b, uint32(length))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	b = append(b, frame[:length]...)
	w.buffer = b
	if _, err := w.w.Write(b); err != nil {
		w.err = fmt.Errorf("writing to a capture: %w", err)
	}
	return w.err
}
