//go:build linux

package rtnl

import (
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Routing is a socket that tells that the kernel's routing decisions may have
// changed, and not how: an IPv4 route, a rule or a nexthop object is another. It
// is apart from [Changes], because a router may change a million routes in a
// moment. It has one reader.
type Routing struct {
	socket *socket
	in     []byte
}

// routingBuffer has room for a few notifications: what finds none was to say the same,
// and costs the reader nothing.
const routingBuffer = 4 << 10

// DialRouting opens the socket, which needs no privilege.
func DialRouting(c Config) (*Routing, error) {
	s, err := openSocket(c, routingBuffer)
	if err != nil {
		return nil, err
	}
	// That there is a message is all that is to be known of it, so no more than its
	// header is copied.
	header := []bpf.Instruction{bpf.RetConstant{Val: unix.NLMSG_HDRLEN}}
	err = s.subscribe(header, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_NEXTHOP)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("subscribing to changes of routes: %w", err)
	}
	return &Routing{socket: s, in: make([]byte, unix.NLMSG_HDRLEN)}, nil
}

// Wait waits for a change. It takes up to 4096 together; notifications that were
// lost are changes too. After Close it returns an error that is net.ErrClosed.
func (r *Routing) Wait() error {
	for n := range maxBatch {
		_, err := r.socket.read(r.in, n == 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.ENOBUFS), err == nil:
		default:
			return err
		}
	}
	return nil
}

// Close closes the socket and wakes the reader.
func (r *Routing) Close() error { return r.socket.close() }
