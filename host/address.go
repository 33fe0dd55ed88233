package host

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
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

// SetAddresses tells the host the own addresses of the interface: all of them,
// the first one is the primary. Connected networks follow from them. Addresses
// that are new are announced, if the link is up.
func (i *Interface) SetAddresses(addresses []Address) error {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	old := i.addresses
	if err := h.setAddresses(i, addresses); err != nil {
		return err
	}
	now := time.Now()
	for _, a := range i.addresses {
		if !slices.ContainsFunc(old, func(b Address) bool { return a.Prefix.Addr() == b.Prefix.Addr() }) {
			h.announceNew(now, i, a.Prefix.Addr())
		}
	}
	for _, a := range old {
		if !i.owns(a.Prefix.Addr()) {
			h.unannounce(i, a.Prefix.Addr())
		}
	}
	return nil
}

// Addresses returns the own addresses.
func (i *Interface) Addresses() []Address {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return slices.Clone(i.addresses)
}

func (h *Host) setAddresses(ifc *Interface, addresses []Address) error {
	for _, a := range addresses {
		ip := a.Prefix.Addr()
		if !a.Prefix.IsValid() || !isHostAddress(ip) {
			return fmt.Errorf("address %v for %s: not an IPv4 address of a host: %w", a.Prefix, ifc.name, syscall.EINVAL)
		}
	}
	ifc.addresses = slices.Clone(addresses)
	// An own address has no entry: one that was a neighbour's goes.
	for _, a := range addresses {
		if e := h.find(ifc, a.Prefix.Addr()); e != nil {
			h.deleteEntry(e, syscall.EADDRINUSE)
		}
		if p := ifc.published[a.Prefix.Addr()]; p != nil {
			h.unpublish(p, event.Deleted)
		}
	}
	return h.setNetworks(ifc)
}

// isHostAddress reports whether ip can be the IPv4 address of a host.
func isHostAddress(ip netip.Addr) bool {
	return ip.Is4() && !ip.IsUnspecified() && !ip.IsMulticast() && ip != limitedBroadcast
}

// setNetworks makes the connected networks of an interface those of its
// addresses.
func (h *Host) setNetworks(ifc *Interface) error {
	var want []netip.Prefix
	for _, a := range ifc.addresses {
		// A single address is no network. It has a route where packets to it come
		// through Output: a gateway's would have them.
		if p := a.Prefix.Masked(); !(p.IsSingleIP() && ifc.implicit) && !slices.Contains(want, p) {
			want = append(want, p)
		}
	}
	var kept []*route.Network[entry]
	for _, n := range ifc.networks {
		if n.Implicit || n.Flags&route.Static != 0 || slices.Contains(want, n.Prefix) {
			kept = append(kept, n)
			continue
		}
		if err := h.deleteNetwork(n); err != nil {
			return fmt.Errorf("deleting the route to %v on %s: %w", n.Prefix, ifc.name, err)
		}
	}
	ifc.networks = kept
	for _, p := range want {
		if slices.ContainsFunc(kept, func(n *route.Network[entry]) bool { return n.Prefix == p && !n.Implicit }) {
			continue
		}
		if err := h.addNetwork(ifc, route.Spec{Prefix: p, Interface: ifc.index, Flags: route.Cloning}); err != nil {
			return fmt.Errorf("adding the route to %v on %s: %w", p, ifc.name, err)
		}
	}
	return nil
}

// limitedBroadcast is 255.255.255.255.
var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// owns reports whether ip is an own address of the interface.
func (i *Interface) owns(ip netip.Addr) bool {
	for _, a := range i.addresses {
		if a.Prefix.Addr() == ip {
			return true
		}
	}
	return false
}

// owner returns the attached interface that has the own address ip, or nil.
func (h *Host) owner(ip netip.Addr) *Interface {
	for _, ifc := range h.interfaces {
		if ifc.owns(ip) {
			return ifc
		}
	}
	return nil
}

// ownsAnywhere reports whether ip is an own address of the host.
func (h *Host) ownsAnywhere(ip netip.Addr) bool {
	if h.owner(ip) != nil {
		return true
	}
	local, _ := h.local.has(ip)
	return local
}

// answersFor reports whether the interface answers sender's request for target
// with its own address: whether target is local, by the reply policy.
func (h *Host) answersFor(ifc *Interface, target, sender netip.Addr) bool {
	if target.IsLoopback() {
		return false // ip-sysctl.rst: not without route_localnet
	}
	switch ifc.reply {
	case ReplyNever:
		return false
	case ReplyInterface:
		return ifc.owns(target)
	case ReplySameSubnet:
		return slices.ContainsFunc(ifc.addresses, func(a Address) bool {
			// A probe has no sender; inet_confirm_addr takes 0.0.0.0 for any.
			return a.Prefix.Addr() == target && (a.Prefix.Contains(sender) || sender.IsUnspecified())
		})
	case ReplyNotHost:
		if _, hostScope := h.local.has(target); hostScope {
			return false
		}
		for _, a := range ifc.addresses {
			if a.Prefix.Addr() == target && a.HostScope {
				return false
			}
		}
	}
	return h.ownsAnywhere(target)
}

// isBroadcast reports whether ip is a broadcast address of the interface.
func (i *Interface) isBroadcast(ip netip.Addr) bool {
	if ip == limitedBroadcast {
		return true
	}
	for _, a := range i.addresses {
		if b, ok := broadcastOf(a.Prefix); ok && b == ip {
			return true
		}
	}
	return false
}

// broadcastOf returns the broadcast address of a network, if it is large enough to
// have one (RFC 3021).
func broadcastOf(p netip.Prefix) (netip.Addr, bool) {
	if p.Bits() >= 31 {
		return netip.Addr{}, false
	}
	return lastAddr(p), true
}

// lastAddr returns the address of a network with all host bits set.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|^uint32(0)>>p.Bits())
	return netip.AddrFrom4(b)
}

// sender returns the sender address of a request for target on an interface
// (DESIGN section 3): the IP side's preference, else the interface's address
// with the longest prefix around target, else its first, else the first of
// another interface of the host; false if there is none.
func (h *Host) sender(ifc *Interface, preferred, target netip.Addr) (netip.Addr, bool) {
	if preferred.IsValid() && h.ownsAnywhere(preferred) {
		return preferred, true
	}
	var best netip.Prefix
	for _, a := range ifc.addresses {
		if a.Prefix.Contains(target) && (!best.IsValid() || a.Prefix.Bits() > best.Bits()) {
			best = a.Prefix
		}
	}
	if best.IsValid() {
		return best.Addr(), true
	}
	if len(ifc.addresses) > 0 {
		return ifc.addresses[0].Prefix.Addr(), true
	}
	for _, other := range h.interfaces {
		if len(other.addresses) > 0 {
			return other.addresses[0].Prefix.Addr(), true
		}
	}
	return h.anyLocal()
}

// anyLocal returns the lowest local address of the machine that is meant for
// others.
func (h *Host) anyLocal() (best netip.Addr, ok bool) {
	for ip, hostScope := range h.local.single {
		if !hostScope && !ip.IsLoopback() && (!ok || ip.Less(best)) {
			best, ok = ip, true
		}
	}
	return best, ok
}
