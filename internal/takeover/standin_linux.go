package takeover

import (
	"math"
	"net/netip"
	"slices"

	"github.com/isat-project/isat/internal/rtnl"
)

// When a primary address goes, the kernel takes the routes of its secondaries out
// and puts them in again, and an address that changes its place goes for a moment
// itself. A packet that meets that moment is lost, and the routes whose preferred
// source is such an address are lost for good. So a copy of each route of the
// kernel's stands in meanwhile, with a metric that no other route has: with it the
// address is local throughout.

// standInMetric is the metric of a route that stands in for one of the kernel's.
const standInMetric = math.MaxUint32

// maxStandIns bounds how many there are, so that a datagram holds them. Beyond it
// packets can be lost.
const maxStandIns = 500

// standIns returns copies of the kernel's routes that the addresses stay of an
// interface have: local ones, and those to their networks.
func standIns(routes []rtnl.RouteImage, index int, stay []rtnl.Addr) []rtnl.Route {
	local, network := make(map[netip.Addr]bool), make(map[netip.Prefix]bool)
	for _, a := range stay {
		local[a.Local], network[a.Prefix] = true, true
	}
	var copies []rtnl.Route
	if len(stay) == 0 {
		return nil
	}
	for _, image := range routes {
		r := image.Route()
		if r.Protocol != rtnl.ProtocolKernel || r.OIF != index {
			continue
		}
		isLocal := r.Type == rtnl.RouteLocal && r.Dst.IsSingleIP() && local[r.Dst.Addr()]
		isNetwork := r.Type == rtnl.RouteUnicast && network[r.Dst]
		if !isLocal && !isNetwork {
			continue
		}
		c := rtnl.Route{
			Dst: r.Dst, NextHop: rtnl.NextHop{OIF: index}, Table: r.Table, Protocol: rtnl.ProtocolISAT,
			Scope: r.Scope, Type: r.Type, Metric: standInMetric,
		}
		known := slices.ContainsFunc(copies, func(o rtnl.Route) bool { return o.Dst == c.Dst && o.Table == c.Table })
		if !known {
			copies = append(copies, c)
		}
	}
	if len(copies) > maxStandIns {
		return nil
	}
	return copies
}

// isStandIn reports whether a route stands in for one of the kernel's.
func isStandIn(r rtnl.Route) bool {
	return r.Protocol == rtnl.ProtocolISAT && r.Metric == standInMetric
}

// amid returns changes of addresses with all that has to be around them, and how
// many requests come before them: the stand-ins, and promote_secondaries, without
// which the secondaries of an address that goes would go with it.
func (m *Manager) amid(index int, copies []rtnl.Route, changes []rtnl.Op) (ops []rtnl.Op, offset int) {
	var before, after []rtnl.Op
	if promotes, err := m.promotes(index); err == nil && !promotes {
		set := func(v int32) rtnl.Op {
			return rtnl.SetInetConfOp(index, map[rtnl.ConfKey]int32{rtnl.ConfPromoteSecondaries: v})
		}
		before, after = append(before, set(1)), append(after, set(0))
	}
	for _, c := range copies {
		before, after = append(before, rtnl.AddRouteOp(c)), append(after, rtnl.DeleteRouteOp(c))
	}
	return slices.Concat(before, changes, after), len(before)
}

// promotes reports whether promote_secondaries has an effect on an interface.
func (m *Manager) promotes(index int) (bool, error) {
	l, err := m.conn.Link(index)
	if err != nil || l.IPv4 == nil {
		return true, err
	}
	all, err := rtnl.AllInetConf()
	return rtnl.EffectiveConf(rtnl.ConfPromoteSecondaries, &all, l.IPv4) != 0, err
}
