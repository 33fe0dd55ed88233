package host

import (
	"fmt"
	"net/netip"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
)

// localAddresses are the addresses of the whole machine, on whichever interface:
// what ReplyAny answers for.
type localAddresses struct {
	single   map[netip.Addr]bool // whether of scope host
	prefixes []Address           // more than one address each: of the loopback interface
}

// SetLocal tells the host the own addresses of the whole machine, those of
// interfaces that are not attached included. On Linux they are the routes of
// type local: a prefix shorter than 32 bits is local as a whole.
func (h *Host) SetLocal(addresses []Address) {
	l := localAddresses{single: make(map[netip.Addr]bool, len(addresses))}
	for _, a := range addresses {
		if a.Prefix.IsSingleIP() {
			l.single[a.Prefix.Addr()] = a.HostScope
		} else {
			l.prefixes = append(l.prefixes, a)
		}
	}
	h.mu.Lock()
	defer h.unlock()
	h.local = l
}

// has reports whether ip is local, and whether its scope is host.
func (l *localAddresses) has(ip netip.Addr) (local, hostScope bool) {
	if scope, ok := l.single[ip]; ok {
		return true, scope
	}
	for _, a := range l.prefixes {
		if a.Prefix.Contains(ip) {
			return true, a.HostScope
		}
	}
	return false, false
}

// Sibling is an interface of the machine, attached or not.
type Sibling struct {
	Name string
	MAC  lladdr.Addr
	// Answers says that somebody else than this host does ARP on it, and answers
	// there for all addresses of the machine: Linux with arp_ignore 0.
	Answers bool
}

// SetSiblings tells the host the interfaces of the machine: what they send is
// never a foreign claim. One that Answers and is heard on an interface of the
// host answers the same requests as the host; that is reported, once.
func (h *Host) SetSiblings(siblings []Sibling) {
	m := make(map[lladdr.Addr]Sibling, len(siblings))
	for _, s := range siblings {
		m[s.MAC] = s
	}
	h.mu.Lock()
	defer h.unlock()
	h.siblings = m
}

// heardSelf reports a sibling that answers on the same network.
func (h *Host) heardSelf(ifc *Interface, mac lladdr.Addr) {
	s := h.siblings[mac]
	if mac == ifc.mac || !s.Answers || ifc.heard[mac] {
		return
	}
	ifc.heard[mac] = true
	h.record(event.Event{Type: event.WrongInterface, Interface: ifc.name, MAC: mac, Severity: event.Warning,
		Message: fmt.Sprintf("isat: %s is on the same network as %s and the kernel answers there for all addresses of this host: take it over too, or set net.ipv4.conf.%s.arp_ignore to 1", s.Name, ifc.name, s.Name)})
}

// isSelf reports whether a link-layer address is one of this machine.
func (h *Host) isSelf(ifc *Interface, mac lladdr.Addr) bool {
	if _, ok := h.siblings[mac]; ok || mac == ifc.mac {
		return true
	}
	for _, other := range h.interfaces {
		if other.mac == mac {
			return true
		}
	}
	return false
}
