package host

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
)

// proxied is the detection for an address of another host that is published on an
// interface (facts/solaris-arp-ipmp.md 2.2): whether somebody on this link has it.
// Until that is known, requests for it are not answered. It belongs to the address:
// an ordinary published entry and a published-only one have one together.
//
// A claim of the address in use is reported, and neither defended against nor given
// in to. It is no address of this host, so the IP side is told nothing.
type proxied struct{ machine }

// fire implements [timed].
func (p *proxied) fire(h *Host, now time.Time) { h.detectProxied(now, p, acd.Input{}) }

// detectProxied is detect for a published address.
func (h *Host) detectProxied(now time.Time, p *proxied, in acd.Input) (reply acd.Effect) {
	h.drive(now, &p.machine, in, func(e acd.Effect) {
		switch e.Action {
		case acd.Use:
			if e.Cause == acd.Cleared {
				h.lastHeard.forget(p.IP()) // who had it does not: it may ask for it
			}
		case acd.Announce:
			h.announcePublication(p.ifc, p.IP())
		case acd.Reply:
			reply = e
		case acd.Report:
			h.reportDetection(now, &p.machine, p.ifc.name, e)
		}
	})
	return reply
}

// offer is what follows when a published entry was set: it is probed first, where
// the change says so and the interface detects conflicts. Otherwise it is in force
// at once, and announced with mac if that is news.
func (h *Host) offer(now time.Time, ifc *Interface, c Change, mac lladdr.Addr, news bool) {
	if c.Probe && ifc.detecting {
		h.probePublished(now, ifc, c)
		return
	}
	news = news || !ifc.verified(c.IP)
	h.endDetection(now, ifc, c.IP)
	if news && !c.Known {
		h.announceAs(ifc, c.IP, mac)
	}
}

// probePublished probes a published address before it is answered for. One that is
// verified is not probed again but announced: once, or as often as a new one if it
// is said to be ours (facts 2.2, re-publishing).
func (h *Host) probePublished(now time.Time, ifc *Interface, c Change) {
	p := ifc.proxied[c.IP]
	if p == nil {
		p = &proxied{machine{Address: acd.New(ifc.detector, c.IP, acd.Policy{Proxied: true}), ifc: ifc}}
		p.timer.Value = p
		ifc.proxied[c.IP] = p
	}
	in := acd.Input{Kind: acd.Assign}
	switch {
	case !p.State().Usable():
	case c.Authority:
		p.Policy.Detect = acd.DetectAnnounce // this time
	default:
		in.Kind = acd.Adopt
	}
	h.detectProxied(now, p, in)
	p.Policy.Detect = acd.DetectProbe
}

// endDetection ends the detection for a published address.
func (h *Host) endDetection(now time.Time, ifc *Interface, ip netip.Addr) {
	if p := ifc.proxied[ip]; p != nil {
		h.detectProxied(now, p, acd.Input{Kind: acd.Release})
		delete(ifc.proxied, ip)
	}
}

// unpublished is when an address has lost one of its published entries.
func (h *Host) unpublished(ifc *Interface, ip netip.Addr) {
	if _, ok := h.publishedOn(ifc, ip); !ok {
		h.endDetection(time.Now(), ifc, ip)
	}
}

// Publication is an address of another host that is published on an interface with
// detection ([Change.Probe]).
type Publication struct {
	IP    netip.Addr
	State acd.State
	Owner lladdr.Addr // of one that is a duplicate, or recovering: who has it
}

// Publications returns the addresses that are published with detection, by address.
func (i *Interface) Publications() []Publication {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	var all []Publication
	for _, p := range i.watchedPublications() {
		all = append(all, Publication{IP: p.IP(), State: p.State(), Owner: p.Owner()})
	}
	return all
}

// verified reports whether an address that is published on an interface may be
// answered for.
func (i *Interface) verified(ip netip.Addr) bool {
	p := i.proxied[ip]
	return p == nil || p.State().Usable()
}

// announcePublication announces a published address, unless it has become the
// host's own: then the entry is not in force.
func (h *Host) announcePublication(ifc *Interface, ip netip.Addr) {
	if mac, ok := h.announceable(ifc, ip); ok && !h.ownsAnywhere(ip) {
		h.announceAs(ifc, ip, mac)
	}
}

// showProxied shows a packet to the machine of a published address. Who has the
// link-layer address that is answered with may have the address: that is what the
// entry says.
func (h *Host) showProxied(now time.Time, ifc *Interface, ip netip.Addr, packet arp.Packet) {
	p := ifc.proxied[ip]
	if p == nil {
		return
	}
	if mac, ok := h.publishedOn(ifc, ip); ok && mac == packet.SenderHW {
		return
	}
	h.detectProxied(now, p, acd.Input{Kind: acd.Hear, Packet: packet})
}

// resetProxied brings the published addresses in step with a change of DAD or of
// the mode. Without DAD they are in force at once; without ARP, those that are not
// verified wait until there is ARP again.
func (h *Host) resetProxied(now time.Time, ifc *Interface) {
	for _, p := range ifc.watchedPublications() {
		verified := p.State().Usable()
		switch {
		case ifc.detecting && verified:
			h.detectProxied(now, p, acd.Input{Kind: acd.Adopt})
		case ifc.detecting:
		default:
			h.endDetection(now, ifc, p.IP())
			if !verified {
				h.announcePublication(ifc, p.IP())
			}
		}
	}
}

// watchedPublications returns the published addresses with detection, by address.
func (i *Interface) watchedPublications() []*proxied {
	return slices.SortedFunc(maps.Values(i.proxied), func(a, b *proxied) int { return a.IP().Compare(b.IP()) })
}
