package host

import (
	"iter"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/internal/deadline"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

// entryKey names an entry: an address on an interface.
type entryKey struct {
	index int
	ip    netip.Addr
}

// entry is what a clone of the routing table carries: the ARP entry and what the
// host knows of it besides.
type entry struct {
	cache.Entry
	ifc       *Interface
	network   *route.Network[entry]
	ip        netip.Addr
	source    netip.Addr // preferred sender of requests, invalid if none
	timer     deadline.Timer[timed]
	waiters   []chan answer
	origin    Origin
	place     int     // in ifc.dynamic, -1 if not there
	publish   Publish // not PublishedOnly: see publication
	action    Action
	authority bool // the administrator's word that it is ours
	auto      bool // published with the interface's own address, whichever that is
	installed bool // the IP side was told of it
	anew      bool // an administrator has set it since the IP side was told
	gone      bool // out of the table: whoever still holds it leaves it alone
	// longAddr is the address for lookups if it is not of six bytes.
	longAddr atomic.Pointer[lladdr.Addr]
	// route is the way to the address over the bridges of a Token Ring, nil for
	// none; see sourceroute.go.
	route atomic.Pointer[link.SourceRoute]
}

// answer is what those that wait for an entry get.
type answer struct {
	mac lladdr.Addr
	err error
}

func (e *entry) key() entryKey { return entryKey{e.ifc.index, e.ip} }

// flags are those that the host route of e has of its own.
func (e *entry) flags() route.Flags {
	f := route.LLInfo | orderFlags(e.publish, e.action)
	if e.origin == Administrator {
		f |= route.Static
	}
	return f
}

// used reports whether a lookup has used e since it was made or since Verify
// began.
func (e *entry) used() bool {
	slot := e.network.Clones().Find(route.Key(e.ip))
	return slot != nil && slot.Used()
}

// fire implements [timed].
func (e *entry) fire(h *Host, now time.Time) {
	h.handle(now, e, cache.Input{Kind: cache.Tick, Used: e.State() == cache.Verify && e.used()})
}

// find returns the entry of an address on an interface, or nil.
func (h *Host) find(ifc *Interface, ip netip.Addr) *entry {
	n, ok := h.routes.LookupOn(ifc.index, ip)
	if !ok {
		return nil
	}
	clone, _ := n.Clones().Get(route.Key(ip))
	return clone.Entry
}

// errNoRoom is the limit max_entries on entries that are all in use.
const errNoRoom = syscall.ENOBUFS

// create makes the entry of an address as a change describes it. It is in state
// None until it is handled. What the administrator sets is never refused for want
// of room.
func (h *Host) create(ifc *Interface, c Change) (*entry, error) {
	n, ok := h.routes.LookupOn(ifc.index, c.IP)
	if !ok {
		return nil, syscall.ENETUNREACH
	}
	if c.Origin != Administrator && len(ifc.dynamic) >= ifc.settings.MaxEntries && !h.evict(ifc) {
		return nil, errNoRoom
	}
	e := &entry{Entry: cache.New(&ifc.limits), ifc: ifc, network: n, ip: c.IP, origin: c.Origin, publish: c.Publish, action: c.Action, place: -1}
	e.timer.Value = e
	if err := n.Clone(c.IP, e, e.flags()); err != nil {
		return nil, err
	}
	if c.Origin != Administrator {
		ifc.track(e)
	}
	return e, nil
}

// handle tells an entry what happened and carries the effects out.
func (h *Host) handle(now time.Time, e *entry, in cache.Input) {
	old := e.Addr()
	h.effects = e.Handle(now, in, h.effects[:0])
	if in.Kind != cache.Answer && e.Addr() != old {
		e.route.Store(nil) // it led to the other address
	}
	if e.State() != cache.None {
		if e.Word().Longer() && e.Addr() != old { // though no packet may go there yet
			addr := e.Addr()
			e.longAddr.Store(&addr)
		}
		word := e.word()
		e.network.Clones().Publish(route.Key(e.ip), uint64(word))
		h.timers.Set(&e.timer, e.Deadline())
		if e.Addr() != old {
			h.bindFirst = h.bindFirst || e.installed && old.IsValid() && h.neighbours != nil
			_ = e.network.Change(e.ip, e.flags()) // it only reports; the clone is there
		}
	}
	for _, effect := range h.effects {
		switch effect.Action {
		case cache.Request:
			h.request(e)
		case cache.Bind:
			h.bound(e)
		case cache.Release:
			h.release(e, effect.Packets)
		case cache.Watch:
			e.network.Clones().TakeUsed(route.Key(e.ip))
			h.bound(e)
		case cache.Fail:
			e.answer(answer{err: syscall.EHOSTDOWN})
			h.bound(e)
		case cache.Drop:
			e.ifc.stats.Dropped += uint64(len(effect.Packets))
		case cache.Remove:
			e.ifc.stats.Dropped += uint64(len(effect.Packets))
			e.ifc.stats.Timeouts++
			h.remove(e, syscall.EHOSTDOWN)
		case cache.Report:
			h.reportEntry(now, e, effect)
		}
	}
}

// bound tells those concerned that the binding of an entry changed.
func (h *Host) bound(e *entry) {
	if e.State().Usable() {
		e.answer(answer{mac: e.Addr(), err: e.refusal()})
	}
	if e.installed {
		h.touch(e.key())
	}
}

// answer tells those that wait. Their channels have room for one answer.
func (e *entry) answer(a answer) {
	for _, w := range e.waiters {
		w <- a
	}
	e.waiters = nil
}

// release sends the packets that waited for an entry, if it takes packets now.
func (h *Host) release(e *entry, packets [][]byte) {
	for _, p := range packets {
		if e.action != Forward || !h.sendTo(e, p) {
			e.ifc.stats.Dropped++
		}
	}
}

// remove takes an entry out of the table. Those that wait for it get the error.
func (h *Host) remove(e *entry, why error) {
	h.forget(e, why)
	// The clone is there: entries and clones come and go together.
	_ = e.network.Remove(e.ip)
}

// forget is what happens to an entry whose clone goes or has gone.
func (h *Host) forget(e *entry, why error) {
	e.gone = true
	if e.action != Forward {
		h.decisions.Invalidate() // there may be a route now: see leavesBy
	}
	h.timers.Remove(&e.timer)
	e.ifc.untrack(e)
	e.ifc.stats.Dropped += uint64(e.Held())
	e.answer(answer{err: why})
	if e.installed {
		h.touch(e.key())
	}
	h.unpublished(e.ifc, e.ip)
}

// deleteEntry is remove with the event, for what does not end by its own time.
func (h *Host) deleteEntry(e *entry, why error) {
	h.record(event.Event{Type: event.Deleted, Interface: e.ifc.name, IP: e.ip, MAC: e.Addr()})
	h.remove(e, why)
}

// track counts an entry against max_entries and lets it be evicted. Permanent
// ones are not.
func (i *Interface) track(e *entry) {
	if e.place >= 0 {
		return
	}
	e.place = len(i.dynamic)
	i.dynamic = append(i.dynamic, e)
}

func (i *Interface) untrack(e *entry) {
	if e.place < 0 {
		return
	}
	last := len(i.dynamic) - 1
	i.dynamic[e.place] = i.dynamic[last]
	i.dynamic[e.place].place = e.place
	i.dynamic[last] = nil
	i.dynamic = i.dynamic[:last]
	e.place = -1
}

// entries iterates over the entries of an interface, in no order.
func (i *Interface) entries() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, n := range i.networks {
			for _, clone := range n.Clones().All() {
				if !yield(clone.Entry) {
					return
				}
			}
		}
	}
}

// addNetwork adds a network on the link of an interface. The entries that a
// shorter prefix had in it are its own from then on, with all they have: an
// address that is added to an interface ends nobody's conversation.
func (h *Host) addNetwork(ifc *Interface, spec route.Spec) error {
	h.moving, h.moved = true, nil
	n, err := h.routes.Add(spec)
	h.moving = false
	if err != nil {
		return err
	}
	ifc.networks = append(ifc.networks, n)
	h.rehome()
	return nil
}

// deleteNetwork deletes a network. Its entries move to the one that has their
// addresses now: the one around it, or the implicit one, as Linux keeps its
// neighbours when an address goes.
func (h *Host) deleteNetwork(n *route.Network[entry]) error {
	h.moving, h.moved = true, nil
	err := h.routes.Delete(n)
	h.moving = false
	h.rehome()
	return err
}

// rehome makes the clones of entries whose network is another one now. Those that
// are in no network any more go.
func (h *Host) rehome() {
	for _, e := range h.moved {
		n, ok := h.routes.LookupOn(e.ifc.index, e.ip)
		if !ok || n.Clone(e.ip, e, e.flags()) != nil {
			h.record(event.Event{Type: event.Deleted, Interface: e.ifc.name, IP: e.ip, MAC: e.Addr()})
			h.forget(e, syscall.ENETUNREACH)
			continue
		}
		e.network = n
		e.markUsed()
		n.Clones().Publish(route.Key(e.ip), uint64(e.word()))
	}
	h.moved = nil
}

// routeChanged takes the messages of the routing table: each becomes an event,
// and an entry whose clone goes with its network goes too.
func (h *Host) routeChanged(m route.Message[entry]) {
	h.reportRoute(m)
	e := m.Entry
	if e == nil && m.Type != route.Miss {
		h.decisions.Invalidate() // some may be of this table: see askRoutes
	}
	switch {
	case m.Type != route.Delete:
	case e == nil:
		if ifc := h.byIndex(m.Interface); ifc != nil {
			h.unpublishIn(ifc, m.Prefix)
		}
	case e.gone:
	case h.moving:
		h.moved = append(h.moved, e)
	default:
		h.record(event.Event{Type: event.Deleted, Interface: e.ifc.name, IP: e.ip, MAC: e.Addr()})
		h.forget(e, syscall.ENETUNREACH)
	}
}
