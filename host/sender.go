package host

import "net/netip"

// sender returns the sender address of a request for target on an interface
// (DESIGN section 3): the IP side's preference, else the interface's address
// with the longest prefix around target, else its first, else the first of
// another interface of the host; false if there is none, or the addresses of the
// interface are not verified yet.
func (h *Host) sender(ifc *Interface, preferred, target netip.Addr) (netip.Addr, bool) {
	if preferred.IsValid() {
		if _, usable := h.standing(preferred); usable {
			return preferred, true
		}
	}
	var best netip.Prefix
	for _, a := range ifc.addresses {
		if a.Prefix.Bits() > best.Bits() && a.Prefix.Contains(target) && ifc.uses(a.Prefix.Addr()) {
			best = a.Prefix
		}
	}
	if best.IsValid() {
		return best.Addr(), true
	}
	if ip, ok := ifc.firstUsable(); ok || len(ifc.addresses) > 0 {
		return ip, ok
	}
	for _, other := range h.interfaces {
		if ip, ok := other.firstUsable(); ok {
			return ip, true
		}
	}
	return h.anyLocal()
}

// firstUsable returns the first own address that may be a sender.
func (i *Interface) firstUsable() (netip.Addr, bool) {
	for _, a := range i.addresses {
		if i.uses(a.Prefix.Addr()) {
			return a.Prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// anyLocal returns the lowest local address of the machine that is meant for
// others.
func (h *Host) anyLocal() (best netip.Addr, ok bool) {
	for ip, hostScope := range h.local.single {
		if hostScope || ip.IsLoopback() || ok && !ip.Less(best) {
			continue
		}
		if _, usable := h.standing(ip); usable {
			best, ok = ip, true
		}
	}
	return best, ok
}
