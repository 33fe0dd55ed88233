//go:build linux

package rtnl

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// RouteGet asks which route a packet of this host to dst takes, out of the
// interface oif if that is not 0: NextHop and PrefSrc, which is the source address
// it gets, are of this packet. Errors are the ones the sender would get:
// ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL.
//
// With oif and no route to dst out of it, the kernel takes dst to be on the link
// (ip_route_output_key_hash_rcu): Gateway is the zero Addr and Table is 0. Where
// oif is a VRF, the route is that of its table.
func (c *Conn) RouteGet(dst netip.Addr, oif int) (Route, error) {
	return c.routeGet(dst, netip.Addr{}, oif, 0)
}

// RouteForward asks what becomes of a packet from src to dst that comes in on the
// interface iif: NextHop is where it is forwarded to, and of Type RouteLocal or
// RouteBroadcast it is not forwarded. Rules of all kinds apply, and the table is
// that of the VRF of iif.
//
// The error is EHOSTUNREACH if iif does not forward, or for an unreachable route;
// ENETUNREACH without a route; EACCES for a prohibit route; EINVAL for a blackhole,
// and, EXDEV or EINVAL, if src cannot be the source of a packet on iif: because of
// rp_filter, because it is 0.0.0.0, or because it is an address of this host
// (ip_route_input_slow and fib_validate_source).
func (c *Conn) RouteForward(dst, src netip.Addr, iif int) (Route, error) {
	if !src.Is4() {
		return Route{}, fmt.Errorf("asking for the route from %v: %w: %w", src, errNotIPv4, unix.EAFNOSUPPORT)
	}
	return c.routeGet(dst, src, 0, iif)
}

func (c *Conn) routeGet(dst, src netip.Addr, oif, iif int) (Route, error) {
	if !dst.Is4() {
		return Route{}, fmt.Errorf("asking for the route to %v: %w: %w", dst, errNotIPv4, unix.EAFNOSUPPORT)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_GETROUTE, 0)
	// RTM_F_LOOKUP_TABLE: else Table is always main. Strict checking wants the
	// length of the source, too.
	sourceBits := 0
	if src.IsValid() {
		sourceBits = 32
	}
	m.rtmsg(rtmsg{bits: 32, sourceBits: sourceBits, flags: unix.RTM_F_LOOKUP_TABLE})
	m.ipv4(unix.RTA_DST, dst)
	if src.IsValid() {
		m.ipv4(unix.RTA_SRC, src)
	}
	if oif != 0 {
		m.uint32(unix.RTA_OIF, uint32(oif))
	}
	if iif != 0 {
		m.uint32(unix.RTA_IIF, uint32(iif))
	}
	var r Route
	found := false
	err := c.do(func(h header, payload []byte) { found = parseRoute(payload, &r) || found })
	if err == nil && !found {
		err = errMalformed
	}
	if err != nil {
		return Route{}, fmt.Errorf("asking for the route to %v: %w", dst, err)
	}
	return r, nil
}
