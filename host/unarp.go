package host

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
)

// unARP takes a packet of RFC 1868: a host that leaves the link, or one that
// answered for it, says so, and the entry of its address goes. The packet has no
// link-layer addresses; from is the sender of the frame.
//
// RFC 1868 has no check of who says it. Here it is the one whose the entry is: a
// server that has lost a host to another server cannot take the newer entry away,
// nor can a stranger with a packet of 16 bytes. What is not learned from packets
// does not go by one: own and published addresses, and whatever an administrator
// has set.
func (h *Host) unARP(now time.Time, ifc *Interface, p arp.Packet, from lladdr.Addr) {
	p.SenderHW = from
	if why, ok := h.checkSender(now, ifc, p); !ok {
		ifc.drop(why)
		return
	}
	if why := h.keeps(ifc, p.SenderIP, from); why != "" {
		ifc.drop(DropUnARP)
		h.diagnose(now, ifc, event.Ignored, p.SenderIP, func() event.Event {
			return event.Event{MAC: from, Severity: event.Debug,
				Message: fmt.Sprintf("arp: ignoring UNARP of %v from %v on %s: %s", p.SenderIP, from, ifc.name, why)}
		})
		return
	}
	ifc.stats.UnARPs++
	h.lastHeard.forget(p.SenderIP)
	h.record(event.Event{Type: event.Deleted, Interface: ifc.name, IP: p.SenderIP, MAC: from, Severity: event.Debug,
		Message: fmt.Sprintf("arp: %v has left %s, says UNARP from %v", p.SenderIP, ifc.name, from)})
	h.remove(h.find(ifc, p.SenderIP), syscall.EHOSTDOWN)
}

// keeps returns why the entry of an address stays though from says that it is to
// go, "" if it goes.
func (h *Host) keeps(ifc *Interface, ip netip.Addr, from lladdr.Addr) string {
	e := h.find(ifc, ip)
	switch {
	case h.ownsAnywhere(ip):
		return "it is an address of this host"
	case ifc.mode == Static:
		return "nothing is learned there"
	case e == nil || !e.Addr().IsValid():
		return "there is no entry"
	case e.origin == Administrator:
		return "an administrator has set the entry"
	case e.Addr() != from:
		return fmt.Sprintf("the entry is of %v", e.Addr())
	}
	return ""
}
