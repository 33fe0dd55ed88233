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
// package acd watches the address, it has done so.
func (h *Host) checkAuthority(now time.Time, ifc *Interface, p arp.Packet) {
	if ifc.proxied[p.SenderIP] != nil || !h.deniesAuthority(ifc, p) {
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
func (h *Host) deniesAuthority(ifc *Interface, p arp.Packet) bool {
	if e := h.find(ifc, p.SenderIP); e != nil && e.authority && e.Addr() != p.SenderHW {
		return true
	}
	only := ifc.published[p.SenderIP]
	return only != nil && only.authority && only.addr() != p.SenderHW
}
