package host

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// The input of a frame follows in_arpinput of FreeBSD 7 in order
// (facts/freebsd-arp.md 3.1 to 3.3), one function a step. Every length is
// checked before anything is looked at, and what is known for wrong there
// (section 8) is not copied.

// inputFrame handles one frame.
func (h *Host) inputFrame(now time.Time, ifc *Interface, frame []byte) {
	if !ifc.up {
		ifc.drop(DropInterfaceDown) // facts 3.1
		return
	}
	header, payload, err := ifc.framing.Parse(frame)
	if err != nil {
		if errors.Is(err, link.ErrShort) {
			ifc.drop(DropShortFrame)
		} else {
			ifc.drop(DropFrameFormat)
		}
		return
	}
	ours := header.Destination == ifc.mac || ifc.framing.IsGroup(header.Destination)
	switch {
	case header.Type == link.TypeARP && (ours || ifc.mode == Watch):
		h.inputARP(now, ifc, payload, header)
	case header.Type == link.TypeARP:
		ifc.drop(DropOtherHost) // facts 3.1: a port in promiscuous mode gives these too
	case header.Type == link.TypeIPv4 && ifc.deliver != nil && (header.Destination == ifc.mac || ours && ifc.isForAll(payload)):
		ifc.deliver(payload)
	default:
		ifc.drop(DropNotARP)
	}
}

// isForAll reports whether an IPv4 packet is for all on the link. One for a single
// host does not belong in a frame to all (RFC 1122 section 3.3.6).
func (i *Interface) isForAll(packet []byte) bool {
	if len(packet) < minIPv4Header {
		return false
	}
	to := netip.AddrFrom4([4]byte(packet[16:20]))
	return to.IsMulticast() || i.isBroadcast(to)
}

// drop counts a frame that is not acted on.
func (i *Interface) drop(why Drop) { i.stats.Drops[why]++ }

// inputARP handles one packet: in_arpinput. The header is that of its frame.
func (h *Host) inputARP(now time.Time, ifc *Interface, payload []byte, header link.Header) {
	if ifc.mode == Off {
		ifc.drop(DropInterfaceOff)
		return
	}
	p, ok := h.checkPacket(now, ifc, payload)
	if !ok {
		return
	}
	ifc.stats.Received++
	if p.Operation == arp.Reply {
		ifc.stats.RxReplies++
	}
	if p.IsUnARP() {
		h.unARP(now, ifc, p, header.Source)
		return
	}
	if why, ok := h.checkSender(now, ifc, p); !ok {
		ifc.drop(why)
		return
	}
	h.showMachines(now, ifc, p)
	claim := h.claims(p.SenderIP)
	var sender *entry // of the sender, where it claims nothing of ours
	switch claim {
	case claimAnswered:
		h.reportClaim(now, ifc, p)
	case noClaim:
		sender = h.find(ifc, p.SenderIP)
		h.checkAuthority(now, ifc, p, sender)
	}
	if p.Operation != arp.Request && p.Operation != arp.Reply {
		h.ignore(now, ifc, p)
		return
	}
	if ifc.dropGratuitous && p.IsAnnouncement() {
		ifc.drop(DropGratuitous)
		return
	}
	target, back := p.TargetIP, header.Route.Reply()
	switch claim { // who claims an own address is not learned
	case noClaim:
		h.hear(p)
		if ifc.mode != Static {
			h.learn(now, ifc, p, sender, back)
		}
	case claimAnswered:
		target = p.SenderIP // step 6: the claimant is told whose the address is
	case claimDetected:
		ifc.drop(DropClaim)
		return
	}
	if p.Operation == arp.Request {
		ifc.stats.RxRequests++
		h.reply(now, ifc, p, target, back)
	}
}

// checkSender looks at who sent the packet: steps 4 and 5, and the senders that
// no host can be.
func (h *Host) checkSender(now time.Time, ifc *Interface, p arp.Packet) (Drop, bool) {
	why, ok := h.checkHardware(ifc, p.SenderHW)
	if ok {
		return ifc.checkAddress(p.SenderIP)
	}
	switch why {
	case DropSelf:
		h.heardSelf(ifc, p.SenderHW)
	case DropBroadcastSender:
		h.diagnose(now, ifc, event.BroadcastSender, p.SenderIP, func() event.Event {
			return event.Event{MAC: p.SenderHW, Severity: event.Error,
				Message: fmt.Sprintf("arp: link address is broadcast for IP address %v!", p.SenderIP)}
		})
	case DropMulticastSender:
		h.diagnose(now, ifc, event.BroadcastSender, p.SenderIP, func() event.Event {
			return event.Event{MAC: p.SenderHW, Severity: event.Notice, Message: fmt.Sprintf("arp: %v is multicast", p.SenderHW)}
		})
	}
	return why, false
}

// checkHardware reports whether a link-layer address may be a sender's, and why
// not.
func (h *Host) checkHardware(ifc *Interface, mac lladdr.Addr) (Drop, bool) {
	switch {
	case h.isSelf(ifc, mac):
		return DropSelf, false
	case mac == ifc.framing.Broadcast():
		return DropBroadcastSender, false
	case ifc.framing.IsGroup(mac) && !ifc.settings.AllowMulticast:
		return DropMulticastSender, false
	case mac.IsZero():
		return DropZeroSender, false
	}
	return 0, true
}

// checkAddress is the same for the sender's address.
func (i *Interface) checkAddress(ip netip.Addr) (Drop, bool) {
	switch {
	case ip.IsLoopback():
		return DropLoopbackSender, false
	case ip.IsMulticast():
		return DropMulticastAddress, false // 240/4 is reserved, but Linux and others use it
	case i.isBroadcast(ip):
		return DropBroadcastAddress, false
	}
	return 0, true
}

// ignore counts an operation that ARP does not act on.
func (h *Host) ignore(now time.Time, ifc *Interface, p arp.Packet) {
	ifc.drop(DropOperation)
	h.diagnose(now, ifc, event.Ignored, p.SenderIP, func() event.Event {
		return event.Event{MAC: p.SenderHW, Severity: event.Debug, Message: fmt.Sprintf("arp: ignoring %v on %s", p, ifc.name)}
	})
}

// learn is steps 8 to 12: an existing entry of the sender is brought up to date,
// and one is made if the packet is for us. e is the sender's entry, nil if there is
// none.
func (h *Host) learn(now time.Time, ifc *Interface, p arp.Packet, e *entry, back link.SourceRoute) {
	if p.SenderIP.IsUnspecified() {
		return // a probe claims nothing (RFC 5227 section 1.1)
	}
	if e == nil {
		if h.wrongInterface(now, ifc, p) || !h.answersFor(ifc, p.TargetIP, p.SenderIP) {
			return
		}
		if !h.onLink(ifc, p.SenderIP) {
			h.lookupFailed(now, ifc, p.SenderIP, "host is not on local network")
			return
		}
		var err error
		if e, err = h.create(ifc, Change{IP: p.SenderIP, Origin: Learned}); err != nil {
			ifc.stats.Refused++
			h.lookupFailed(now, ifc, p.SenderIP, "could not allocate llinfo")
			return
		}
	}
	e.setRoute(p.SenderHW, back)
	if e.ordered() && e.State() != cache.Permanent {
		return // a temporary one ends by its time, not by what its owner says
	}
	h.handle(now, e, cache.Input{Kind: cache.Answer, Addr: p.SenderHW})
}

// onLink reports whether an address is in a connected network of the interface,
// not only in the implicit one of a taken-over interface: whoever claims to be
// elsewhere is not learned before the IP side asks for it.
func (h *Host) onLink(ifc *Interface, ip netip.Addr) bool {
	n, ok := h.routes.LookupOn(ifc.index, ip)
	return ok && !n.Implicit
}

// wrongInterface is step 9: the sender is known on another interface, and this
// one is not in its network.
func (h *Host) wrongInterface(now time.Time, ifc *Interface, p arp.Packet) bool {
	if h.onLink(ifc, p.SenderIP) {
		return false
	}
	for _, other := range h.interfaces {
		if other == ifc {
			continue
		}
		if e := h.find(other, p.SenderIP); e == nil || !e.Addr().IsValid() {
			continue
		}
		h.diagnose(now, ifc, event.WrongInterface, p.SenderIP, func() event.Event {
			ev := event.Event{MAC: p.SenderHW}
			if ifc.settings.LogWrongIface {
				ev.Severity = event.Error
				ev.Message = fmt.Sprintf("arp: %v is on %s but got reply from %v on %s", p.SenderIP, other.name, p.SenderHW, ifc.name)
			}
			return ev
		})
		return true
	}
	return false
}
