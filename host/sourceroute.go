package host

import (
	"net/netip"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

// Source routes of Token Ring (facts/freebsd-arp.md 3.3 step 12 and 5.1). The
// route that an ARP packet came by, turned round, is kept with the entry of its
// sender and leads the frames that go there. Broadcast frames have none: they stay
// on the ring.

// hasSourceRoutes reports whether frames of the medium carry source routes: only
// those of Token Ring do.
func (i *Interface) hasSourceRoutes() bool { return i.framing.HardwareType() == arp.IEEE802 }

// setRoute keeps the way to the address of which the sender of a packet says that
// it is its own. A permanent entry and one that says more than an address do not
// change theirs, but that station's word on where it is counts, as in FreeBSD: an
// administrator has no means to say it.
func (e *entry) setRoute(mac lladdr.Addr, r link.SourceRoute) {
	switch {
	case (e.State() == cache.Permanent || e.ordered()) && e.Addr() != mac, r == e.sourceRoute():
	case r.IsZero():
		e.route.Store(nil)
	default:
		kept := r // only here is one allocated
		e.route.Store(&kept)
	}
}

// sourceRoute returns the way to the address of an entry.
func (e *entry) sourceRoute() link.SourceRoute {
	if r := e.route.Load(); r != nil {
		return *r
	}
	return link.SourceRoute{}
}

// sourceRoute returns the way to an address in a network, as lookup its
// link-layer address. It takes no lock.
func sourceRoute(n *route.Network[entry], ip netip.Addr) link.SourceRoute {
	clone, ok := n.Clones().Get(route.Key(ip))
	if !ok {
		return link.SourceRoute{}
	}
	return clone.Entry.sourceRoute()
}
