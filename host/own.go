package host

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/route"
)

// own is an own address of an interface, or one that was withdrawn and may be
// again. Where there is DAD its machine decides which, and how it is used;
// elsewhere the machine is in state None.
type own struct {
	machine
	address Address
	place   int      // in the list that has last named it
	further []naming // of it in that list, in other networks
	round   uint     // of that list: see Interface.round
	// absent says that no list has named it since it was withdrawn: the IP side
	// does not have it.
	absent bool
	// restored says that it was put back and no list has named it since.
	restored bool
}

// naming is an own address as a list names it once more, in another network.
type naming struct {
	address Address
	place   int
}

// newOwn returns an own address that is not in use by a machine yet.
func newOwn(ifc *Interface, a Address) *own {
	o := &own{machine: machine{Address: acd.New(ifc.detector, a.Prefix.Addr(), a.Policy), ifc: ifc}, address: a}
	o.timer.Value = o
	return o
}

// name takes over what a list says of an own address.
func (o *own) name(a Address, place int, round uint) {
	o.address, o.Policy = a, a.Policy
	o.place, o.round, o.further = place, round, o.further[:0]
	if !o.withdrawn() {
		o.absent, o.restored = false, false
	}
}

// watched reports whether a machine looks after the address.
func (o *own) watched() bool { return o.State() != acd.None }

// usable reports whether it is answered for and may be a sender.
func (o *own) usable() bool { return !o.watched() || o.State().Usable() }

// withdrawn reports whether it is somebody else's.
func (o *own) withdrawn() bool { return o.State() == acd.Duplicate || o.State() == acd.Recovering }

// usage returns how the address may be used, for the IP side.
func (o *own) usage() Usage {
	switch {
	case o.withdrawn():
		return Withdrawn
	case o.usable():
		return Usable
	}
	return Suspended
}

func (o *own) snapshot() OwnAddress {
	a := OwnAddress{Interface: o.ifc.index, Address: o.address, Usage: o.usage(), State: o.State(), Owner: o.Owner(), Delayed: o.Delayed(), Restored: o.restored}
	if !o.watched() {
		a.State = acd.Exempt
	}
	return a
}

// diagnosticName is the name of the address in diagnostics.
func (o *own) diagnosticName() string { return cmp.Or(o.address.Label, o.ifc.name) }

// ownAt returns what the interface knows of an own address, or one that was
// withdrawn; nil if it is neither.
func (i *Interface) ownAt(ip netip.Addr) *own { return i.own[route.Key(ip)] }

// owned returns the own addresses in the order of the lists that named them, the
// withdrawn ones included.
func (i *Interface) owned() []*own {
	return slices.SortedFunc(maps.Values(i.own), byPlace)
}

// byPlace compares own addresses by their places in the lists.
func byPlace(a, b *own) int {
	return cmp.Or(cmp.Compare(a.place, b.place), a.IP().Compare(b.IP()))
}

// OwnAddresses returns all own addresses with their state, the withdrawn ones
// included.
func (i *Interface) OwnAddresses() []OwnAddress {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	all := make([]OwnAddress, 0, len(i.own))
	for _, o := range i.owned() {
		all = append(all, o.snapshot())
	}
	return all
}

// OwnAddress returns an own address with its state, withdrawn or not; false if the
// interface does not know it.
func (i *Interface) OwnAddress(ip netip.Addr) (OwnAddress, bool) {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	o := i.ownAt(ip.Unmap())
	if o == nil {
		return OwnAddress{}, false
	}
	return o.snapshot(), true
}

// owns reports whether ip is an own address of the interface.
func (i *Interface) owns(ip netip.Addr) bool {
	o := i.ownAt(ip)
	return o != nil && !o.withdrawn()
}

// uses reports whether ip is an own address that may be a sender.
func (i *Interface) uses(ip netip.Addr) bool {
	o := i.ownAt(ip)
	return o != nil && o.usable()
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

// standing tells whether ip is an own address of the host, on whichever interface,
// and whether it may be used. What an interface has withdrawn is not the host's,
// though the IP side may have it still.
func (h *Host) standing(ip netip.Addr) (owned, usable bool) {
	known := false
	for _, ifc := range h.interfaces {
		if o := ifc.ownAt(ip); o != nil {
			known = true
			owned = owned || !o.withdrawn()
			usable = usable || o.usable()
		}
	}
	if !known {
		owned, _ = h.local.has(ip)
		usable = owned
	}
	return owned, usable
}

// ownsAnywhere reports whether ip is an own address of the host.
func (h *Host) ownsAnywhere(ip netip.Addr) bool {
	owned, _ := h.standing(ip)
	return owned
}
