package host

import (
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
)

// checkAuthority reports a claim of an address that the administrator has called
// ours though no interface has it (ATF_AUTHORITY, facts/solaris-arp-ipmp.md 3.6):
// in the words for a published one, which is what such an address is for. Where
// package acd watches the address, it has done so. e is the sender's entry, nil if
// there is none.
func (h *Host) checkAuthority(now time.Time, ifc *Interface, p arp.Packet, e *entry) {
	if !ifc.deniesAuthority(p, e) || ifc.proxied[p.SenderIP] != nil {
		return
	}
	h.diagnose(now, ifc, event.Conflict, p.SenderIP, func() event.Event {
		a := acd.New(ifc.detector, p.SenderIP, acd.Policy{Proxied: true})
		severity, message := a.Diagnostic(acd.Effect{Event: event.Conflict, MAC: p.SenderHW}, ifc.name)
		return event.Event{MAC: p.SenderHW, Severity: severity, Message: message}
	})
}

// deniesAuthority reports whether a packet has another link-layer address for its
// sender than an entry that the administrator has called ours.
func (i *Interface) deniesAuthority(p arp.Packet, e *entry) bool {
	if e != nil && e.authority && e.Addr() != p.SenderHW {
		return true
	}
	only := i.published[p.SenderIP]
	return only != nil && only.authority && only.addr() != p.SenderHW
}
