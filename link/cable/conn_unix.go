//go:build unix

package cable

import (
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// readBuffer is how many bytes one read returns at most: a long frame, and a
// batch of short ones behind it.
const readBuffer = 2 * (MaxFrame + 1)

// conn is one end of a connection between port and hub. It has one reader, and
// write is safe for concurrent use.
type conn struct {
	unix   *net.UnixConn
	raw    syscall.RawConn
	buffer []byte // what was read
}

func newConn(c *net.UnixConn) (*conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("reaching the socket of a cable: %w", err)
	}
	return &conn{unix: c, raw: raw, buffer: make([]byte, readBuffer)}, nil
}

// read waits until there is a frame, fills frames with as many as are there and
// room is for, and returns how many. They are valid until the next call. If there
// is a frame that is too long it is thrown away, and long is true; n may be 0
// then. The error is [io.EOF] when the other end is gone.
func (c *conn) read(frames [][]byte) (n int, long bool, err error) {
	var failed error
	room := c.buffer
	err = c.raw.Read(func(fd uintptr) (done bool) {
		for n < len(frames) && len(room) > MaxFrame {
			// A byte more than a frame has: what does not fit is cut silently.
			length, err := unix.Read(int(fd), room[:MaxFrame+1])
			switch {
			case err == unix.EINTR:
				continue
			case err == unix.EAGAIN:
				return n > 0
			case err != nil:
				failed = err
				return true
			case length <= 0:
				failed = io.EOF
				return true
			case length > MaxFrame:
				long = true
				return true
			}
			frames[n] = room[:length:length]
			room = room[length:]
			n++
		}
		return true
	})
	if err == nil && n == 0 {
		err = failed // else it comes again
	}
	return n, long, err
}

// write sends a frame, and reports whether there was room.
func (c *conn) write(frame []byte) (sent bool, err error) {
	var failed error
	err = c.raw.Write(func(fd uintptr) bool {
		_, failed = unix.Write(int(fd), frame)
		for failed == unix.EINTR {
			_, failed = unix.Write(int(fd), frame)
		}
		return true // whether there is room is not waited for
	})
	switch {
	case err != nil:
		return false, err
	case failed == unix.EAGAIN || failed == unix.ENOBUFS:
		return false, nil
	}
	return failed == nil, failed
}

func (c *conn) close() error { return c.unix.Close() }
