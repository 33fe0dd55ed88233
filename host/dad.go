package host

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/lladdr"
)

// SetDAD switches the detection of address conflicts. Switched on, the present
// addresses count as in use: they are announced once and watched. Switched off,
// those that were suspended are usable again, and those that were withdrawn are
// forgotten. reprobe holds from the next return of the link on.
func (i *Interface) SetDAD(on bool, reprobe acd.Reprobe) {
	i.host.mu.Lock()
	defer i.host.unlock()
	i.dad, i.reprobe = on, reprobe
}

// OwnAddresses returns all own addresses with their state, the withdrawn ones
// included.
func (i *Interface) OwnAddresses() []OwnAddress {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	all := make([]OwnAddress, 0, len(i.addresses))
	for _, a := range i.addresses {
		all = append(all, OwnAddress{Interface: i.index, Address: a, Usage: Usable, State: acd.Exempt})
	}
	return all
}

// Reassign begins the detection of an own address anew, as when an administrator
// has set it up. The error wraps ENXIO if the interface does not know it.
func (i *Interface) Reassign(ip netip.Addr) error {
	i.host.mu.Lock()
	defer i.host.unlock()
	if !i.owns(ip.Unmap()) {
		return fmt.Errorf("probing %v on %s anew: no such address: %w", ip, i.name, syscall.ENXIO)
	}
	return nil
}

// Resume takes over a duplicate that an earlier run has withdrawn: it is not on
// the interface, and it is tried at once whether it is free now. owner is who had
// it. The error wraps EOPNOTSUPP where there is no DAD, and EEXIST for an address
// that the interface knows.
func (i *Interface) Resume(a Address, owner lladdr.Addr) error {
	i.host.mu.Lock()
	defer i.host.unlock()
	return fmt.Errorf("resuming %v on %s: there is no detection: %w", a.Prefix.Addr(), i.name, syscall.EOPNOTSUPP)
}

// Forsake ends the recovery of a withdrawn address: it will not be put back.
func (i *Interface) Forsake(ip netip.Addr) {}
