package host

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/internal/deadline"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
	"github.com/isat-project/isat/route"
)

// Publish says whether requests for the address of an entry are answered: pub
// and "pub only" of arp(8).
type Publish uint8

// The kinds of publication.
const (
	// Unpublished entries are for the host's own traffic.
	Unpublished Publish = iota
	// Published entries are that too, and requests for the address are answered.
	Published
	// PublishedOnly entries answer and carry no traffic. FreeBSD has a routing key
	// of their own for them (SIN_PROXY): an address may have one beside its
	// ordinary entry.
	PublishedOnly
)

// String returns the word of the configuration: "false", "true" or "only".
func (p Publish) String() string {
	names := [...]string{"false", "true", "only"}
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("publish %d", uint8(p))
}

// publication is a published-only entry.
type publication struct {
	ifc       *Interface
	ip        netip.Addr
	mac       lladdr.Addr // the zero Addr is the interface's own
	action    Action      // listed; no packet ever comes here
	origin    Origin
	authority bool
	temporary bool
	since     time.Time // when a temporary one was set
	// known says that the IP side published it before the host knew: it is not
	// announced unless somebody asks for that.
	known bool
	timer deadline.Timer[timed]
}

// addr returns the link-layer address to answer with.
func (p *publication) addr() lladdr.Addr {
	if p.mac.IsValid() {
		return p.mac
	}
	return p.ifc.mac
}

// expires returns when p ends, the zero time if never.
func (p *publication) expires() time.Time {
	if !p.temporary {
		return time.Time{}
	}
	return p.since.Add(p.ifc.settings.MaxAge)
}

// flags are those of its host route (facts/freebsd-arp.md 2.5: UHLS2).
func (p *publication) flags() route.Flags {
	return route.Up | route.Host | route.LLInfo | route.Static | orderFlags(PublishedOnly, p.action)
}

// fire implements [timed].
func (p *publication) fire(h *Host, _ time.Time) {
	p.ifc.stats.Timeouts++
	h.unpublish(p, event.Expired)
}

func (p *publication) snapshot() Entry {
	state := cache.Permanent
	if p.temporary {
		state = cache.Reachable
	}
	return Entry{
		Interface: p.ifc.name, Index: p.ifc.index, Type: p.ifc.framing.HardwareType().String(),
		IP: p.ip, MAC: p.addr(), Auto: !p.mac.IsValid(), State: state, Expires: p.expires(), Flags: p.flags(),
		Origin: p.origin, Publish: PublishedOnly, Action: p.action, Told: p.known, Authority: p.authority,
		Probed: p.ifc.proxied[p.ip] != nil,
	}
}

// publish makes or changes a published-only entry and reports whether it is new.
func (h *Host) publish(now time.Time, ifc *Interface, c Change) (created bool) {
	p := ifc.published[c.IP]
	created = p == nil
	if created {
		p = &publication{ifc: ifc, ip: c.IP}
		p.timer.Value = p
		ifc.published[c.IP] = p
	}
	old := p.addr()
	p.mac, p.action, p.origin, p.known = c.MAC, c.Action, c.Origin, c.Known
	p.temporary, p.since, p.authority = c.Temporary, now.Add(-c.Age), c.Authority
	h.timers.Set(&p.timer, p.expires())
	if created {
		h.reportPublication(p, event.Added, event.RouteAdd)
	} else {
		h.reportPublication(p, event.Changed, event.RouteChange)
	}
	h.offer(now, ifc, c, p.addr(), created || p.addr() != old)
	return created
}

// unpublish removes a published-only entry.
func (h *Host) unpublish(p *publication, why event.Type) {
	h.timers.Remove(&p.timer)
	delete(p.ifc.published, p.ip)
	h.unpublished(p.ifc, p.ip)
	h.reportPublication(p, why, event.RouteDelete)
}

// reportPublication tells what happened to a published-only entry and to its host
// route.
func (h *Host) reportPublication(p *publication, what, ofRoute event.Type) {
	h.record(event.Event{Type: what, Interface: p.ifc.name, IP: p.ip, MAC: p.addr(), Severity: event.Debug,
		Message: fmt.Sprintf("isat: %v (proxy only) on %s: %v", p.ip, p.ifc.name, what)})
	h.record(event.Event{Type: ofRoute, Interface: p.ifc.name, IP: p.ip, MAC: p.addr()})
}

// unpublishIn removes the published-only entries of an interface that are in no
// network any more, after one is gone: ordinary ones stay likewise in the network
// around theirs.
func (h *Host) unpublishIn(ifc *Interface, gone netip.Prefix) {
	for _, p := range ifc.publications() {
		if _, ok := h.routes.LookupOn(ifc.index, p.ip); !ok && gone.Contains(p.ip) {
			h.unpublish(p, event.Deleted)
		}
	}
}

// publications returns the published-only entries by address.
func (i *Interface) publications() []*publication {
	return slices.SortedFunc(maps.Values(i.published), func(a, b *publication) int { return a.ip.Compare(b.ip) })
}

// published tells whether an address has a published entry and, if it is on ifc,
// the link-layer address to answer with; the zero Addr is the interface's own. A
// published-only entry precedes the ordinary one: its key is that of the question.
func (h *Host) published(ifc *Interface, ip netip.Addr) (proxy.Publication, lladdr.Addr) {
	switch mac, ok := h.publishedOn(ifc, ip); {
	case ok && !ifc.verified(ip):
		return proxy.PublishedUnverified, lladdr.Addr{}
	case ok:
		return proxy.PublishedHere, mac
	}
	for _, other := range h.interfaces {
		if _, ok := h.publishedOn(other, ip); ok {
			return proxy.PublishedElsewhere, lladdr.Addr{}
		}
	}
	return proxy.Unpublished, lladdr.Addr{}
}

func (h *Host) publishedOn(ifc *Interface, ip netip.Addr) (lladdr.Addr, bool) {
	if p := ifc.published[ip]; p != nil {
		return p.mac, true
	}
	e := h.find(ifc, ip)
	switch {
	case e == nil || e.gone || e.publish != Published:
		return lladdr.Addr{}, false
	case e.auto:
		return lladdr.Addr{}, true
	}
	return e.Addr(), true
}

// announcePublished announces what an interface publishes, as its own addresses
// are: those who heard of them by an older address, or on another link, would
// keep that for as long as their entries live. FreeBSD announces none of them
// again. What is published for an address that became the host's own is not in
// force, and what package acd watches is announced by it.
func (h *Host) announcePublished(ifc *Interface) {
	for e := range ifc.entries() {
		if e.publish == Published && ifc.proxied[e.ip] == nil && !h.ownsAnywhere(e.ip) {
			h.announceAs(ifc, e.ip, e.Addr())
		}
	}
	for _, p := range ifc.publications() {
		if !p.known && ifc.proxied[p.ip] == nil && !h.ownsAnywhere(p.ip) {
			h.announceAs(ifc, p.ip, p.addr())
		}
	}
}

// followMAC gives published entries without an address of their own the new one
// of the interface.
func (h *Host) followMAC(now time.Time, ifc *Interface) {
	for e := range ifc.entries() {
		if !e.auto {
			continue
		}
		in := cache.Input{Kind: cache.Pin, Addr: ifc.mac}
		if expires := e.Expires(); !expires.IsZero() {
			in.Kind, in.Age = cache.Lend, ifc.limits.MaxAge-expires.Sub(now)
		}
		h.handle(now, e, in)
	}
}

// DeletePublished removes the published-only entry of an address on an interface,
// or, if its name is empty, on every interface that has one. The error wraps ENXIO
// if there is none.
func (h *Host) DeletePublished(ifname string, ip netip.Addr) error {
	h.mu.Lock()
	defer h.unlock()
	if !h.deletePublished(ifname, ip.Unmap()) {
		return fmt.Errorf("deleting the published entry of %v: no entry: %w", ip, syscall.ENXIO)
	}
	return nil
}

func (h *Host) deletePublished(ifname string, ip netip.Addr) (found bool) {
	for _, ifc := range h.interfaces {
		if p := ifc.published[ip]; p != nil && (ifname == "" || ifc.name == ifname) {
			h.unpublish(p, event.Deleted)
			found = true
		}
	}
	return found
}
