package host

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
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
	// becomes of packets to it. Both are for an Administrator.
	Publish Publish
	Action  Action
	// Probe says that a published address is probed first, on an interface with DAD:
	// it is answered for when nobody else on the link has it, and announced by
	// package acd then. One that is verified is announced again instead, once, or
	// publish_count times with Authority (facts/solaris-arp-ipmp.md 2.2).
	Probe bool
	// Authority says that the address is ours though no interface has it
	// (ATF_AUTHORITY of Solaris' arp(7P)). The entry is permanent, and so never
	// changed by what is on the wire; a claim of the address is reported as a
	// conflict.
	Authority bool
	// Temporary entries live for max_age and follow their owner, like learned
	// ones; others are permanent.
	Temporary bool
	// Origin is whose entry it is. The zero Origin, Learned, is for what the IP
	// side has learned by itself and the host takes over; it is always Temporary.
	Origin Origin
	// Age is how long ago the owner of a temporary entry was heard.
	Age time.Duration
	// Known says that the IP side has the binding already. It is not told of it:
	// who made it there may have deleted it meanwhile, and it would be back. One
	// that the IP side has published is not announced either.
	Known bool
	// Again says that an administrator has set it before, and nobody does so now: what
	// others do to the binding on the IP side meanwhile is newer.
	Again bool
}

// Set makes or changes an entry and reports whether it is new. This is the one
// door for changes that do not come from the wire. What it sets replaces what the
// entry was: one that is not Published now is published no more.
//
// A published entry that is new, or has a new link-layer address, is announced
// once (facts/freebsd-arp.md 5.2). A Published one whose address has a host route
// that leads elsewhere becomes PublishedOnly, as with arp(8).
//
// The error wraps EINVAL for an address that cannot be a neighbour's or a
// link-layer address that cannot be a host's, ENETUNREACH if no network of the
// host (of the interface) has the address, ENXIO for an unknown interface, EPERM
// for an own address, and ENOBUFS if max_entries are in use. It wraps EEXIST for what
// the IP side has told (Known, or of origin Learned) of an entry that an administrator
// has set since the IP side was told: that one is told to it instead.
func (h *Host) Set(c Change) (created bool, err error) {
	h.mu.Lock()
	defer h.unlock()
	created, err = h.set(c)
	if err != nil {
		return false, fmt.Errorf("setting the entry of %v: %w", c.IP, err)
	}
	return created, nil
}

// Check returns the error that [Host.Set] would return, ENOBUFS aside, and changes
// nothing. An own address is EPERM whatever the interface, one that is not attached
// yet included.
func (h *Host) Check(c Change) error {
	h.mu.Lock()
	defer h.unlock()
	if err := h.checkOwn(c.IP.Unmap()); err != nil {
		return fmt.Errorf("setting the entry of %v: %w", c.IP, err)
	}
	if _, err := h.admit(&c); err != nil {
		return fmt.Errorf("setting the entry of %v: %w", c.IP, err)
	}
	return nil
}

func (h *Host) set(c Change) (bool, error) {
	ifc, err := h.admit(&c)
	if err != nil {
		return false, err
	}
	now := time.Now()
	c.Temporary = c.Temporary && !c.Authority
	if c.Publish == PublishedOnly {
		return h.publish(now, ifc, c), nil
	}
	return h.setEntry(now, ifc, c)
}

// admit returns the interface of a change that can be made, and makes the change
// what is to be set.
func (h *Host) admit(c *Change) (*Interface, error) {
	c.IP = c.IP.Unmap()
	if err := c.check(); err != nil {
		return nil, err
	}
	if n, ok := h.routes.Lookup(c.IP); ok && n.Prefix.IsSingleIP() && n.Clones() == nil && c.Publish == Published {
		c.Publish = PublishedOnly // facts/freebsd-arp.md 6.3
	}
	ifc, err := h.interfaceFor(*c)
	if err != nil {
		return nil, err
	}
	return ifc, h.checkNeighbour(ifc, *c)
}

// setEntry is set for an ordinary entry.
func (h *Host) setEntry(now time.Time, ifc *Interface, c Change) (created bool, err error) {
	auto := !c.MAC.IsValid()
	if auto {
		c.MAC = ifc.mac
	}
	e := h.find(ifc, c.IP)
	created = e == nil
	switch {
	case created:
		if e, err = h.create(ifc, c); err != nil {
			return false, err
		}
	case e.anew && c.isOfIPSide():
		h.touch(e.key())
		return false, fmt.Errorf("an administrator has just set it: %w", syscall.EEXIST)
	}
	if c.Action != Forward || e.action != Forward {
		h.decisions.Invalidate() // see leavesBy
	}
	flags, old, wasPublished := e.flags(), e.Addr(), !created && e.publish == Published
	e.origin, e.publish, e.action, e.auto, e.authority = c.Origin, c.Publish, c.Action, auto, c.Authority
	e.installed, e.anew = !c.Known, c.Origin == Administrator && !c.Known && !c.Again
	kind := cache.Pin
	if c.Temporary || c.Origin != Administrator {
		kind = cache.Lend
	}
	h.handle(now, e, cache.Input{Kind: kind, Addr: c.MAC, Age: c.Age})
	e.installed = true
	if e.Addr() == old && e.flags() != flags {
		_ = e.network.Change(e.ip, e.flags()) // the clone is there
	}
	if kind == cache.Pin {
		ifc.untrack(e)
	} else {
		ifc.track(e)
	}
	switch {
	case e.publish == Published:
		h.offer(now, ifc, c, e.Addr(), !wasPublished || e.Addr() != old)
	case wasPublished:
		h.unpublished(ifc, e.ip)
	}
	return created, nil
}

// isOfIPSide reports whether the IP side has told of the binding.
func (c *Change) isOfIPSide() bool { return c.Known || c.Origin == Learned }

// check returns why c makes no sense for whatever host.
func (c *Change) check() error {
	switch ip := c.IP; {
	case !ip.Is4() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback() || ip == limitedBroadcast:
		return fmt.Errorf("not the address of a neighbour: %w", syscall.EINVAL)
	case c.Publish > PublishedOnly || c.Action > Blackhole:
		return fmt.Errorf("%v, %v: no such kind of entry: %w", c.Publish, c.Action, syscall.EINVAL)
	case c.Origin != Administrator && (c.Publish != Unpublished || c.Action != Forward || c.Authority):
		return fmt.Errorf("a %v entry is not published and takes packets: %w", c.Origin, syscall.EINVAL)
	}
	return nil
}

// checkNeighbour returns why c cannot be an entry of an interface.
func (h *Host) checkNeighbour(ifc *Interface, c Change) error {
	auto := !c.MAC.IsValid() && c.Publish != Unpublished
	if err := h.checkOwn(c.IP); err != nil {
		return err
	}
	switch {
	case ifc.isBroadcast(c.IP):
		return fmt.Errorf("it is the broadcast address of %s: %w", ifc.name, syscall.EINVAL)
	case auto:
		return nil
	}
	return ifc.checkMAC(c.MAC)
}

// checkOwn returns why an address cannot be a neighbour's: it is the host's own.
func (h *Host) checkOwn(ip netip.Addr) error {
	if h.ownsAnywhere(ip) {
		return fmt.Errorf("it is an address of this host: %w", syscall.EPERM)
	}
	return nil
}

// interfaceFor returns the interface of a change: the one named, or the one
// whose network the address is in.
func (h *Host) interfaceFor(c Change) (*Interface, error) {
	if c.Interface != "" {
		i := slices.IndexFunc(h.interfaces, func(ifc *Interface) bool { return ifc.name == c.Interface })
		if i < 0 {
			return nil, fmt.Errorf("no interface %q here: %w", c.Interface, syscall.ENXIO)
		}
		if _, ok := h.routes.LookupOn(h.interfaces[i].index, c.IP); !ok {
			return nil, fmt.Errorf("not in a network of %s: %w", c.Interface, syscall.ENETUNREACH)
		}
		return h.interfaces[i], nil
	}
	n, ok := h.routes.Lookup(c.IP)
	if c.Publish != Unpublished && (!ok || n.Clones() == nil) {
		// Who is published lives elsewhere: the network is that of those who ask.
		n, ok = h.connected(c.IP)
	}
	if !ok || n.Clones() == nil {
		return nil, fmt.Errorf("in no network of this host: add an address in its network, or name the interface as \"arp -i IFNAME -s\" does: %w", syscall.ENETUNREACH)
	}
	return h.byIndex(n.Interface), nil
}

// Connected returns the interface that an address is on the link of: that of the
// network of own addresses with the longest prefix around it, whatever routes to
// single hosts lead elsewhere.
func (h *Host) Connected(ip netip.Addr) (*Interface, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, ok := h.connected(ip.Unmap())
	if !ok {
		return nil, false
	}
	return h.byIndex(n.Interface), true
}

// connected returns the network on a link with the longest prefix around an
// address, whatever routes to single hosts lead elsewhere.
func (h *Host) connected(ip netip.Addr) (best *route.Network[entry], ok bool) {
	for _, ifc := range h.interfaces {
		if n, ok := h.routes.LookupOn(ifc.index, ip); ok && !n.Implicit && (best == nil || n.Prefix.Bits() > best.Prefix.Bits()) {
			best = n
		}
	}
	return best, best != nil
}

// Delete removes the entry of an address on an interface, or, if its name is
// empty, on every interface that has one; the published-only entry if there is no
// other (arp(8)). The error wraps ENXIO if there is none, and EPERM for an own
// address.
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
	if !found && !h.deletePublished(ifname, ip) {
		return fmt.Errorf("deleting the entry of %v: no entry: %w", ip, syscall.ENXIO)
	}
	return nil
}

// Flush removes all entries but those of own addresses, of one interface or, if
// its name is empty, of all. It returns what it removed, in the order of
// [Host.Entries].
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
		for _, p := range ifc.publications() {
			gone = append(gone, p.snapshot())
			h.unpublish(p, event.Deleted)
		}
	}
	slices.SortFunc(gone, inOrder)
	return gone
}

// errDeleted is for those that wait for an entry that somebody deletes.
const errDeleted = syscall.ENXIO
