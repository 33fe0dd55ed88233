package host

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

// Route is a network of the routing table, or a host route with its entry.
//
// Packets to a network with [route.Reject] are refused with EHOSTUNREACH, or
// EHOSTDOWN if it is a single address (facts/freebsd-arp.md 2.2 step 2); those to
// one with [route.Blackhole] vanish.
type Route struct {
	Prefix    netip.Prefix
	Gateway   netip.Addr // invalid if on the link
	Interface string     // the name
	Metric    uint32     // of networks with the same prefix the lowest wins
	Flags     route.Flags

	// Of listings only.
	Index   int         // of the interface
	MAC     lladdr.Addr // of a host route
	Expires time.Time   // of a host route, zero if it is permanent
}

// AddRoute adds a network that no address of an interface brings: one behind a
// gateway, or one on the link, such as 100.64.0.1/32 for a gateway outside every
// network. Of the flags only Reject and Blackhole are taken; the route gets Static.
// Without an interface it is the one whose network has the gateway.
//
// The error wraps EINVAL for what is no route, ENXIO for an unknown interface,
// EEXIST if there is one with the same prefix, interface and gateway, and
// ENETUNREACH if the gateway is in no network of the interface.
func (h *Host) AddRoute(r Route) error {
	h.mu.Lock()
	defer h.unlock()
	if err := h.addRoute(r); err != nil {
		return fmt.Errorf("adding the route to %v: %w", r.Prefix, err)
	}
	return nil
}

func (h *Host) addRoute(r Route) error {
	spec := route.Spec{Prefix: r.Prefix, Gateway: r.Gateway, Metric: r.Metric, Flags: r.Flags&discards | route.Static}
	ifc, err := h.routeInterface(r)
	if err != nil {
		return err
	}
	if ifc != nil {
		spec.Interface = ifc.index
	}
	if ifc == nil || spec.Gateway.IsValid() || spec.Flags&discards != 0 {
		_, err = h.routes.Add(spec)
		return err
	}
	spec.Flags |= route.Cloning
	return h.addNetwork(ifc, spec)
}

// discards are the flags of a route that leads nowhere.
const discards = route.Reject | route.Blackhole

// routeInterface returns the interface of a route; nil if it leads nowhere and
// names none.
func (h *Host) routeInterface(r Route) (*Interface, error) {
	if r.Interface != "" {
		for _, ifc := range h.interfaces {
			if ifc.name == r.Interface {
				return ifc, nil
			}
		}
		return nil, fmt.Errorf("no interface %q here: %w", r.Interface, syscall.ENXIO)
	}
	switch {
	case r.Flags&discards != 0:
		return nil, nil
	case !r.Gateway.IsValid():
		return nil, fmt.Errorf("it names neither interface nor gateway: %w", syscall.EINVAL)
	}
	n, ok := h.routes.Lookup(r.Gateway)
	if !ok || n.Clones() == nil {
		return nil, fmt.Errorf("gateway %v is in no network of this host: %w", r.Gateway, syscall.ENETUNREACH)
	}
	return h.byIndex(n.Interface), nil
}

// DeleteRoute deletes a network that [Host.AddRoute] has added, with the entries
// in it: the one with the prefix, the gateway, and the interface if one is named.
// The error wraps ESRCH if there is none, and EPERM for one that comes from an
// address of an interface.
func (h *Host) DeleteRoute(r Route) error {
	h.mu.Lock()
	defer h.unlock()
	err := error(syscall.ESRCH)
	for n := range h.routes.Networks() {
		ifc := h.byIndex(n.Interface)
		if n.Prefix != r.Prefix || n.Gateway != r.Gateway || r.Interface != "" && (ifc == nil || ifc.name != r.Interface) {
			continue
		}
		if err = h.deleteRoute(ifc, n); err == nil {
			return nil
		}
	}
	return fmt.Errorf("deleting the route to %v: %w", r.Prefix, err)
}

func (h *Host) deleteRoute(ifc *Interface, n *route.Network[entry]) error {
	if n.Flags&route.Static == 0 {
		return fmt.Errorf("it is that of an address of %s: %w", ifc.name, syscall.EPERM)
	}
	if err := h.routes.Delete(n); err != nil {
		return err
	}
	if ifc != nil {
		ifc.networks = slices.DeleteFunc(ifc.networks, func(m *route.Network[entry]) bool { return m == n })
		return h.setNetworks(ifc) // an address may have the same network
	}
	return nil
}

// isGroup reports whether ip is for all on a link: such packets have no gateway.
func isGroup(ip netip.Addr) bool { return ip.IsMulticast() || ip == limitedBroadcast }

// nextHop finds out where a packet goes. Hop.Network is nil for a blackhole.
func (h *Host) nextHop(to netip.Addr) (route.Hop[entry], error) {
	hop, ok := h.routes.NextHop(to)
	return h.checkHop(to, hop, ok)
}

// checkHop returns a hop that a lookup found, or why packets to an address cannot
// take it.
func (h *Host) checkHop(to netip.Addr, hop route.Hop[entry], ok bool) (route.Hop[entry], error) {
	switch {
	case !ok && hop.Route != nil:
		h.mu.Lock()
		if ifc := h.byIndex(hop.Route.Interface); ifc != nil {
			h.resolveFailed(time.Now(), ifc, hop.Addr, "route")
		}
		h.unlock()
		return hop, fmt.Errorf("gateway %v is in no network any more: %w", hop.Addr, syscall.ENETUNREACH)
	case !ok:
		h.mu.Lock()
		h.routes.Miss(to)
		h.unlock()
		return hop, fmt.Errorf("no route: %w", syscall.ENETUNREACH)
	case hop.Network == nil && hop.Route.Flags&route.Reject != 0:
		if hop.Route.Flags&route.Host != 0 {
			return hop, fmt.Errorf("a reject route: %w", syscall.EHOSTDOWN)
		}
		return hop, fmt.Errorf("a reject route: %w", syscall.EHOSTUNREACH)
	case hop.Gateway && isGroup(to):
		hop.Addr, hop.Gateway = to, false
	}
	return hop, nil
}
