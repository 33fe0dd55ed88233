package host

import (
	"net/netip"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// reply answers a request, if the rules of package proxy say so, by the route back
// to who asks.
func (h *Host) reply(now time.Time, ifc *Interface, request arp.Packet, target netip.Addr, back link.SourceRoute) {
	if ifc.mode == Watch {
		ifc.drop(DropWatching)
		return
	}
	h.respond(now, ifc, proxy.Request{
		Interface: ifc.name, SenderMAC: request.SenderHW, SenderIP: request.SenderIP, TargetIP: target, Back: back,
	}, h.routing)
}

// request sends a who-has for the address of an entry to everybody
// (facts/freebsd-arp.md 2.2: there is no unicast refresh).
func (h *Host) request(e *entry) {
	ifc := e.ifc
	if ifc.mode != On || !ifc.up {
		return
	}
	source, ok := h.sender(ifc, e.source, e.ip)
	switch {
	case ok:
	case len(ifc.addresses) > 0:
		// The query waits until one of them is verified (facts/solaris-arp-ipmp.md 3.2).
		ifc.waiting = true
		e.Unsent()
		return
	default:
		h.diagnose(time.Now(), ifc, event.Missed, e.ip, func() event.Event {
			return event.Event{Severity: event.Notice, Message: "arprequest: cannot find matching address"} // facts 4.2
		})
		return
	}
	e.network.Resolve(e.ip)
	h.sendRequest(ifc, source, e.ip)
}

// askAgain sends the requests that wait for a sender that is verified.
func (h *Host) askAgain(ifc *Interface) {
	if !ifc.waiting {
		return
	}
	ifc.waiting = false
	for _, e := range ifc.dynamic {
		if e.State() == cache.Incomplete || e.State() == cache.Down && e.Waited() {
			h.request(e)
		}
	}
}

// sendRequest sends a who-has with the link's broadcast address.
func (h *Host) sendRequest(ifc *Interface, sender, target netip.Addr) {
	if h.sendARP(ifc, ifc.framing.Broadcast(), link.SourceRoute{}, arp.Packet{
		Operation: arp.Request,
		SenderHW:  ifc.mac, SenderIP: sender,
		TargetIP: target,
	}) {
		ifc.stats.TxRequests++
	}
}

// sendARP sends a packet whose hardware and protocol type follow from the
// interface. It reports whether the packet is on its way.
func (h *Host) sendARP(ifc *Interface, to lladdr.Addr, by link.SourceRoute, p arp.Packet) bool {
	p.HardwareType, p.ProtocolType = ifc.framing.HardwareType(), arp.ProtocolIPv4
	ifc.packet = p.AppendTo(ifc.packet[:0])
	return h.send(ifc, link.Header{Destination: to, Type: link.TypeARP, Route: by}, ifc.packet)
}
