package cable

import (
	"fmt"
	"net"
	"sync"
	"syscall"
)

// Port is one host's plug in a cable. Its methods are safe for concurrent use, but
// it has one reader.
//
// When the hub ends, the port is one whose cable was pulled out: reading and
// writing fail with ENETDOWN. Each further read looks whether there is a hub
// again, and goes on if so.
type Port struct {
	path string

	mu     sync.Mutex
	conn   *conn // nil while there is no hub
	closed bool
}

// Dial plugs into the hub at path. The error wraps ENOENT or ECONNREFUSED if
// there is none, and EACCES if its socket is closed to this user.
func Dial(path string) (*Port, error) {
	p := &Port{path: path}
	if _, err := p.plugLocked(); err != nil {
		return nil, err
	}
	return p, nil
}

// plugLocked returns the connection to the hub, made again if need be. It does
// not wait: connecting to a Unix socket succeeds or fails at once.
func (p *Port) plugLocked() (*conn, error) {
	if p.conn != nil {
		return p.conn, nil
	}
	u, err := net.DialUnix(network, nil, &net.UnixAddr{Name: p.path, Net: network})
	if err != nil {
		return nil, fmt.Errorf("plugging into a cable: %w", err)
	}
	p.conn, err = newConn(u)
	return p.conn, err
}

// ReadFrames waits until there is a frame at least, fills frames with as many as
// are there and returns how many. They belong to the port and are valid until the
// next call. After Close the error wraps [net.ErrClosed]; without a hub it wraps
// ENETDOWN, and the next call tries again.
func (p *Port) ReadFrames(frames [][]byte) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	c, err := p.plug()
	if err != nil {
		return 0, fmt.Errorf("reading from the cable at %s: %w", p.path, err)
	}
	for {
		n, _, err := c.read(frames) // a hub passes no frame that is too long
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, fmt.Errorf("reading from the cable at %s: %w", p.path, p.unplug(c, err))
		}
	}
}

// plug is plugLocked for a port that may be closed.
func (p *Port) plug() (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	c, err := p.plugLocked()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", syscall.ENETDOWN, err)
	}
	return c, nil
}

// unplug forgets a connection that failed, and returns what that means.
func (p *Port) unplug(c *conn, cause error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	if p.conn == c {
		p.conn = nil
		c.close()
	}
	return fmt.Errorf("the hub is gone (%w): %w", cause, syscall.ENETDOWN)
}

// WriteFrames sends frames in order as far as there is room, without waiting for
// it, and returns how many it took. It keeps none. If the error is not nil it
// wraps [net.ErrClosed] after Close, ENETDOWN without a hub, EINVAL for an empty
// frame, or EMSGSIZE for one of more than [MaxFrame] bytes.
func (p *Port) WriteFrames(frames [][]byte) (int, error) {
	p.mu.Lock()
	c, closed := p.conn, p.closed
	p.mu.Unlock()
	switch {
	case closed:
		return 0, fmt.Errorf("writing to the cable at %s: %w", p.path, net.ErrClosed)
	case c == nil:
		return 0, fmt.Errorf("writing to the cable at %s: no hub: %w", p.path, syscall.ENETDOWN)
	}
	for n, frame := range frames {
		if len(frame) == 0 || len(frame) > MaxFrame {
			err := syscall.EINVAL
			if len(frame) > 0 {
				err = syscall.EMSGSIZE
			}
			return n, fmt.Errorf("writing a frame of %d bytes to a cable: %w", len(frame), err)
		}
		sent, err := c.write(frame)
		if err != nil {
			return n, fmt.Errorf("writing to the cable at %s: %w", p.path, p.unplug(c, err))
		}
		if !sent {
			return n, nil
		}
	}
	return len(frames), nil
}

// Close pulls the plug and wakes the reader.
func (p *Port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("closing a port of a cable: %w", net.ErrClosed)
	}
	p.closed = true
	if p.conn == nil {
		return nil
	}
	return p.conn.close()
}
