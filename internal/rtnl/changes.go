//go:build linux

package rtnl

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Change is something that happened to the host's network: a [NeighbourChange],
// [LinkChange], [AddrChange], [RouteChange] or [ConfChange].
type Change interface{ change() }

// Origin is what every change carries.
type Origin struct {
	Deleted bool   // the thing is gone, and the value is what it was
	PortID  uint32 // of the socket whose request caused it, 0: the kernel's own doing (for links often 0 too)
}

// NeighbourChange is an entry made, changed or deleted. The kernel tells of its own
// changes of state except that to DELAY, which it makes when an entry that is
// STALE, or REACHABLE for too long, is used (__neigh_event_send); PROBE follows as
// a change and as a miss, REACHABLE if TCP confirms. Nor does it tell of ages.
type NeighbourChange struct {
	Origin
	Neighbour Neighbour
}

// LinkChange is an interface made, changed, moved or deleted. It also comes when
// what changed is not in Link.
type LinkChange struct {
	Origin
	Link Link
}

// AddrChange is an IPv4 address made, changed or deleted.
type AddrChange struct {
	Origin
	Addr Addr
}

// RouteChange is an IPv4 route of Type RouteLocal made, changed or deleted; of the
// others [Routing] tells. The kernel does not tell of the routes that go with an
// interface which goes down or away.
type RouteChange struct {
	Origin
	Route Route
}

// ConfChange is a change of net.ipv4.conf of an interface, "all" or "default" of
// which the kernel tells: forwarding, rp_filter, proxy_arp (netconf_notify in
// net/ipv4/devinet.c), and not arp_ignore, arp_filter, proxy_arp_pvlan, medium_id.
type ConfChange struct{ Origin }

func (NeighbourChange) change() {}
func (LinkChange) change()      {}
func (AddrChange) change()      {}
func (RouteChange) change()     {}
func (ConfChange) change()      {}

// Changes is a socket that receives changes. It has one reader.
type Changes struct {
	monitor
	batch []Change
	visit func(header, []byte)
}

// maxOwn bounds the port ids in the filter, whose jumps are short.
const maxOwn = 64

// DialChanges opens the socket, which needs no privilege. Changes of neighbours by
// the Conns with the port ids own, up to 64, are left out by the kernel; but a
// deletion comes even so, with PortID 0 (see [Action]).
func DialChanges(c Config, own ...uint32) (*Changes, error) {
	if len(own) > maxOwn {
		return nil, fmt.Errorf("subscribing to changes: %d own port ids: %w", len(own), unix.E2BIG)
	}
	s, err := openSocket(c, monitorBuffer)
	if err != nil {
		return nil, err
	}
	err = s.subscribe(changeFilter(own), unix.RTNLGRP_NEIGH, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_NETCONF)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("subscribing to changes: %w", err)
	}
	m := &Changes{monitor: monitor{socket: s, in: make([]byte, datagramLen)}}
	m.visit = m.add
	return m, nil
}

// Receive waits for a change and returns all there are, in their order, up to
// 4096. The slice is valid until the next call.
//
// With ErrOverrun changes were lost after those of the batch, which may be empty:
// everything has to be read again, after Receive has returned. Then later batches
// may repeat what the reading showed, but end with what is true.
//
// After Close it returns an error that is net.ErrClosed, after the deadline one
// that is os.ErrDeadlineExceeded.
func (m *Changes) Receive() ([]Change, error) {
	clear(m.batch) // they hold pointers
	m.batch = m.batch[:0]
	err := m.receive(m.visit)
	return m.batch, err
}

func (m *Changes) add(h header, payload []byte) {
	if c := parseChange(h, payload); c != nil {
		m.batch = append(m.batch, c)
	}
}

// parseChange returns nil for a message that is none of ours.
func parseChange(h header, payload []byte) Change {
	o := Origin{PortID: h.pid}
	switch h.typ {
	case unix.RTM_DELNEIGH, unix.RTM_DELLINK, unix.RTM_DELADDR, unix.RTM_DELROUTE:
		o.Deleted = true
	}
	switch h.typ {
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		c := NeighbourChange{Origin: o}
		if parseNeighbour(payload, &c.Neighbour) {
			return c
		}
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		c := LinkChange{Origin: o}
		if parseLink(payload, &c.Link) {
			return c
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		c := AddrChange{Origin: o}
		if parseAddr(payload, &c.Addr) {
			return c
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		c := RouteChange{Origin: o}
		if parseRoute(payload, &c.Route) {
			return c
		}
	case unix.RTM_NEWNETCONF:
		if len(payload) > 0 && payload[0] == unix.AF_INET {
			return ConfChange{Origin: o}
		}
	}
	return nil
}

// Emptied reports whether the last Receive has returned all that there was, and not
// only as many as it may.
func (m *Changes) Emptied() bool { return m.emptied }

// SetDeadline bounds how long Receive waits; the zero time: for ever.
func (m *Changes) SetDeadline(t time.Time) error { return m.socket.setDeadline(t) }

// Close closes the socket and wakes the reader.
func (m *Changes) Close() error { return m.socket.close() }
