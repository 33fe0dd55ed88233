//go:build linux

package rtnl

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/lladdr"
)

// Action is what a [NeighbourOp] does.
type Action uint8

// The actions. The kernel tells RTNLGRP_NEIGH of them with the port id of the Conn,
// but deletions end with an RTM_DELNEIGH that carries 0, as the kernel's own do
// (neigh_cleanup_and_release), and of proxies it does not tell.
const (
	// Put makes the entry or changes the one there (NLM_F_CREATE|NLM_F_REPLACE).
	Put Action = iota
	// Add makes the entry; EEXIST if there is one (NLM_F_CREATE|NLM_F_EXCL).
	Add
	// Update changes the entry; ENOENT if there is none (NLM_F_REPLACE).
	Update
	// Claim takes the entry out of the kernel's garbage collection and its
	// accounting, with NTF_USE|NTF_EXT_LEARNED and the Protocol of the op; its MAC,
	// State and Flags are not used. ENOENT if there is none: it makes none.
	// Tried on Linux 6.18, app_solicit=1, what becomes of an entry in state
	//
	//	INCOMPLETE   INCOMPLETE: keeps its queue, timer and count of probes
	//	REACHABLE    REACHABLE, as it was
	//	STALE        DELAY: NTF_USE is a use, so that PROBE and a miss follow
	//	FAILED       INCOMPLETE: is resolved anew, with another miss
	//	NOARP        NOARP, as it was
	//	PERMANENT    INCOMPLETE without MAC, with a miss: the administrator's entry
	//	             is lost (__neigh_update clears NUD_PERMANENT on NTF_USE)
	//
	// It is for misses in state INCOMPLETE only.
	Claim
	// Delete removes the entry, also if it is PERMANENT; ENOENT if there is none.
	// Packets that wait are dropped.
	Delete
	// AddProxy makes the kernel answer for the address on the interface
	// (NTF_PROXY, `ip neigh add proxy`); MAC and State are not used.
	AddProxy
	// DeleteProxy removes what AddProxy made.
	DeleteProxy
)

// NeighbourOp is one change of the neighbour table.
type NeighbourOp struct {
	Action   Action
	Index    int
	IP       netip.Addr     // IPv4
	MAC      lladdr.Addr    // the zero Addr: none, or on Update as it was
	State    State          // StateFailed purges what waits, with an error to the senders
	Flags    NeighbourFlags // FlagExtLearned for entries that isat owns: a write without takes it off
	Protocol uint8          // 0: as it was
}

// batchLen is how many changes one datagram has: from 128 on, the costs of the
// datagram no longer show (BenchmarkWriteNeighbours), and the errors of as many
// find room in the receive buffer.
const batchLen = 128

// WriteNeighbours does the operations in order, up to 128 in one system call and
// with one acknowledgement. One that the kernel refuses does not keep those after
// it from being done: the error is a *[BatchError] with an error for each. Another
// error is of the socket, and leaves unknown which operations were done.
func (c *Conn) WriteNeighbours(ops []NeighbourOp) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var failed []OpError
	for done := 0; done < len(ops); done += batchLen {
		chunk := ops[done:min(done+batchLen, len(ops))]
		if err := c.writeNeighbours(chunk, func(i int, err error) {
			failed = append(failed, OpError{Index: done + i, Err: fmt.Errorf("neighbour %v: %w", chunk[i].IP, err)})
		}); err != nil {
			return fmt.Errorf("writing neighbours: %w", err)
		}
	}
	if failed != nil {
		return &BatchError{Total: len(ops), Failed: failed}
	}
	return nil
}

func (c *Conn) writeNeighbours(ops []NeighbourOp, fail func(i int, err error)) error {
	c.req.b = c.req.b[:0]
	first := c.seq + 1
	for i := range ops {
		c.neighbourOp(&ops[i], i == len(ops)-1)
	}
	return c.batch(first, fail)
}

// neighbourOp appends the request of one operation. An address that is not IPv4
// becomes a request without one, which the kernel refuses with the words for it.
func (c *Conn) neighbourOp(op *NeighbourOp, last bool) {
	typ, flags := uint16(unix.RTM_NEWNEIGH), uint16(0)
	state, ntf, mac := op.State, op.Flags, op.MAC
	switch op.Action {
	case Put:
		flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	case Add:
		flags = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	case Update:
		flags = unix.NLM_F_REPLACE
	case Claim:
		state, ntf, mac = StateNone, FlagUse|FlagExtLearned, lladdr.Addr{}
	case Delete:
		typ, state, ntf, mac = unix.RTM_DELNEIGH, StateNone, 0, lladdr.Addr{}
	case AddProxy:
		flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
		state, ntf, mac = StatePermanent, op.Flags|FlagProxy, lladdr.Addr{}
	case DeleteProxy:
		typ, state, ntf, mac = unix.RTM_DELNEIGH, StateNone, FlagProxy, lladdr.Addr{}
	}
	if last {
		flags |= unix.NLM_F_ACK
	}
	c.next(typ, flags)
	m := &c.req
	m.ndmsg(op.Index, state, ntf)
	if op.IP.Is4() {
		m.ipv4(unix.NDA_DST, op.IP)
	}
	if mac.IsValid() {
		m.mac(unix.NDA_LLADDR, mac)
	}
	if op.Protocol != 0 && typ == unix.RTM_NEWNEIGH {
		m.uint8(ndaProtocol, op.Protocol)
	}
	m.end()
}
