package proxy

import (
	"net/netip"
	"time"

	"github.com/isat-project/isat/lladdr"
)

// Decide decides on a request. It takes no lock, allocates nothing and asks a
// question of host or router only when a step needs the answer: router is last.
// router may be nil where proxyall and proxy_arp are never set.
//
// If the verdict is [Wait], decide on the same request again when the routing
// decision has come, with the [Routes] as the router.
func (r *Rules) Decide(now time.Time, request Request, host Host, router Router) Decision {
	i := inquiry{Decision: Decision{Request: request}, now: now, rules: r.load(), host: host, router: router}
	_ = i.target() || i.own() || i.published() || i.prefix() || i.proxyARP() || i.proxyAll()
	return i.Decision
}

// inquiry is a decision under way. Its methods are the steps, and each reports
// whether it is the last. They call each other directly, not through a table:
// that would put the inquiry on the heap.
type inquiry struct {
	Decision
	now       time.Time
	rules     *set
	host      Host
	router    Router
	state     RouteState // what the router last said; Known: Routes has it
	elsewhere bool       // the target has a published entry, but not on this interface
}

// found notes what a step found and reports whether that ends the inquiry.
func (i *inquiry) found(why Reason) (final bool) {
	o := &outcomes[why]
	i.findings[o.step] = why
	i.Reason, i.Verdict = why, o.verdict
	return o.final
}

// answer is found, for an answer with a link-layer address.
func (i *inquiry) answer(why Reason, mac lladdr.Addr) (final bool) {
	i.MAC = mac
	return i.found(why)
}

// auto returns mac, or the interface's own address if there is none.
func (i *inquiry) auto(mac lladdr.Addr) lladdr.Addr {
	if mac.IsValid() {
		return mac
	}
	return i.host.LinkAddr()
}

// limitedBroadcast is 255.255.255.255.
var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// target keeps a rule for a large prefix, or the default route, from answering
// for what is no host. Of the reserved addresses 240.0.0.0/4 all but one are in
// use as those of hosts: Linux takes them.
func (i *inquiry) target() bool {
	if ip := i.Request.TargetIP; !ip.Is4() || ip.IsUnspecified() || isNoHost(ip) {
		return i.found(TargetNoHost)
	}
	return i.found(TargetHost)
}

// isNoHost reports whether no host has an IPv4 address on a link.
func isNoHost(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsMulticast() || ip == limitedBroadcast
}

// own comes first. An own address that the interface keeps to itself is not
// proxied for either: that would undo arp_ignore, and answer for an address
// before it is verified. (FreeBSD's proxyall answers for those of other
// interfaces; so does isat, unless arp_ignore says otherwise.)
func (i *inquiry) own() bool {
	switch ownership, mac := i.host.Own(i.Request); ownership {
	case Owned:
		return i.answer(OwnAnswer, i.auto(mac))
	case Withheld:
		return i.found(OwnWithheld)
	case Broadcast:
		return i.found(OwnBroadcast)
	}
	return i.found(OwnForeign)
}

// published is arp -s with pub: for any sender, probes included.
func (i *inquiry) published() bool {
	publication, mac := i.host.Published(i.Request.TargetIP)
	switch publication {
	case PublishedHere:
	case PublishedUnverified:
		return i.found(PublishedWithheld)
	default:
		i.elsewhere = publication == PublishedElsewhere
		return i.found(PublishedNone)
	}
	mac = i.auto(mac)
	if i.ownerAsks(mac) {
		return i.found(PublishedOwner)
	}
	return i.answer(PublishedAnswer, mac)
}

// prefix is a rule for the interface. It is more than an entry for another
// interface and less than one for this: it names the interface, but not the host.
func (i *inquiry) prefix() bool {
	rule := i.rules.lookup(i.Request.Interface, i.Request.TargetIP)
	if rule == nil {
		return i.found(PrefixNone)
	}
	i.Prefix = rule.Prefix
	mac := i.auto(rule.MAC)
	switch {
	case rule.denies(i.Request.SenderIP):
		return i.found(PrefixDenied)
	case rule.MAC.IsValid() && !i.host.IsStation(mac):
		return i.found(PrefixMedium)
	case i.Request.IsProbe() && !i.host.Settings().ProxyProbes:
		return i.found(PrefixProbe)
	case i.ownerAsks(mac):
		return i.found(PrefixOwner)
	}
	return i.answer(PrefixAnswer, mac)
}

// proxyARP is Linux' rule of that name: arp_fwd_proxy of net/ipv4/arp.c, and the
// exception for probes there. It does not look at the route back. Where the switch
// is off nothing is found: it is none of arp(4)'s rules.
func (i *inquiry) proxyARP() bool {
	switch {
	case !i.host.Settings().ProxyARP:
		return false
	case i.Request.IsProbe():
		return i.found(ARPProbe)
	case i.ownerAsks(lladdr.Addr{}):
		return i.found(ARPOwner)
	}
	if i.routed(ARPUnknown, ARPLimited) {
		return true
	}
	switch i.Routes.To {
	case "":
		return i.found(ARPNoRoute)
	case i.Request.Interface:
		return i.found(ARPSameLink)
	}
	return i.answer(ARPAnswer, i.host.LinkAddr())
}

// proxyAll answers for what is behind another interface. Both directions are
// checked: the second keeps "ARP chaos" away where an interface is connected to
// the wrong network (the comment in FreeBSD's if_ether.c).
func (i *inquiry) proxyAll() bool {
	settings := i.host.Settings()
	switch {
	case !settings.ProxyAll:
		return i.found(AllOff)
	case i.elsewhere:
		// FreeBSD 7: "otherwise we may conflict with the host we are proxying for".
		return i.found(AllElsewhere)
	case i.Request.IsProbe() && !settings.ProxyProbes:
		return i.found(AllProbe)
	case i.ownerAsks(lladdr.Addr{}):
		return i.found(AllOwner)
	}
	if i.routed(AllUnknown, AllLimited) {
		return true
	}
	switch routes, here := i.Routes, i.Request.Interface; {
	case routes.To == "":
		return i.found(AllNoRoute)
	case routes.To == here:
		return i.found(AllSameLink)
	case routes.Back == "":
		return i.found(AllNoReturn)
	case routes.Back != here:
		return i.found(AllWrongLink)
	}
	return i.answer(AllAnswer, i.host.LinkAddr())
}

// routed asks for the routing decision, once for all steps, and ends the inquiry
// if there is none.
func (i *inquiry) routed(unknown, limited Reason) (final bool) {
	if i.state == Known {
		return false
	}
	routes, state := i.router.Routes(i.now, i.Request)
	switch i.state = state; state {
	case Unknown:
		return i.found(unknown)
	case Limited:
		return i.found(limited)
	}
	i.Routes = routes
	return false
}

// ownerAsks reports whether the sender is the target itself: because it says so
// (an announcement), because the answer would give its own link-layer address, or
// because the target was heard from there. An answer would tell the owner that
// its address is taken.
func (i *inquiry) ownerAsks(answer lladdr.Addr) bool {
	r := &i.Request
	return r.SenderIP == r.TargetIP ||
		r.SenderMAC.IsValid() && (r.SenderMAC == answer || i.host.Heard(r.TargetIP, r.SenderMAC))
}
