//go:build linux

package rtnl

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Op is a change of the kernel's tables that has yet to be made, by [Conn.Apply].
type Op struct {
	what       string // for errors: "adding address 192.0.2.1"
	typ, flags uint16
	build      func(*builder) // appends what follows the header
	err        error          // why there is nothing to ask for
}

// one makes one change.
func (c *Conn) one(op Op) error {
	if op.err != nil {
		return op.failed(op.err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	op.build(c.begin(op.typ, op.flags))
	if err := c.do(nil); err != nil {
		return op.failed(err)
	}
	return nil
}

func (op *Op) failed(err error) error { return fmt.Errorf("%s: %w", op.what, err) }

// Apply makes changes in order, in one datagram. The kernel goes through that
// while the process is in its system call, so that the death of the process, by
// SIGKILL too, comes before the first change or after the last. Changes of others
// may come in between. What the kernel refuses does not keep the changes after it
// from being made: the error is a *[BatchError] with an error for each. With
// another error it is unknown what was done, except that one of a change which
// makes no sense, such as an IPv6 address, means that nothing was.
//
// A datagram has room for about a thousand changes; more are EMSGSIZE.
func (c *Conn) Apply(ops ...Op) error {
	if len(ops) == 0 {
		return nil
	}
	for i := range ops {
		if ops[i].err != nil {
			return ops[i].failed(ops[i].err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.req.b = c.req.b[:0]
	first := c.seq + 1
	for i := range ops {
		c.next(ops[i].typ, ops[i].flags)
		ops[i].build(&c.req)
		if i == len(ops)-1 {
			c.req.setFlags(unix.NLM_F_ACK)
		}
		c.req.end()
	}
	var failed []OpError
	if err := c.batch(first, func(i int, err error) {
		failed = append(failed, OpError{Index: i, Err: ops[i].failed(err)})
	}); err != nil {
		return fmt.Errorf("making %d changes: %w", len(ops), err)
	}
	if failed != nil {
		return &BatchError{Total: len(ops), Failed: failed}
	}
	return nil
}
