package host

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// checkStation says what is wrong with a link-layer address for an interface:
// neither broadcast nor a group is one of a single station.
func (h *Host) checkStation(name string, medium link.Framing, mac lladdr.Addr) error {
	switch {
	case mac.Len() != medium.AddrLen():
		return fmt.Errorf("address %q is not of %d bytes: %w", mac, medium.AddrLen(), syscall.EINVAL)
	case medium.HardwareType() == arp.ARCnet && mac == medium.Broadcast():
		// The words of arc_ifattach (facts/freebsd-arp.md 4.1), which goes on all the
		// same.
		message := fmt.Sprintf("%s: link address 0 reserved for broadcasts.  Please change it and ifconfig %s down up", name, name)
		h.record(event.Event{Type: event.BroadcastSender, Interface: name, MAC: mac, Severity: event.Error, Message: message})
		return fmt.Errorf("%s: %w", message, syscall.EINVAL)
	case medium.IsGroup(mac):
		return fmt.Errorf("address %v is not that of one station: %w", mac, syscall.EINVAL)
	}
	return nil
}

// CheckMAC returns an error that wraps EINVAL if a link-layer address cannot be one
// station's on the interface: one of another length, zero, broadcast, or of a group
// unless allow_multicast is 1. [Host.Set] asks for no more, and a rule of
// [Host.Proxies] with another address refuses.
func (i *Interface) CheckMAC(mac lladdr.Addr) error {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return i.checkMAC(mac)
}

func (i *Interface) checkMAC(mac lladdr.Addr) error {
	switch {
	case i.isStation(mac):
		return nil
	case mac.Len() != i.framing.AddrLen():
		return fmt.Errorf("link-layer address %q has %d bytes, %s has %d: %w", mac, mac.Len(), i.name, i.framing.AddrLen(), syscall.EINVAL)
	}
	return fmt.Errorf("link-layer address %v is not that of one host: %w", mac, syscall.EINVAL)
}

// isStation reports whether checkMAC finds nothing wrong.
func (i *Interface) isStation(mac lladdr.Addr) bool {
	group := mac == i.framing.Broadcast() || i.framing.IsGroup(mac) && !i.settings.AllowMulticast
	return mac.Len() == i.framing.AddrLen() && !mac.IsZero() && !group
}

// nodeOf returns the address of the station that has an IPv4 address on an ARCnet
// without ARP: IFF_NOARP there means that the low byte is the node
// (facts/freebsd-arp.md 5.1). An entry that an administrator has made goes first.
func (i *Interface) nodeOf(ip netip.Addr) (lladdr.Addr, bool) {
	if i.mode != Off || i.framing.HardwareType() != arp.ARCnet {
		return lladdr.Addr{}, false
	}
	b := ip.As4()
	return lladdr.FromSlice(b[3:])
}
