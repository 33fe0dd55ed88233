package takeover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
)

// runChanges follows what happens to the machine until the socket is closed.
func (m *Manager) runChanges(ctx context.Context) error {
	for {
		m.written.turn()
		batch, err := m.changes.Receive()
		m.follow(batch)
		if m.changes.Emptied() {
			m.written.forget()
		}
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, rtnl.ErrOverrun):
			m.overrun("changes")
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("receiving the kernel's changes: %w", err)
		}
	}
}

// follow handles a batch of changes. Addresses and local routes are read again
// once, however many changed.
func (m *Manager) follow(batch []rtnl.Change) {
	machine, settings := false, false
	m.mu.Lock()
	defer m.mu.Unlock()
	addressed := m.unread // interfaces whose addresses changed
	m.unread = nil
	for _, c := range batch {
		switch c := c.(type) {
		case rtnl.NeighbourChange:
			m.neighbourChanged(c)
		case rtnl.LinkChange:
			m.linkChanged(c)
			machine = true
		case rtnl.AddrChange:
			if !slices.Contains(addressed, c.Addr.Index) {
				addressed = append(addressed, c.Addr.Index)
			}
			m.touched(c)
			machine = true
		case rtnl.RouteChange:
			machine = true
		case rtnl.ConfChange:
			settings = true
		}
	}
	m.compare()
	for _, index := range addressed {
		if err := m.readdress(index); errors.Is(err, rtnl.ErrInterrupted) {
			m.unread = append(m.unread, index)
			m.log.Debug("addresses change while they are read", "error", err)
		} else if err != nil {
			m.log.Error("reading addresses", "error", err)
		}
	}
	if settings {
		m.reread() // the machine, too
	} else if machine {
		m.followMachine()
	}
	if len(addressed) > 0 { // one that was the machine's may be a neighbour's now
		if err := m.settle(); err != nil {
			m.log.Warn("an entry of the configuration is not set", "error", err)
		}
	}
}

// followMachine reads what is local to the machine. That it changes while it is read
// is no error: the next batch has the change, and it is read again.
func (m *Manager) followMachine() {
	switch err := m.readMachine(); {
	case errors.Is(err, rtnl.ErrInterrupted):
		m.log.Debug("the machine's addresses change while they are read", "error", err)
	case err != nil:
		m.log.Error("reading the machine's addresses", "error", err)
	}
}

// neighbourChanged follows a change of the kernel's table that is not isat's.
func (m *Manager) neighbourChanged(c rtnl.NeighbourChange) {
	n := c.Neighbour
	t := m.get(n.Index)
	switch {
	case n.Flags&rtnl.FlagProxy != 0:
		return
	case t == nil && c.Deleted && m.left[n.Index] != nil:
		m.hasLeft(n.Index, n.IP)
		return
	case t == nil || t.spec.Observe:
		return
	}
	kernel := c.PortID == 0
	switch {
	case c.Deleted && t.deleted(n.IP):
		// An own deletion: the kernel does not say whose it was.
	case c.Deleted && n.State != rtnl.StateFailed:
		m.neighbourFlushed(t, n.IP)
	case !c.Deleted && n.State != rtnl.StatePermanent && kernel && n.Flags&rtnl.FlagExtLearned != 0:
		m.neighbourUsed(t, n)
	default:
		m.betweenWrites(func() { m.othersChanged(t, c) })
	}
}

// betweenWrites calls f while nothing is being written: what the host had told before is
// written, and what it tells meanwhile may be late, see isLate.
func (m *Manager) betweenWrites(f func()) {
	m.updating.Lock()
	defer m.updating.Unlock()
	f()
}

// othersChanged follows what others may have done to the kernel's entry. updating is
// held.
func (m *Manager) othersChanged(t *taken, c rtnl.NeighbourChange) {
	n, kernel := c.Neighbour, c.PortID == 0
	switch {
	case m.isOldNews(t, n):
		// An administrator has set it with isat since, and that is what the kernel has.
	case c.Deleted:
		m.neighbourDeleted(t, n.IP)
	case n.State == rtnl.StatePermanent:
		n.Protocol = 0 // the kernel keeps isat's mark on what others change
		m.adopt(t, n, 0)
	case n.State == rtnl.StateNoARP:
		m.neighbourReplaced(t, n.IP)
	case kernel && n.State&anyDynamic != 0 && n.Protocol != rtnl.ProtocolISAT && m.isOurs(t, n.IP) && running(t.present()) && !m.isBack(t, n):
		// Old news of the kernel's own ARP: an entry that isat has put there keeps
		// isat's mark, whoever changes it.
	case n.State&anyDynamic != 0:
		// By ip neigh; by arp -s ... temp, an ioctl, which comes with the port id 0
		// and takes the flag off (neigh_update_flags); or learned by the kernel
		// between a hang and the next guard.
		m.adopt(t, n, 0)
	case !kernel && n.State == rtnl.StateFailed:
		m.neighbourDeleted(t, n.IP) // ip neigh del goes by FAILED
	}
	// INCOMPLETE comes as a miss, and FAILED is the kernel's view.
}

// isBack reports whether the kernel has an entry, as it is told, of an address of which
// isat has put none there: packets to it are rejected or vanish.
func (m *Manager) isBack(t *taken, told rtnl.Neighbour) bool {
	if !slices.ContainsFunc(m.host.Entry(told.IP), func(e host.Entry) bool { return e.Index == t.index && e.Action != host.Forward }) {
		return false
	}
	n, err := m.conn.Neighbour(t.index, told.IP)
	return err == nil && n.State.Valid() && n.MAC == told.MAC
}

// anyDynamic are the states of an entry with an address that was asked for.
const anyDynamic = rtnl.StateReachable | rtnl.StateStale | rtnl.StateDelay | rtnl.StateProbe

// neighbourUsed is a transition that the kernel made by itself of an entry that
// isat has put there: the entry is in use (DESIGN section 4, Use detection), except
// when it only became STALE.
func (m *Manager) neighbourUsed(t *taken, n rtnl.Neighbour) {
	if n.State&(anyDynamic&^rtnl.StateStale) != 0 {
		t.ifc.Used(n.IP)
	}
}

// neighbourDeleted is a deletion by an administrator: netlink and the ioctl make
// the entry FAILED first. The deletion itself comes without the port id of its
// requester, and may be old news.
//
// Where isat does not write, what is told in order is enough. Asking the kernel
// then would even do harm: while it looks an entry up for us it cannot take it out
// of its table (neigh_remove_one), and the administrator's next "ip neigh add" of
// the address fails with EEXIST. updating is held.
func (m *Manager) neighbourDeleted(t *taken, ip netip.Addr) {
	entry, ok := m.entry(t, ip)
	if !ok {
		return
	}
	t.mu.Lock()
	_, foreign := t.foreign[ip]
	t.mu.Unlock()
	lately, anew := m.written.lately(t.index, ip)
	if !foreign || lately {
		if n, err := m.conn.Neighbour(t.index, ip); err == nil && n.State != rtnl.StateFailed {
			// It is there again: others have added it, or isat has, because it was set
			// anew or because isat had not heard of the deletion. Only the last is to be
			// undone, and only where isat's mark says that it is that: what isat puts
			// back of others' has none, and others would lose what they have added.
			if lately && !anew && !foreign && isRewritten(n, entry) && m.forget(t, ip) {
				m.deleteWritten(t, ip)
			}
			return
		}
	}
	m.forget(t, ip)
}

// isRewritten reports whether the kernel's entry is what isat makes of its own, and not
// being deleted.
func isRewritten(n rtnl.Neighbour, e host.Entry) bool {
	return n.Protocol == rtnl.ProtocolISAT && n.State.Valid() && n.MAC == e.MAC && (n.State == rtnl.StatePermanent) == (e.State == cache.Permanent)
}

// neighbourReplaced is when others have made an entry one that needs no ARP, which
// is none of isat's. If isat has written its own over that, because it had not heard of
// it, that is deleted: as far as it can be told, others may have set another since, and
// the kernel tells of that next. updating is held.
func (m *Manager) neighbourReplaced(t *taken, ip netip.Addr) {
	isOverwritten := false
	if lately, _ := m.written.lately(t.index, ip); lately {
		if entry, ok := m.entry(t, ip); ok {
			k, err := m.conn.Neighbour(t.index, ip)
			isOverwritten = err == nil && isRewritten(k, entry)
		}
	}
	if m.forget(t, ip) && isOverwritten {
		m.deleteWritten(t, ip)
	}
}

// isOldNews reports whether what the kernel tells of an entry that others have changed is
// older than what it has: what an administrator has set with isat since. What is the same
// as that is no old news: others have made it theirs. updating is held.
func (m *Manager) isOldNews(t *taken, told rtnl.Neighbour) bool {
	if _, anew := m.written.lately(t.index, told.IP); !anew {
		return false
	}
	entry, ok := m.entry(t, told.IP)
	if !ok {
		return false
	}
	k, err := m.conn.Neighbour(t.index, told.IP)
	if entry.Action != host.Forward { // its route is enough
		return rtnl.IsNotExist(err) || err == nil && !k.State.Valid()
	}
	isSame := told.MAC == k.MAC && (told.State == rtnl.StatePermanent) == (k.State == rtnl.StatePermanent) && told.State != rtnl.StateNoARP
	k.Protocol = rtnl.ProtocolISAT // what others had set the same goes back without the mark
	return err == nil && isRewritten(k, entry) && !isSame
}

// forget deletes the entry of an address that others have deleted or replaced in the
// kernel, with its route, and reports whether it has: an administrator may have set it
// meanwhile. updating is held.
func (m *Manager) forget(t *taken, ip netip.Addr) bool {
	t.mu.Lock()
	delete(t.foreign, ip)
	t.mu.Unlock()
	m.Administered() // one that stays is isat's now
	if !t.ifc.Forget(ip) {
		return false
	}
	m.forgotten = true
	m.replaced(t, ip)
	return true
}

// entry returns the entry of an address that the host has on an interface, the ordinary
// one if there is one.
func (m *Manager) entry(t *taken, ip netip.Addr) (entry host.Entry, ok bool) {
	for _, e := range m.host.Entry(ip) {
		if e.Index == t.index && (!ok || e.Publish != host.PublishedOnly) {
			entry, ok = e, true
		}
	}
	return entry, ok
}

// neighbourFlushed is a deletion by the kernel, which flushes all entries of an
// interface that goes down or changes its MAC, and tells of the link before or
// after: what an administrator has set is to be there again.
func (m *Manager) neighbourFlushed(t *taken, ip netip.Addr) {
	l, err := m.conn.Link(t.index)
	t.mu.Lock()
	same := err == nil && l.MAC == t.link.MAC && running(l) && running(t.link)
	t.mu.Unlock()
	if !same {
		return // the link's own change takes care of its entries
	}
	if _, err := m.conn.Neighbour(t.index, ip); err != nil {
		t.ifc.Lost(ip)
	}
}

// readMachine tells the host what is local to the machine: addresses and MACs of
// interfaces that are not taken over, too.
func (m *Manager) readMachine() error {
	routes, err := m.conn.Routes(rtnl.TableLocal)
	if err != nil {
		return err
	}
	addrs, err := m.conn.Addrs(0)
	if err != nil {
		return err
	}
	// The scope is the address's; local routes are of scope host, all of them.
	wider := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		wider[a.Local] = wider[a.Local] || a.Scope != rtnl.ScopeHost
	}
	local := make([]host.Address, 0, len(addrs))
	for _, r := range routes {
		if r.Type == rtnl.RouteLocal {
			local = append(local, host.Address{Prefix: r.Dst, HostScope: !wider[r.Dst.Addr()]})
		}
	}
	m.host.SetLocal(local)
	links, err := m.conn.Links()
	if err != nil {
		return err
	}
	all, err := rtnl.AllInetConf()
	if err != nil {
		return err
	}
	var siblings []host.Sibling
	byIndex := make(map[int]rtnl.Link, len(links))
	for _, l := range links {
		byIndex[l.Index] = l
		if l.MAC.Len() == 6 && !l.MAC.IsZero() {
			siblings = append(siblings, host.Sibling{Name: l.Name, MAC: l.MAC, Answers: m.kernelAnswers(l, &all)})
		}
	}
	m.host.SetSiblings(siblings)
	m.links.Store(&byIndex)
	m.host.InvalidateRoutes() // by the names and settings of these
	m.changed()
	return nil
}

// kernelAnswers reports whether the kernel's ARP on an interface answers for
// addresses of others.
func (m *Manager) kernelAnswers(l rtnl.Link, all *rtnl.InetConf) bool {
	if m.isPort(l) || m.get(l.Index) != nil || l.IPv4 == nil || !l.Up() || l.Flags&rtnl.LinkNoARP != 0 || l.Master != 0 {
		return false
	}
	switch rtnl.EffectiveConf(rtnl.ConfARPIgnore, all, l.IPv4) {
	case 1, 2, 8:
		return false
	}
	return true
}

// confInterval is how often settings are read again of which the kernel sends no
// notification: all but those of [rtnl.ConfChange].
const confInterval = 5 * time.Second

// reread follows arp_ignore and its like, which change without a notification.
// mu is held.
func (m *Manager) reread() {
	m.followMachine()
	for _, t := range *m.taken.Load() {
		l, err := m.conn.Link(t.index)
		if err != nil {
			continue
		}
		p, err := m.honour(t.spec, l)
		t.mu.Lock()
		said := t.refused
		t.refused = err
		t.link.IPv4 = l.IPv4
		t.mu.Unlock()
		if err != nil {
			if said == nil || said.Error() != err.Error() {
				m.log.Warn("a setting of the interface changed that isat does not honour", "interface", l.Name, "reason", err)
			}
			continue
		}
		if err := m.obey(t, p); err != nil {
			m.log.Error("following the settings of an interface", "interface", l.Name, "error", err)
		}
	}
	if err := m.reassert(); err != nil {
		m.log.Error("looking after the routes of entries", "error", err)
	}
}
