package tun

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/offload"
)

// writer holds what writing needs from one call to the next, so that a call
// allocates nothing.
type writer struct {
	poll   func(fd uintptr) bool // the method try: a method value is an allocation
	merger offload.Merger
	header [offload.HeaderLen]byte
	iovs   []unix.Iovec
	err    syscall.Errno
}

func (w *writer) init(*Device) { w.poll = w.try }

// WritePackets gives packets to the kernel, which takes them as received.
// Consecutive segments of a TCP connection go as one; the headers of packets may be
// changed for that. It does not keep them. What the kernel refuses is counted and
// no error: the device may be down. After Close the error wraps [net.ErrClosed]; if
// somebody has deleted the device it wraps ENXIO.
func (d *Device) WritePackets(packets [][]byte) error {
	w := &d.writer
	for len(packets) > 0 {
		n, header, parts := w.merger.Merge(packets, 0)
		w.prepare(header, parts)
		if err := d.raw.Write(w.poll); err != nil {
			return d.failed("writing to", err)
		}
		d.counts.writes.Add(1)
		switch {
		case w.err == 0:
			d.counts.written.Add(uint64(n))
		case errors.Is(w.err, unix.EBADFD):
			return d.failed("writing to", unix.ENXIO) // somebody has deleted the device
		default:
			d.counts.refused.Add(uint64(n))
		}
		packets = packets[n:]
	}
	return nil
}

func (w *writer) prepare(header offload.Header, parts [][]byte) {
	header.Encode(w.header[:])
	head := unix.Iovec{Base: &w.header[0]}
	head.SetLen(len(w.header))
	w.iovs = append(w.iovs[:0], head)
	for _, p := range parts {
		iov := unix.Iovec{Base: unsafe.SliceData(p)}
		iov.SetLen(len(p))
		w.iovs = append(w.iovs, iov)
	}
}

// try makes the system call. A TUN device always has room.
func (w *writer) try(fd uintptr) bool {
	for {
		_, _, w.err = unix.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(unsafe.SliceData(w.iovs))), uintptr(len(w.iovs)))
		if w.err != unix.EINTR {
			clear(w.iovs) // the packets are the caller's
			return true
		}
	}
}
