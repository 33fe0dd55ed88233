package host

import (
	"net/netip"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// reply is step 13: a request for an own address is answered.
func (h *Host) reply(ifc *Interface, request arp.Packet, target netip.Addr) {
	switch {
	case ifc.mode == Watch:
		ifc.drop(DropWatching)
		return
	case !h.answersFor(ifc, target, request.SenderIP):
		if len(ifc.addresses) == 0 {
			ifc.drop(DropNoAddress)
		} else {
			ifc.drop(DropNotForUs)
		}
		return
	}
	to := request.SenderHW
	if target.IsLinkLocalUnicast() {
		to = ifc.framing.Broadcast() // RFC 3927 section 2.5
	}
	if h.sendARP(ifc, to, arp.Packet{
		Operation: arp.Reply,
		SenderHW:  ifc.mac, SenderIP: target,
		TargetHW: request.SenderHW, TargetIP: request.SenderIP,
	}) {
		ifc.stats.TxReplies++
	}
}

// request sends a who-has for the address of an entry to everybody
// (facts/freebsd-arp.md 2.2: there is no unicast refresh).
func (h *Host) request(e *entry) {
	ifc := e.ifc
	if ifc.mode != On || !ifc.up {
		return
	}
	source, ok := h.sender(ifc, e.source, e.ip)
	if !ok {
		h.diagnose(time.Now(), ifc, event.Missed, e.ip, func() event.Event {
			return event.Event{Severity: event.Notice, Message: "arprequest: cannot find matching address"} // facts 4.2
		})
		return
	}
	e.network.Resolve(e.ip)
	h.sendRequest(ifc, source, e.ip)
}

// sendRequest sends a who-has with the link's broadcast address.
func (h *Host) sendRequest(ifc *Interface, sender, target netip.Addr) {
	if h.sendARP(ifc, ifc.framing.Broadcast(), arp.Packet{
		Operation: arp.Request,
		SenderHW:  ifc.mac, SenderIP: sender,
		TargetIP: target,
	}) {
		ifc.stats.TxRequests++
	}
}

// sendARP sends a packet whose hardware and protocol type follow from the
// interface. It reports whether the packet is on its way.
func (h *Host) sendARP(ifc *Interface, to lladdr.Addr, p arp.Packet) bool {
	p.HardwareType, p.ProtocolType = ifc.framing.HardwareType(), arp.ProtocolIPv4
	ifc.packet = p.AppendTo(ifc.packet[:0])
	return h.send(ifc, to, link.TypeARP, ifc.packet)
}
