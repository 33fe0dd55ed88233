package host

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
)

// claim is what it means that a packet has an own address as its sender.
type claim uint8

const (
	noClaim       claim = iota
	claimAnswered       // FreeBSD's step 6: it is reported, and the claimant told
	claimIgnored        // nobody looks after the address: policy off, or no ARP
	claimDetected       // package acd has dealt with it
)

// claims tells what kind of claim a sender's address is. A machine comes first, on
// whichever interface.
func (h *Host) claims(sender netip.Addr) claim {
	if sender.IsUnspecified() || !h.ownsAnywhere(sender) {
		return noClaim
	}
	found := claimAnswered
	for _, ifc := range h.interfaces {
		o := ifc.ownAt(sender)
		switch {
		case o == nil || o.withdrawn() || !o.watched():
		case o.State() == acd.Exempt:
			found = claimIgnored
		default:
			return claimDetected
		}
	}
	return found
}

// showMachines shows a packet to the machines of its sender's and of its target's
// address. Those of other interfaces do not look at it (facts 3.3, the last row).
func (h *Host) showMachines(now time.Time, ifc *Interface, p arp.Packet) {
	h.showMachine(now, ifc, p.SenderIP, p)
	if p.TargetIP != p.SenderIP {
		h.showMachine(now, ifc, p.TargetIP, p)
	}
}

func (h *Host) showMachine(now time.Time, ifc *Interface, ip netip.Addr, p arp.Packet) {
	if first := ifc.inquiries[ip]; first != nil {
		h.tellInquiries(now, first, acd.Input{Kind: acd.Hear, Packet: p})
	}
	h.showProxied(now, ifc, ip, p)
	o := ifc.ownAt(ip)
	if o == nil || !o.watched() {
		return
	}
	if !o.withdrawn() && acd.Judge(&p, ip, false, ifc.detector.Self).Conflict(o.State()) {
		ifc.stats.DupIPs++
	}
	h.detect(now, o, acd.Input{Kind: acd.Hear, Packet: p})
}

// reportClaim is step 6: another host says that an own address is its.
func (h *Host) reportClaim(now time.Time, ifc *Interface, p arp.Packet) {
	ifc.stats.DupIPs++
	h.diagnose(now, ifc, event.Conflict, p.SenderIP, func() event.Event {
		return event.Event{MAC: p.SenderHW, Severity: event.Error,
			Message: fmt.Sprintf("arp: %v is using my IP address %v on %s!", p.SenderHW, p.SenderIP, ifc.name)}
	})
}
