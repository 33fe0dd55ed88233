package host

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/lladdr"
)

// Origin is where an entry comes from.
type Origin uint8

// The origins.
const (
	Learned       Origin = iota // from a packet of its owner
	Demanded                    // a packet or a program asked for it
	Administrator               // by arp(8), the API, the configuration or ip(8)
)

// String returns the word of the API.
func (o Origin) String() string {
	names := [...]string{"learned", "demanded", "administrator"}
	if int(o) < len(names) {
		return names[o]
	}
	return fmt.Sprintf("origin %d", uint8(o))
}

// Change sets an entry from elsewhere than the wire.
type Change struct {
	Interface string // "": the interface whose network the address is in
	IP        netip.Addr
	// MAC is the link-layer address. The zero Addr in a published entry is "auto":
	// the interface's own, which it follows when that changes.
	MAC lladdr.Addr
	// Publish says whether requests for the address are answered, and Action what
	// becomes of packets to it. Both need the origin Administrator.
	Publish Publish
	Action  Action
	// Temporary entries live for max_age and follow their owner, like learned
	// ones; others are permanent.
	Temporary bool
	// Origin is whose entry it is. The zero Origin, Learned, is for what the IP
	// side has learned by itself and the host takes over; it is always Temporary.
	Origin Origin
	// Age is how long ago the owner of a temporary entry was heard.
	Age time.Duration
	// Known says that the IP side has the binding already. It is not told of it:
	// who made it there may have deleted it meanwhile, and it would be back.
	Known bool
}

// Set makes or changes an entry and reports whether it is new. This is the one
// door for changes that do not come from the wire.
//
// The error wraps EINVAL for an address that cannot be a neighbour's or a
// link-layer address that cannot be a host's, ENETUNREACH if no network of the
// host (of the interface) has the address, ENXIO for an unknown interface, EPERM
// for an own address, and ENOBUFS if max_entries are in use.
func (h *Host) Set(c Change) (created bool, err error) {
	h.mu.Lock()
	defer h.unlock()
	created, err = h.set(c)
	if err != nil {
		return false, fmt.Errorf("setting the entry of %v: %w", c.IP, err)
	}
	return created, nil
}

func (h *Host) set(c Change) (bool, error) {
	if c.Publish != Unpublished || c.Action != Forward {
		return false, fmt.Errorf("published, reject and blackhole entries are not there yet: %w", syscall.EOPNOTSUPP)
	}
	ip := c.IP.Unmap()
	if !ip.Is4() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback() || ip == limitedBroadcast {
		return false, fmt.Errorf("not the address of a neighbour: %w", syscall.EINVAL)
	}
	ifc, err := h.interfaceFor(c.Interface, ip)
	if err != nil {
		return false, err
	}
	switch {
	case h.ownsAnywhere(ip):
		return false, fmt.Errorf("it is an address of this host: %w", syscall.EPERM)
	case ifc.isBroadcast(ip):
		return false, fmt.Errorf("it is the broadcast address of %s: %w", ifc.name, syscall.EINVAL)
	case c.MAC.Len() != ifc.framing.AddrLen():
		return false, fmt.Errorf("link-layer address %q has %d bytes, %s has %d: %w", c.MAC, c.MAC.Len(), ifc.name, ifc.framing.AddrLen(), syscall.EINVAL)
	case c.MAC.IsZero() || c.MAC.IsBroadcast() || c.MAC.IsMulticast() && !ifc.settings.AllowMulticast:
		return false, fmt.Errorf("link-layer address %v is not that of one host: %w", c.MAC, syscall.EINVAL)
	}
	e := h.find(ifc, ip)
	created := e == nil
	if created {
		if e, err = h.create(ifc, ip, c.Origin); err != nil {
			return false, err
		}
	}
	if e.origin != c.Origin {
		e.origin = c.Origin
		_ = e.network.Change(e.ip, e.flags()) // the clone is there
	}
	e.installed = !c.Known
	kind := cache.Pin
	if c.Temporary || c.Origin != Administrator {
		kind = cache.Lend
	}
	h.handle(time.Now(), e, cache.Input{Kind: kind, Addr: c.MAC, Age: c.Age})
	e.installed = true
	if kind == cache.Pin {
		ifc.untrack(e)
	} else {
		ifc.track(e)
	}
	return created, nil
}

// interfaceFor returns the interface of a change: the one named, or the one
// whose network the address is in.
func (h *Host) interfaceFor(name string, ip netip.Addr) (*Interface, error) {
	if name != "" {
		i := slices.IndexFunc(h.interfaces, func(ifc *Interface) bool { return ifc.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no interface %q here: %w", name, syscall.ENXIO)
		}
		if _, ok := h.routes.LookupOn(h.interfaces[i].index, ip); !ok {
			return nil, fmt.Errorf("not in a network of %s: %w", name, syscall.ENETUNREACH)
		}
		return h.interfaces[i], nil
	}
	n, ok := h.routes.Lookup(ip)
	if !ok || n.Gateway.IsValid() {
		return nil, fmt.Errorf("in no network of this host; name the interface: %w", syscall.ENETUNREACH)
	}
	ifc := h.byIndex(n.Interface)
	if ifc == nil {
		return nil, fmt.Errorf("in no network of this host; name the interface: %w", syscall.ENETUNREACH)
	}
	return ifc, nil
}

// Delete removes the entry of an address on an interface, or, if its name is
// empty, on every interface that has one. The error wraps ENXIO if there is none,
// and EPERM for an own address.
func (h *Host) Delete(ifname string, ip netip.Addr) error {
	h.mu.Lock()
	defer h.unlock()
	ip = ip.Unmap()
	found := false
	for _, ifc := range h.interfaces {
		if ifname != "" && ifc.name != ifname {
			continue
		}
		if e := h.find(ifc, ip); e != nil {
			h.deleteEntry(e, errDeleted)
			found = true
		} else if ifc.owns(ip) {
			return fmt.Errorf("deleting the entry of %v: it is an address of this host: %w", ip, syscall.EPERM)
		}
	}
	if !found {
		return fmt.Errorf("deleting the entry of %v: no entry: %w", ip, syscall.ENXIO)
	}
	return nil
}

// Flush removes all entries but those of own addresses, of one interface or, if
// its name is empty, of all. It returns what it removed.
func (h *Host) Flush(ifname string) []Entry {
	h.mu.Lock()
	defer h.unlock()
	var gone []Entry
	for _, ifc := range h.interfaces {
		if ifname != "" && ifc.name != ifname {
			continue
		}
		for e := range ifc.entries() {
			gone = append(gone, e.snapshot())
			h.deleteEntry(e, errDeleted)
		}
	}
	return gone
}

// errDeleted is for those that wait for an entry that somebody deletes.
const errDeleted = syscall.ENXIO
