//go:build linux

package rtnl

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/lladdr"
)

// Miss is a call of the kernel for a program to find a neighbour's address, which
// it makes on interfaces with app_solicit above 0, once the unicast solicitations
// of the state are used up (`ip monitor neigh`: "miss").
type Miss struct {
	Index    int // of the interface
	IP       netip.Addr
	State    State          // StateIncomplete: packets wait; StateProbe: in use, and MAC wants to be confirmed
	Flags    NeighbourFlags // of the entry
	Protocol uint8          // of who made the entry
	MAC      lladdr.Addr    // in StateProbe
}

// Misses is a socket that receives misses, and nothing else of its group. It has
// one reader.
type Misses struct {
	monitor
	batch []Miss
	visit func(header, []byte)
}

// DialMisses opens the socket, which needs no privilege.
func DialMisses(c Config) (*Misses, error) {
	s, err := openSocket(c, monitorBuffer)
	if err != nil {
		return nil, err
	}
	if err := s.subscribe(missFilter(), unix.RTNLGRP_NEIGH); err != nil {
		s.close()
		return nil, fmt.Errorf("subscribing to misses: %w", err)
	}
	m := &Misses{monitor: monitor{socket: s, in: make([]byte, datagramLen)}}
	m.visit = m.add // once, so that Receive does not allocate
	return m, nil
}

// Receive waits for a miss and returns all there are, up to 4096. The slice is
// valid until the next call.
//
// With ErrOverrun misses were lost. The batch, which may be empty, is what was
// there and as good as ever. Those lost are entries of the table in state
// INCOMPLETE or PROBE.
//
// After Close it returns an error that is net.ErrClosed, after the deadline one
// that is os.ErrDeadlineExceeded.
func (m *Misses) Receive() ([]Miss, error) {
	m.batch = m.batch[:0]
	err := m.receive(m.visit)
	return m.batch, err
}

func (m *Misses) add(h header, payload []byte) {
	var n Neighbour
	if h.typ == unix.RTM_GETNEIGH && parseNeighbour(payload, &n) {
		m.batch = append(m.batch, Miss{Index: n.Index, IP: n.IP, State: n.State, Flags: n.Flags, Protocol: n.Protocol, MAC: n.MAC})
	}
}

// SetDeadline bounds how long Receive waits; the zero time: for ever.
func (m *Misses) SetDeadline(t time.Time) error { return m.socket.setDeadline(t) }

// Close closes the socket and wakes the reader.
func (m *Misses) Close() error { return m.socket.close() }
