package acd

import (
	"fmt"

	"github.com/isat-project/isat/event"
)

// Diagnostic returns the words for a [Report] of a, and their severity: those of
// arp(7P) (facts/solaris-arp-ipmp.md 1.8), and for a claim to an own address
// those of FreeBSD's arp(4). ifname is the name of the interface, or the label of
// the address. It returns "" where there are no words.
func (a *Address) Diagnostic(e Effect, ifname string) (event.Severity, string) {
	ip := a.IP()
	switch e.Event {
	case event.Conflict:
		if a.Policy.Proxied {
			return event.Warning, fmt.Sprintf("Proxy ARP problem?  Node '%v' is using %v on %s", e.MAC, ip, ifname)
		}
		return event.Error, fmt.Sprintf("arp: %v is using my IP address %v on %s!", e.MAC, ip, ifname)
	case event.Defended:
		return event.Warning, fmt.Sprintf("Node %v is using our IP address %v on %s.", e.MAC, ip, ifname)
	case event.Duplicate:
		how := "in use"
		if e.Cause == Lost {
			how = "claimed"
		}
		return event.Warning, fmt.Sprintf("%s has duplicate address %v (%s by %v); disabled.", ifname, ip, how, e.MAC)
	case event.Recovered:
		return event.Notice, fmt.Sprintf("Recovered address %v on %s.", ip, ifname)
	}
	return 0, ""
}
