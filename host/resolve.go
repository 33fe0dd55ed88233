package host

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

// Lookup returns the link-layer address that packets to ip go to, if it is
// known: that of the destination or of its gateway. It takes no lock, does not
// allocate and does not ask the wire; it marks the entry as in use.
func (h *Host) Lookup(ip netip.Addr) (lladdr.Addr, bool) {
	n, next, ok := h.next(ip)
	if !ok {
		return lladdr.Addr{}, false
	}
	return h.lookup(n, next)
}

// next returns the network on the link and the address in it that a packet to ip
// goes to, and whether there is one. It is the short form of nextHop, for the
// path of every packet: its results stay in registers.
func (h *Host) next(ip netip.Addr) (*route.Network[entry], netip.Addr, bool) {
	n, ok := h.routes.Lookup(ip)
	if !ok || n.Clones() != nil {
		return n, ip, ok
	}
	hop, ok := h.routes.NextHop(ip)
	if !ok || hop.Network == nil || isGroup(ip) {
		return nil, ip, false
	}
	return hop.Network, hop.Addr, true
}

// lookup is Lookup for a next hop.
func (h *Host) lookup(n *route.Network[entry], ip netip.Addr) (lladdr.Addr, bool) {
	w := h.word(n, ip)
	if !w.Usable() || w.Longer() {
		return longer(n, ip, w)
	}
	return w.Addr(), true
}

// word reads the word of a clone, 0 if there is none, and marks it used. Callers
// make the address themselves: it is 21 bytes, and copying what was just written
// byte by byte costs more than all the rest.
func (h *Host) word(n *route.Network[entry], ip netip.Addr) cache.Word {
	slot := n.Clones().Find(route.Key(ip))
	if slot == nil {
		return 0
	}
	w := cache.Word(slot.Word())
	if w.Usable() && !slot.Used() {
		slot.MarkUsed()
		if w.Watched() {
			h.noteUse(entryKey{n.Interface, ip})
		}
	}
	return w
}

// longer returns what a word does not say: an address that is not of six bytes,
// or none.
func longer(n *route.Network[entry], ip netip.Addr, w cache.Word) (lladdr.Addr, bool) {
	if !w.Usable() {
		return lladdr.Addr{}, false
	}
	clone, ok := n.Clones().Get(route.Key(ip))
	if !ok {
		return lladdr.Addr{}, false
	}
	// The clone may be another than the one whose word was read.
	a := clone.Entry.longAddr.Load()
	if a == nil {
		return lladdr.Addr{}, false
	}
	return *a, true
}

// noteUse hands the note that an entry in Verify is in use to the goroutine of
// the timers. If that is behind, the mark in the slot is found when the entry's
// time is over.
func (h *Host) noteUse(key entryKey) {
	select {
	case h.uses <- key:
	default:
	}
}

// Resolve returns the link-layer address that packets to ip go to: from the
// table, or by asking the wire. It asks once a second until there is an answer,
// maxtries are exhausted or ctx is done.
//
// The error wraps EHOSTDOWN if the destination does not answer, EHOSTUNREACH if
// its gateway does not (seeds/002) or if it is a blackhole, ENETUNREACH if there is
// no route, ENETDOWN
// if the link is down, EINVAL where ARP may not ask, ENOBUFS if max_entries are in
// use, ENXIO if somebody deletes the entry meanwhile, or that of ctx.
func (h *Host) Resolve(ctx context.Context, ip netip.Addr) (lladdr.Addr, error) {
	ip = ip.Unmap()
	if mac, ok := h.Lookup(ip); ok {
		return mac, nil
	}
	hop, err := h.nextHop(ip)
	switch {
	case err != nil:
		return lladdr.Addr{}, fmt.Errorf("resolving %v: %w", ip, err)
	case hop.Network == nil:
		return lladdr.Addr{}, fmt.Errorf("resolving %v: a blackhole route: %w", ip, syscall.EHOSTUNREACH)
	}
	mac, err := h.await(ctx, hop.Network.Interface, hop.Addr)
	err = hopError(err, hop.Gateway)
	if err != nil {
		return lladdr.Addr{}, fmt.Errorf("resolving %v: %w", ip, err)
	}
	return mac, nil
}

// Resolve is [Host.Resolve] for a next hop on this interface: the routes of
// other interfaces, and gateways, do not matter.
func (i *Interface) Resolve(ctx context.Context, ip netip.Addr) (lladdr.Addr, error) {
	ip = ip.Unmap()
	if n, ok := i.host.routes.LookupOn(i.index, ip); ok {
		if mac, ok := i.host.lookup(n, ip); ok {
			return mac, nil
		}
	}
	mac, err := i.host.await(ctx, i.index, ip)
	if err != nil {
		return lladdr.Addr{}, fmt.Errorf("resolving %v on %s: %w", ip, i.Name(), err)
	}
	return mac, nil
}

// await demands an address and waits for what becomes of it.
func (h *Host) await(ctx context.Context, index int, ip netip.Addr) (lladdr.Addr, error) {
	h.mu.Lock()
	e, mac, err := h.resolvable(index, ip)
	if e == nil || err != nil {
		h.unlock()
		return mac, err
	}
	if e.usable() {
		mac := e.Addr()
		h.unlock()
		return mac, nil
	}
	w := make(chan answer, 1)
	e.waiters = append(e.waiters, w)
	h.handle(time.Now(), e, cache.Input{Kind: cache.Demand, Await: true})
	e.markUsed()
	h.unlock()

	select {
	case a := <-w:
		return a.mac, a.err
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.unlock()
	e.waiters = slices.DeleteFunc(e.waiters, func(other chan answer) bool { return other == w })
	if len(e.waiters) == 0 && !e.installed && !e.gone {
		e.Abandon()
		h.timers.Set(&e.timer, e.Deadline())
	}
	return lladdr.Addr{}, ctx.Err()
}

// resolvable returns the entry of an address to ask for, made if need be; or, for
// an address that is never asked for, the link-layer address itself.
func (h *Host) resolvable(index int, ip netip.Addr) (*entry, lladdr.Addr, error) {
	ifc := h.byIndex(index)
	if ifc == nil || h.ended {
		return nil, lladdr.Addr{}, syscall.ENETDOWN
	}
	switch {
	case !ip.Is4() || ip.IsUnspecified():
		return nil, lladdr.Addr{}, syscall.EINVAL
	case h.owner(ip) != nil:
		return nil, h.owner(ip).mac, nil
	case ifc.isBroadcast(ip):
		return nil, ifc.framing.Broadcast(), nil
	case ip.IsMulticast():
		return nil, ifc.framing.Multicast(ip), nil
	}
	e := h.find(ifc, ip)
	switch {
	case e != nil && e.action != Forward:
		return nil, lladdr.Addr{}, e.refusal()
	case e != nil && e.usable():
		return e, lladdr.Addr{}, nil
	case !ifc.up:
		return nil, lladdr.Addr{}, syscall.ENETDOWN
	case ifc.mode != On:
		if node, ok := ifc.nodeOf(ip); ok {
			return nil, node, nil
		}
		return nil, lladdr.Addr{}, errNotAsked
	case e != nil:
		return e, lladdr.Addr{}, nil
	}
	e, err := h.create(ifc, Change{IP: ip, Origin: Demanded})
	if err != nil {
		h.resolveFailed(time.Now(), ifc, ip, "llinfo")
	}
	return e, lladdr.Addr{}, err
}

// failWaiters ends all waiting: the host has ended.
func (h *Host) failWaiters() {
	for _, ifc := range h.interfaces {
		for e := range ifc.entries() {
			e.answer(answer{err: syscall.ENETDOWN})
		}
	}
}
