//go:build linux

package rtnl

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Conn is a socket to ask the kernel and to change its tables. It is safe for
// concurrent use; requests are done one after the other.
type Conn struct {
	mu     sync.Mutex // held for a request and its answer; guards what follows
	socket *socket
	req    builder // the present request
	in     []byte  // the present datagram of the answer
	seq    uint32
	addrs  expected[Addr]
	routes expected[Route]
}

// expected is how long a dump was the last time. The next one gets a list that is
// long enough: one that grows to ten thousand leaves five times its size behind.
type expected[T any] struct{ n int }

// list returns an empty list with room for what is expected.
func (e *expected[T]) list() []T { return make([]T, 0, e.n+e.n/8) }

func (e *expected[T]) was(list []T) { e.n = len(list) }

// Dial opens a socket for requests. What requires CAP_NET_ADMIN is said by the
// kernel at the request, with EPERM.
func Dial(c Config) (*Conn, error) {
	s, err := openSocket(c, requestBuffer)
	if err != nil {
		return nil, err
	}
	return &Conn{socket: s, in: make([]byte, datagramLen)}, nil
}

// Close closes the socket. A request under way returns an error that is
// net.ErrClosed; what it asked for may have been done.
func (c *Conn) Close() error { return c.socket.close() }

// PortID returns the number that notifications of what this Conn changes carry.
func (c *Conn) PortID() uint32 { return c.socket.conn.PID() }

// begin starts a request in the empty buffer.
func (c *Conn) begin(typ, flags uint16) *builder {
	c.req.b = c.req.b[:0]
	c.next(typ, flags)
	return &c.req
}

// next starts a further request in the same datagram and returns its sequence
// number.
func (c *Conn) next(typ, flags uint16) uint32 {
	c.seq++
	c.req.begin(typ, unix.NLM_F_REQUEST|flags, c.seq)
	return c.seq
}

// do sends the request, which has one message with NLM_F_ACK, and waits for the
// acknowledgement. Messages before it, of NLM_F_ECHO or of RTM_GET*, go to visit,
// if not nil.
func (c *Conn) do(visit func(h header, payload []byte)) error {
	c.req.setFlags(unix.NLM_F_ACK)
	c.req.end()
	if err := c.socket.write(c.req.b); err != nil {
		return err
	}
	for {
		n, err := c.socket.read(c.in, true)
		if err != nil {
			return err
		}
		b := c.in[:n]
		for len(b) > 0 {
			h, payload, rest, ok := nextMessage(b)
			switch {
			case !ok:
				return fmt.Errorf("answer of %d bytes: %w", n, errMalformed)
			case h.seq != c.seq: // the rest of an answer that was given up
			case h.typ == unix.NLMSG_ERROR:
				return parseError(payload, h.flags, false)
			case visit != nil:
				visit(h, payload)
			}
			b = rest
		}
	}
}

// maxDumps bounds how often an inconsistent dump is begun again.
const maxDumps = 5

// dump sends the request, of which the kernel gives a table, and calls visit for
// each message of typ. When the kernel could not make the dump consistent, it
// begins again, after a call of again, in which the caller forgets what it had.
func (c *Conn) dump(typ uint16, again func(), visit func(payload []byte)) error {
	c.req.setFlags(unix.NLM_F_DUMP)
	c.req.end()
	for range maxDumps {
		consistent, err := c.dumpOnce(typ, visit)
		if err != nil || consistent {
			return err
		}
		again()
		c.seq++
		c.req.setSeq(c.seq)
	}
	return ErrInterrupted
}

func (c *Conn) dumpOnce(typ uint16, visit func(payload []byte)) (consistent bool, err error) {
	if err := c.socket.write(c.req.b); err != nil {
		return false, err
	}
	consistent = true
	for {
		n, err := c.socket.read(c.in, true)
		if err != nil {
			return false, err
		}
		b := c.in[:n]
		for len(b) > 0 {
			h, payload, rest, ok := nextMessage(b)
			if !ok {
				return false, fmt.Errorf("dump of %d bytes: %w", n, errMalformed)
			}
			b = rest
			if h.seq != c.seq {
				continue
			}
			if h.flags&unix.NLM_F_DUMP_INTR != 0 {
				consistent = false
			}
			switch h.typ {
			case unix.NLMSG_ERROR, unix.NLMSG_DONE:
				// NLMSG_DONE has the status too; both end the dump.
				return consistent, parseError(payload, h.flags, h.typ == unix.NLMSG_DONE)
			case typ:
				visit(payload)
			}
		}
	}
}

// batch sends the requests in one datagram, the last of which the caller gave
// NLM_F_ACK, and calls fail for each that the kernel refused: it tells of
// refusals whether asked for an acknowledgement or not, and goes on with the next
// request (netlink_rcv_skb). first is the sequence number of the first.
func (c *Conn) batch(first uint32, fail func(i int, err error)) error {
	if err := c.socket.write(c.req.b); err != nil {
		return err
	}
	for {
		n, err := c.socket.read(c.in, true)
		if err != nil {
			return err
		}
		b := c.in[:n]
		for len(b) > 0 {
			h, payload, rest, ok := nextMessage(b)
			if !ok {
				return fmt.Errorf("answer of %d bytes: %w", n, errMalformed)
			}
			b = rest
			if h.typ != unix.NLMSG_ERROR || h.seq-first > c.seq-first {
				continue
			}
			if err := parseError(payload, h.flags, false); err != nil {
				fail(int(h.seq-first), err)
			}
			if h.seq == c.seq {
				return nil
			}
		}
	}
}
