//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// AddRoute adds a route; EEXIST if there is one with its Dst, Table and Metric.
// Table 0 is the main table, Type 0 unicast. A route without a gateway wants
// ScopeLink, or else no gateway can be reached through it. Of Flags only HopOnlink
// is the caller's.
func (c *Conn) AddRoute(r Route) error { return c.one(AddRouteOp(r)) }

// AddRouteOp is [Conn.AddRoute] for [Conn.Apply].
func AddRouteOp(r Route) Op {
	return routeOp("adding", unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, r)
}

// ReplaceRoute adds a route in place of the one with its Dst, Table and Metric.
func (c *Conn) ReplaceRoute(r Route) error {
	return c.one(routeOp("replacing", unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, r))
}

// DeleteRoute removes the first route that is as r says: Dst, Table (0: main) and
// Scope (ScopeNowhere: any), and what of the others is not zero. ESRCH if there is
// none.
func (c *Conn) DeleteRoute(r Route) error { return c.one(DeleteRouteOp(r)) }

// DeleteRouteOp is [Conn.DeleteRoute] for [Conn.Apply].
func DeleteRouteOp(r Route) Op { return routeOp("deleting", unix.RTM_DELROUTE, 0, r) }

// errNotIPv4 is a route that is not of IPv4.
var errNotIPv4 = errors.New("not an IPv4 route")

func routeOp(what string, typ, flags uint16, r Route) Op {
	op := Op{what: fmt.Sprintf("%s route to %v", what, r.Dst), typ: typ, flags: flags}
	if !r.Dst.Addr().Is4() || r.PrefSrc.IsValid() && !r.PrefSrc.Is4() {
		op.err = fmt.Errorf("%w: %w", errNotIPv4, unix.EAFNOSUPPORT)
		return op
	}
	op.build = func(m *builder) {
		kind := r.Type
		if kind == 0 && typ == unix.RTM_NEWROUTE {
			kind = RouteUnicast
		}
		m.rtmsg(rtmsg{
			bits:     r.Dst.Bits(),
			protocol: r.Protocol,
			scope:    r.Scope,
			typ:      kind,
			flags:    uint32(r.Flags & HopOnlink),
		})
		table := r.Table
		if table == 0 {
			table = TableMain
		}
		m.uint32(unix.RTA_TABLE, table)
		m.ipv4(unix.RTA_DST, r.Dst.Masked().Addr())
		if r.Metric != 0 {
			m.uint32(unix.RTA_PRIORITY, r.Metric)
		}
		if r.PrefSrc.IsValid() {
			m.ipv4(unix.RTA_PREFSRC, r.PrefSrc)
		}
		m.hops(&r)
	}
	return op
}

// hops appends the ways of a route: a nexthop object, several, or one.
func (m *builder) hops(r *Route) {
	switch {
	case r.HopID != 0:
		m.uint32(rtaNHID, r.HopID)
	case len(r.Hops) > 0:
		all := m.nest(unix.RTA_MULTIPATH)
		for _, h := range r.Hops {
			start := len(m.b)
			m.b = append(m.b, 0, 0, byte(h.Flags&HopOnlink), byte(max(h.Weight, 1)-1))
			m.b = binary.NativeEndian.AppendUint32(m.b, uint32(h.OIF))
			m.gateway(h.Gateway)
			binary.NativeEndian.PutUint16(m.b[start:], uint16(len(m.b)-start))
		}
		m.endNest(all)
	default:
		if r.OIF != 0 {
			m.uint32(unix.RTA_OIF, uint32(r.OIF))
		}
		m.gateway(r.Gateway)
	}
}

func (m *builder) gateway(ip netip.Addr) {
	switch {
	case ip.Is4():
		m.ipv4(unix.RTA_GATEWAY, ip)
	case ip.Is6(): // RFC 8950: an IPv4 route by an IPv6 router
		a := ip.As16()
		m.attr(unix.RTA_VIA, 2+len(a))
		m.b = binary.NativeEndian.AppendUint16(m.b, unix.AF_INET6)
		m.b = append(m.b, a[:]...)
		m.pad()
	}
}
