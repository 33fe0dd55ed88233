//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// RouteType is the RTN_* type of a route, linux/rtnetlink.h.
type RouteType uint8

// The types of IPv4 routes.
const (
	RouteUnicast     RouteType = unix.RTN_UNICAST
	RouteLocal       RouteType = unix.RTN_LOCAL // of this host
	RouteBroadcast   RouteType = unix.RTN_BROADCAST
	RouteMulticast   RouteType = unix.RTN_MULTICAST
	RouteBlackhole   RouteType = unix.RTN_BLACKHOLE
	RouteUnreachable RouteType = unix.RTN_UNREACHABLE
	RouteProhibit    RouteType = unix.RTN_PROHIBIT
	RouteThrow       RouteType = unix.RTN_THROW
)

// String returns the word of ip-route(8).
func (t RouteType) String() string {
	names := [...]string{"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("route type %d", uint8(t))
}

// NextHopFlags are the RTNH_F_* flags of a next hop, linux/rtnetlink.h.
type NextHopFlags uint8

// The flags of next hops. The last two are set by the kernel only.
const (
	HopOnlink   NextHopFlags = unix.RTNH_F_ONLINK // the gateway is there although no route says so
	HopDead     NextHopFlags = unix.RTNH_F_DEAD
	HopLinkDown NextHopFlags = unix.RTNH_F_LINKDOWN
)

// The tables the kernel makes, linux/rtnetlink.h.
const (
	TableDefault uint32 = unix.RT_TABLE_DEFAULT
	TableMain    uint32 = unix.RT_TABLE_MAIN
	TableLocal   uint32 = unix.RT_TABLE_LOCAL
)

// Protocols of routes made by the kernel, at boot and by the administrator,
// linux/rtnetlink.h. See also [ProtocolISAT].
const (
	ProtocolKernel = unix.RTPROT_KERNEL
	ProtocolBoot   = unix.RTPROT_BOOT // what ip-route(8) takes if not told
	ProtocolStatic = unix.RTPROT_STATIC
)

// NextHop is one way that a route has.
type NextHop struct {
	OIF     int        // index of the outgoing interface, 0: none
	Gateway netip.Addr // the zero Addr: the destination is on the link; may be IPv6 (RTA_VIA)
	Flags   NextHopFlags
	Weight  int // 1 to 256 in a multipath route, else 0
}

// Route is an IPv4 route.
type Route struct {
	Dst      netip.Prefix // masked; 0.0.0.0/0: default
	NextHop               // the first
	Hops     []NextHop    // all, if the route has several; else nil
	Table    uint32
	Protocol uint8 // of who made it
	Scope    Scope
	Type     RouteType
	PrefSrc  netip.Addr // source address for packets of this host, the zero Addr: not said
	Metric   uint32     // the lowest is taken first
	HopID    uint32     // of the nexthop object it uses, 0: none
	Cloned   bool       // an answer of RouteGet, not in a table
}

const (
	sizeofRtmsg     = 12 // struct rtmsg of linux/rtnetlink.h
	sizeofRtnexthop = 8  // struct rtnexthop of linux/rtnetlink.h
	rtaNHID         = 30 // RTA_NH_ID of linux/rtnetlink.h
)

// parseRoute reads struct rtmsg and its attributes into r. It returns false if the
// message is not about an IPv4 route.
func parseRoute(payload []byte, r *Route) bool {
	if len(payload) < sizeofRtmsg || payload[0] != unix.AF_INET || payload[1] > 32 {
		return false
	}
	flags := uint32At(payload, 8)
	*r = Route{
		Table:    uint32(payload[4]),
		Protocol: payload[5],
		Scope:    Scope(payload[6]),
		Type:     RouteType(payload[7]),
		Cloned:   flags&unix.RTM_F_CLONED != 0,
	}
	dst := netip.IPv4Unspecified()
	for a := attributesAfter(payload, sizeofRtmsg); a.next(); {
		switch a.typ {
		case unix.RTA_DST:
			dst = a.ipv4()
		case unix.RTA_OIF:
			r.OIF = int(a.uint32())
		case unix.RTA_GATEWAY, unix.RTA_VIA:
			r.Gateway = a.gateway()
		case unix.RTA_PREFSRC:
			r.PrefSrc = a.ipv4()
		case unix.RTA_PRIORITY:
			r.Metric = a.uint32()
		case unix.RTA_TABLE:
			r.Table = a.uint32() // the header has only tables up to 255
		case unix.RTA_MULTIPATH:
			r.Hops = parseHops(a.data)
		case rtaNHID:
			r.HopID = a.uint32()
		}
	}
	if !dst.IsValid() {
		return false
	}
	r.Flags = NextHopFlags(flags)
	if len(r.Hops) > 0 {
		r.NextHop = r.Hops[0]
	}
	r.Dst = netip.PrefixFrom(dst, int(payload[1])).Masked()
	return true
}

// parseHops reads the struct rtnexthop in RTA_MULTIPATH, each with attributes.
func parseHops(b []byte) []NextHop {
	var hops []NextHop
	for len(b) >= sizeofRtnexthop {
		n := int(binary.NativeEndian.Uint16(b))
		if n < sizeofRtnexthop || n > len(b) {
			break
		}
		h := NextHop{Flags: NextHopFlags(b[2]), Weight: int(b[3]) + 1, OIF: int(int32(uint32At(b, 4)))}
		for a := attributesAfter(b[:n], sizeofRtnexthop); a.next(); {
			if a.typ == unix.RTA_GATEWAY || a.typ == unix.RTA_VIA {
				h.Gateway = a.gateway()
			}
		}
		hops = append(hops, h)
		b = b[min(align(n), len(b)):]
	}
	return hops
}

// gateway reads RTA_GATEWAY, an IPv4 address, or RTA_VIA, which is a family of 16
// bits before an address.
func (a *attrs) gateway() netip.Addr {
	b := a.data
	if a.typ == unix.RTA_VIA {
		b = b[min(2, len(b)):]
	}
	ip, _ := netip.AddrFromSlice(b)
	return ip
}

// Routes returns the IPv4 routes of a table, of all tables if it is 0.
func (c *Conn) Routes(table uint32) ([]Route, error) { return c.RoutesBy(table, 0) }

// RoutesBy returns the IPv4 routes of a table that were made by protocol; 0 is all
// of both. It is the kernel that leaves the others out.
func (c *Conn) RoutesBy(table uint32, protocol uint8) ([]Route, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_GETROUTE, 0)
	m.rtmsg(rtmsg{protocol: protocol})
	if table != 0 {
		m.uint32(unix.RTA_TABLE, table)
	}
	routes := c.routes.list()
	err := c.dump(unix.RTM_NEWROUTE, func() { routes = routes[:0] }, func(payload []byte) {
		var r Route
		if parseRoute(payload, &r) && (table == 0 || r.Table == table) && (protocol == 0 || r.Protocol == protocol) {
			routes = append(routes, r)
		}
	})
	if err != nil && !(table != 0 && IsNotExist(err)) { // a table without routes is none
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	c.routes.was(routes)
	return routes, nil
}

// rtmsg is what requests have in struct rtmsg.
type rtmsg struct {
	bits       int
	sourceBits int
	protocol   uint8
	scope      Scope
	typ        RouteType
	flags      uint32
}

// rtmsg appends struct rtmsg for IPv4. The table goes into an attribute.
func (m *builder) rtmsg(r rtmsg) {
	m.b = append(m.b, unix.AF_INET, byte(r.bits), byte(r.sourceBits), 0, unix.RT_TABLE_UNSPEC, r.protocol, byte(r.scope), byte(r.typ))
	m.b = binary.NativeEndian.AppendUint32(m.b, r.flags)
}
