package host

import (
	"net/netip"
	"slices"

	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

// loopback is where packets to an own address go, unless useloopback is 0. FreeBSD
// has lo0 there.
const loopback = "lo"

const (
	// hostFlags are those of every host route that FreeBSD makes below a network
	// (facts/freebsd-arp.md 2.5: UHLW).
	hostFlags = route.Up | route.Host | route.LLInfo | route.WasCloned
	// ownFlags are those of an own address.
	ownFlags = hostFlags | route.Local
	// broadcastFlags are those of the broadcast address of a network (UHLWb).
	broadcastFlags = hostFlags | route.Broadcast
)

// Routes returns the routing table: each network before its host routes, and the
// implicit networks, which are not shown, last. Those of own and of broadcast
// addresses are there without having been used; FreeBSD makes them when they are.
func (h *Host) Routes() []Route {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []Route
	for n := range h.routes.Networks() {
		ifc, name := h.byIndex(n.Interface), ""
		if ifc != nil {
			name = ifc.name
		}
		all = append(all, Route{Prefix: n.Prefix, Gateway: n.Gateway, Interface: name, Index: n.Interface, Metric: n.Metric, Flags: n.Flags})
		all = h.appendHosts(all, ifc, n)
	}
	for _, ifc := range h.interfaces {
		for _, n := range ifc.networks {
			if n.Implicit {
				all = h.appendHosts(all, ifc, n)
			}
		}
	}
	return all
}

// appendHosts appends the host routes in a network, by address.
func (h *Host) appendHosts(all []Route, ifc *Interface, n *route.Network[entry]) []Route {
	if ifc == nil || n.Clones() == nil {
		return all
	}
	start := len(all)
	add := func(ip netip.Addr, flags route.Flags, mac lladdr.Addr) *Route {
		all = append(all, Route{Prefix: netip.PrefixFrom(ip, 32), Interface: ifc.name, Index: ifc.index, Flags: flags, MAC: mac})
		return &all[len(all)-1]
	}
	in := func(ip netip.Addr) bool {
		m, ok := h.routes.LookupOn(ifc.index, ip)
		return ok && m == n
	}
	for ip, clone := range n.Clones().All() {
		add(ip, clone.Flags, clone.Entry.Addr()).Expires = clone.Entry.Expires()
	}
	for ip, p := range ifc.published {
		if in(ip) {
			add(ip, p.flags(), p.addr()).Expires = p.expires()
		}
	}
	for i, a := range ifc.addresses {
		if ip := a.Prefix.Addr(); in(ip) {
			r := add(ip, ownFlags, ifc.mac)
			if ifc.settings.UseLoopback {
				r.Interface = loopback
			}
		}
		broadcast, ok := broadcastOf(a.Prefix)
		first := slices.IndexFunc(ifc.addresses, func(b Address) bool { other, _ := broadcastOf(b.Prefix); return other == broadcast })
		if ok && first == i && in(broadcast) {
			add(broadcast, broadcastFlags, ifc.framing.Broadcast())
		}
	}
	slices.SortStableFunc(all[start:], func(a, b Route) int { return a.Prefix.Addr().Compare(b.Prefix.Addr()) })
	return all
}
