package host

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/route"
)

// SetAddresses tells the host the own addresses of the interface: all of them,
// the first one is the primary. Connected networks follow from them.
//
// Without DAD, addresses that are new are announced, if the link is up. With DAD
// they are probed first, as their policy says; of those that are known the policy,
// the label and the prefix are taken over, and nothing else happens but that detection
// ends or begins with a policy of [acd.DetectOff], as with SetDAD. A withdrawn
// address is the host's no more, named here or not: it comes back by recovery, or
// when it is named again after it was absent once, because then somebody else has
// put it there.
func (i *Interface) SetAddresses(addresses []Address) error {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	return h.setAddresses(time.Now(), i, addresses, false)
}

// Addresses returns the own addresses, without those that are withdrawn.
func (i *Interface) Addresses() []Address {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return slices.Clone(i.addresses)
}

// setAddresses is SetAddresses; before says that the addresses were there, and in
// use, before the host.
func (h *Host) setAddresses(now time.Time, ifc *Interface, addresses []Address, before bool) error {
	for _, a := range addresses {
		if !a.Prefix.IsValid() || !isHostAddress(a.Prefix.Addr()) {
			return fmt.Errorf("address %v for %s: not an IPv4 address of a host: %w", a.Prefix, ifc.name, syscall.EINVAL)
		}
	}
	fresh, changed := h.nameAddresses(now, ifc, addresses)
	h.dropAbsent(now, ifc)
	for _, o := range fresh {
		h.displace(ifc, o.IP())
	}
	if err := h.setNetworks(ifc); err != nil {
		return err
	}
	for _, o := range changed {
		h.followPolicy(now, o)
	}
	for _, o := range fresh {
		h.begin(now, o, before)
	}
	return nil
}

// nameAddresses takes a list of own addresses over, without those that are
// withdrawn. It returns those that are new, and those with another policy.
func (h *Host) nameAddresses(now time.Time, ifc *Interface, addresses []Address) (fresh, changed []*own) {
	ifc.round++
	ifc.addresses = make([]Address, 0, len(addresses))
	for place, a := range addresses {
		ip := a.Prefix.Addr()
		o := ifc.ownAt(ip)
		if o != nil && o.round == ifc.round { // once more, in another network
			o.address.HostScope = o.address.HostScope || a.HostScope
			o.further = append(o.further, naming{a, place})
			ifc.list(o, a)
			continue
		}
		if o != nil && o.withdrawn() && o.absent {
			h.releaseOwn(now, o)
			o = nil
		}
		switch {
		case o == nil:
			o = newOwn(ifc, a)
			ifc.own[route.Key(ip)] = o
			fresh = append(fresh, o)
		case o.watched() && o.Policy != a.Policy:
			changed = append(changed, o)
		}
		o.name(a, place, ifc.round)
		ifc.list(o, a)
	}
	return fresh, changed
}

// list appends an address that a list names to those of the interface, unless it is
// withdrawn.
func (i *Interface) list(o *own, a Address) {
	if !o.withdrawn() {
		i.addresses = append(i.addresses, a)
	}
}

// dropAbsent lets the own addresses go that the last list does not name. Those that
// are withdrawn, or restored and not there again yet, stay.
func (h *Host) dropAbsent(now time.Time, ifc *Interface) {
	var restored []*own
	for key, o := range ifc.own {
		switch {
		case o.round == ifc.round:
		case o.withdrawn():
			o.absent = true
		case o.restored:
			o.absent = true
			restored = append(restored, o)
		default:
			h.unannounce(ifc, o.IP())
			h.releaseOwn(now, o)
			delete(ifc.own, key)
		}
	}
	slices.SortFunc(restored, byPlace)
	for _, o := range restored {
		ifc.insert(o)
	}
}

// begin is what happens to a new own address.
func (h *Host) begin(now time.Time, o *own, before bool) {
	h.endInquiries(now, o.ifc, o.IP())
	switch {
	case o.ifc.detecting && before:
		h.detect(now, o, acd.Input{Kind: acd.Adopt})
	case o.ifc.detecting:
		h.detect(now, o, acd.Input{Kind: acd.Assign})
	case !before:
		h.announceNew(now, o.ifc, o.IP())
	}
}

// insertOwn makes an address one of the interface's again, in its place.
func (h *Host) insertOwn(o *own) {
	o.ifc.insert(o)
	h.displace(o.ifc, o.IP())
	h.networksChanged(o, 1)
}

// insert puts an own address into its places among those of the interface.
func (i *Interface) insert(o *own) {
	i.addresses = slices.Insert(i.addresses, min(o.place, len(i.addresses)), o.address)
	for _, n := range o.further {
		i.addresses = slices.Insert(i.addresses, min(n.place, len(i.addresses)), n.address)
	}
}

// removeOwn is the inverse of insertOwn.
func (h *Host) removeOwn(o *own) {
	o.ifc.addresses = slices.DeleteFunc(o.ifc.addresses, func(a Address) bool { return a.Prefix.Addr() == o.IP() })
	h.networksChanged(o, 0)
}

// dropOwn forgets an own address.
func (h *Host) dropOwn(o *own) {
	delete(o.ifc.own, route.Key(o.IP()))
	h.removeOwn(o)
}

// displace removes what an address was before it became an own one: a neighbour's,
// or published for a host. An own address has no entry.
func (h *Host) displace(ifc *Interface, ip netip.Addr) {
	if e := h.find(ifc, ip); e != nil {
		h.deleteEntry(e, syscall.EADDRINUSE)
	}
	if p := ifc.published[ip]; p != nil {
		h.unpublish(p, event.Deleted)
	}
}

// isHostAddress reports whether ip can be the IPv4 address of a host.
func isHostAddress(ip netip.Addr) bool {
	return ip.Is4() && !ip.IsUnspecified() && !ip.IsMulticast() && ip != limitedBroadcast
}

// networksChanged follows the change of one own address, if no more than so many
// others are in its network: one of many in the same costs nothing.
func (h *Host) networksChanged(o *own, others int) {
	p := o.address.Prefix
	for _, a := range o.ifc.addresses {
		if a.Prefix.Masked() == p.Masked() && len(o.further) == 0 {
			if others--; others < 0 {
				return
			}
		}
	}
	// It fails for a network that is not in the table, or twice.
	_ = h.setNetworks(o.ifc)
}

// setNetworks makes the connected networks of an interface, and its broadcast
// addresses, those of its addresses.
func (h *Host) setNetworks(ifc *Interface) error {
	var order []netip.Prefix
	want := make(map[netip.Prefix]bool) // and whether there is a route
	ifc.broadcasts = make(map[uint32]struct{})
	for _, a := range ifc.addresses {
		p := a.Prefix.Masked()
		if len(order) > 0 && p == order[len(order)-1] {
			continue
		}
		if b, ok := broadcastOf(p); ok {
			ifc.broadcasts[route.Key(b)] = struct{}{}
		}
		// A single address is no network. It has a route where packets to it come
		// through Output: a gateway's would have them.
		if _, ok := want[p]; !ok && !(p.IsSingleIP() && ifc.implicit) {
			want[p] = false
			order = append(order, p)
		}
	}
	var kept []*route.Network[entry]
	for _, n := range ifc.networks {
		_, wanted := want[n.Prefix]
		if n.Implicit || n.Flags&route.Static != 0 || wanted {
			kept = append(kept, n)
			if wanted && !n.Implicit {
				want[n.Prefix] = true
			}
			continue
		}
		if err := h.deleteNetwork(n); err != nil {
			return fmt.Errorf("deleting the route to %v on %s: %w", n.Prefix, ifc.name, err)
		}
	}
	ifc.networks = kept
	for _, p := range order {
		if want[p] {
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

// answersFor reports whether the interface answers sender's request for target
// with its own address: whether target is local, by the reply policy, and may be
// used.
func (h *Host) answersFor(ifc *Interface, target, sender netip.Addr) bool {
	if target.IsLoopback() {
		return false // ip-sysctl.rst: not without route_localnet
	}
	o := ifc.ownAt(target)
	if o != nil && !o.usable() {
		return false
	}
	switch ifc.reply {
	case ReplyNever:
		return false
	case ReplyInterface:
		return o != nil
	case ReplySameSubnet:
		return o != nil && slices.ContainsFunc(ifc.addresses, func(a Address) bool {
			// A probe has no sender; inet_confirm_addr takes 0.0.0.0 for any.
			return a.Prefix.Addr() == target && (a.Prefix.Contains(sender) || sender.IsUnspecified())
		})
	case ReplyNotHost:
		if _, hostScope := h.local.has(target); hostScope || o != nil && o.address.HostScope {
			return false
		}
	}
	_, usable := h.standing(target)
	return usable
}

// isBroadcast reports whether ip is a broadcast address of the interface.
func (i *Interface) isBroadcast(ip netip.Addr) bool {
	if ip == limitedBroadcast {
		return true
	}
	_, ok := i.broadcasts[route.Key(ip)]
	return ok
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
