package host

import (
	"net/netip"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/route"
)

// Miss is an address that an IP side asks for.
type Miss struct {
	IP     netip.Addr
	Source netip.Addr // preferred sender address of the request, invalid if none
	// Confirm says that the IP side has a binding, uses it, and wants to hear
	// whether it still holds: Linux' state PROBE.
	Confirm bool
}

// Demand asks for addresses on behalf of the IP side, which holds the packets
// itself. Demand lasts until [Neighbours] is told an answer or an error, which is
// at once where the interface may not ask. The bindings of these addresses are told
// from then on.
func (i *Interface) Demand(misses []Miss) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if i.detached {
		return
	}
	now := time.Now()
	for _, m := range misses {
		h.demand(now, i, m)
	}
}

func (h *Host) demand(now time.Time, ifc *Interface, m Miss) {
	if !m.IP.Is4() || m.IP.IsUnspecified() || m.IP.IsMulticast() || ifc.isBroadcast(m.IP) || ifc.owns(m.IP) {
		return // nobody's address to ask for
	}
	e := h.find(ifc, m.IP)
	if e == nil {
		var err error
		if e, err = h.create(ifc, Change{IP: m.IP, Origin: Demanded}); err != nil {
			ifc.stats.Refused++
			h.resolveFailed(now, ifc, m.IP, "llinfo")
			return
		}
	}
	e.installed = true
	if e.action != Forward {
		h.touch(e.key()) // the IP side has lost it
		return
	}
	e.source = m.Source
	e.markUsed()
	if m.Confirm && e.State().Usable() {
		h.handle(now, e, cache.Input{Kind: cache.Use})
		return
	}
	h.record(event.Event{Type: event.Missed, Interface: ifc.name, IP: m.IP})
	if ifc.mode != On && !e.State().Usable() {
		h.deny(now, e)
		return
	}
	h.handle(now, e, cache.Input{Kind: cache.Demand, Await: true})
	h.touch(e.key())
}

// deny ends the demand for an address that ARP may not ask for: who waits gets
// EINVAL (facts/freebsd-arp.md 2.2 step 5), and the IP side an error now and not
// after maxtries seconds.
func (h *Host) deny(now time.Time, e *entry) {
	e.answer(answer{err: errNotAsked})
	h.handle(now, e, cache.Input{Kind: cache.Deny})
}

// markUsed notes that the entry is in use, as a lookup does.
func (e *entry) markUsed() {
	if slot := e.network.Clones().Find(route.Key(e.ip)); slot != nil {
		slot.MarkUsed()
	}
}

// Used tells the host that the IP side has used the binding of an address.
func (i *Interface) Used(ip netip.Addr) { i.host.used(entryKey{i.index, ip}) }

// used is evidence of use: an entry about to expire is validated.
func (h *Host) used(key entryKey) {
	h.mu.Lock()
	defer h.unlock()
	ifc := h.byIndex(key.index)
	if ifc == nil {
		return
	}
	e := h.find(ifc, key.ip)
	if e == nil || e.action != Forward {
		return
	}
	e.markUsed()
	if e.State() == cache.Verify {
		h.handle(time.Now(), e, cache.Input{Kind: cache.Use})
	}
}

// Lost tells the host that the IP side does not have the binding of an address
// that it was told. What an administrator has set is told again; another entry is
// deleted.
func (i *Interface) Lost(ip netip.Addr) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	e := h.find(i, ip)
	if e == nil {
		return
	}
	if e.origin == Administrator {
		h.touch(e.key())
		return
	}
	h.deleteEntry(e, errDeleted)
}

// Forget tells the host that somebody has deleted the binding of an address on
// the IP side: the entry is deleted, whoever made it. But one that an administrator has
// set since the IP side was told stays, and is told: what was deleted was the one
// before. Forget reports whether there is no entry any more.
func (i *Interface) Forget(ip netip.Addr) bool {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	e := h.find(i, ip)
	switch {
	case e == nil:
		return true
	case e.anew:
		h.touch(e.key())
		return false
	}
	e.installed = false // the IP side knows
	h.deleteEntry(e, errDeleted)
	return true
}

// Tell makes the host tell the IP side the binding of an address again.
func (i *Interface) Tell(ip netip.Addr) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if e := h.find(i, ip); e != nil && e.installed {
		h.touch(e.key())
	}
}
