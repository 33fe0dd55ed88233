package ioctl

import (
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// Conn is a connection to ioctl.sock. Its methods are safe for concurrent use; one
// request is under way at a time.
type Conn struct {
	mu   sync.Mutex
	conn *net.UnixConn
}

// Dial connects to the socket at path: /run/isat/ioctl.sock, unless the
// configuration of the daemon has another directory. ENOENT and ECONNREFUSED mean
// that no daemon is there.
func Dial(path string) (*Conn, error) {
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, fmt.Errorf("connecting for ARP ioctls: %w", err)
	}
	return &Conn{conn: c}, nil
}

// Do sends the struct of a command, on behalf of a socket of the address family,
// and returns the struct of the answer: that of a GET, nothing otherwise. A nil arg
// asks whether the caller may, and no more. The error wraps the errno of the
// answer, and EPROTO if that is none.
func (c *Conn) Do(cmd Command, family uint32, arg []byte) ([]byte, error) {
	answer, err := c.exchange(Request{Command: cmd, Family: family, Arg: arg}.AppendTo(nil))
	if err == nil && answer.Errno != 0 {
		err = answer.Errno
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", cmd, err)
	}
	return answer.Arg, nil
}

// exchange sends a packet and reads the answer.
func (c *Conn) exchange(packet []byte) (Answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.conn.Write(packet); err != nil {
		return Answer{}, err
	}
	b := make([]byte, MaxAnswer)
	n, _, flags, _, err := c.conn.ReadMsgUnix(b, nil)
	switch {
	case err != nil:
		return Answer{}, err
	case flags&syscall.MSG_TRUNC != 0:
		return Answer{}, fmt.Errorf("answer of more than %d bytes: %w", MaxAnswer, syscall.EPROTO)
	}
	return ParseAnswer(b[:n])
}

// SetDeadline bounds what is under way and what comes; the zero time has no bound.
// After one was missed the connection is of no use: an answer may still come.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// Close closes the connection.
func (c *Conn) Close() error { return c.conn.Close() }
