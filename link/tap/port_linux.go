package tap

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/tun"
)

const (
	// frameSize is the longest frame in bytes: what a TAP interface of the greatest
	// MTU has (tun_setup of the kernel's drivers/net/tun.c), with a VLAN tag.
	frameSize = 1<<16 + 14 + 4
	// batch is how many frames one call of ReadFrames reads at the most. Memory is
	// taken from frameSize only as far as it is written to.
	batch = 16
)

// Port is the program's end of a TAP interface. Its methods are safe for
// concurrent use, but it has one reader.
type Port struct {
	file   *os.File // non-blocking, so that Close wakes the reader
	raw    syscall.RawConn
	closed atomic.Bool
	buffer []byte // the reader's
}

// Open makes the TAP interface with the name, in the network namespace of the
// calling thread, down. The error wraps EBUSY if there is an interface of that
// name, EPERM without CAP_NET_ADMIN, and ENOENT or EACCES if /dev/net/tun cannot
// be opened.
func Open(name string) (*Port, error) {
	file, err := tun.Attach(name, unix.IFF_TAP)
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("making interface %s: %w", name, err)
	}
	return &Port{file: file, raw: raw, buffer: make([]byte, batch*frameSize)}, nil
}

// ReadFrames waits until the kernel has sent a frame at least, fills frames with
// as many as there are without waiting, and returns how many. They are valid until
// the next call. After Close the error wraps [net.ErrClosed]; if the interface was
// deleted it wraps ENXIO.
func (p *Port) ReadFrames(frames [][]byte) (n int, err error) {
	if len(frames) == 0 {
		return 0, nil
	}
	var failed error
	err = p.raw.Read(func(fd uintptr) bool {
		for n < min(len(frames), batch) {
			room := p.buffer[n*frameSize:][:frameSize:frameSize]
			length, err := unix.Read(int(fd), room)
			switch {
			case err == unix.EINTR:
				continue
			case err == unix.EAGAIN:
				return n > 0
			case err != nil:
				failed = err
				return true
			}
			frames[n] = room[:length]
			n++
		}
		return true
	})
	switch {
	case err != nil:
		err = unix.ENXIO // the poller finds an error on the file
	default:
		err = failed
	}
	if err != nil && n == 0 {
		return 0, p.failed("reading from", err)
	}
	return n, nil
}

// WriteFrames gives frames to the kernel in order and returns how many it took. It
// keeps none. The error is that of the first that it did not take: it wraps ENETDOWN
// if the interface is down, ENXIO if it was deleted, and [net.ErrClosed] after
// Close.
func (p *Port) WriteFrames(frames [][]byte) (n int, err error) {
	var failed error
	err = p.raw.Write(func(fd uintptr) bool {
		for n < len(frames) {
			_, err := unix.Write(int(fd), frames[n])
			switch {
			case err == unix.EINTR:
				continue
			case err != nil:
				failed = err
				return true
			}
			n++
		}
		return true
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return n, p.failed("writing to", err)
	}
	return n, nil
}

// Close removes the interface and wakes the reader.
func (p *Port) Close() error {
	if p.closed.Swap(true) {
		return fmt.Errorf("closing interface %s: %w", p.file.Name(), net.ErrClosed)
	}
	return p.file.Close()
}

// failed wraps an error. Those of the driver are not what callers expect: EIO of
// an interface that is down, EBADFD of one that is deleted (drivers/net/tun.c).
func (p *Port) failed(doing string, err error) error {
	switch {
	case p.closed.Load():
		err = net.ErrClosed
	case err == unix.EIO:
		err = unix.ENETDOWN
	case err == unix.EBADFD:
		err = unix.ENXIO
	}
	return fmt.Errorf("%s interface %s: %w", doing, p.file.Name(), err)
}
