package ioctlsrv

import (
	"net/netip"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/host"
)

// Interface is what the server has to know of an interface.
type Interface struct {
	Name     string
	Index    int
	Hardware arp.HardwareType
	AddrLen  int  // of link-layer addresses, in bytes
	ARP      bool // not IFF_NOARP, and more than observed
}

// Backend is the table that the ioctls are about. Its methods are safe for
// concurrent use. The errors are those of [host.Host].
type Backend interface {
	// Interface returns an interface of the host by its name.
	Interface(name string) (Interface, bool)
	// Connected returns the name of the interface that an address is on the link of.
	Connected(ip netip.Addr) (name string, ok bool)
	// Entry is that of [host.Host].
	Entry(ip netip.Addr) []host.Entry
	// Set is that of [host.Host].
	Set(c host.Change) error
	// Delete is that of [host.Host], or DeletePublished.
	Delete(ifname string, ip netip.Addr, publishedOnly bool) error
	// Unlisted returns the entries that the kernel does not show in /proc/net/arp.
	Unlisted() []host.Entry
}
