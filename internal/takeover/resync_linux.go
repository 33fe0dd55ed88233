package takeover

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
)

// resyncAll compares everything with the kernel: links, addresses, neighbours.
func (m *Manager) resyncAll() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.left) // of these, too, nobody may tell any more
	before := make(map[*taken]rtnl.Link)
	for _, t := range *m.taken.Load() {
		before[t] = t.present()
	}
	errs := []error{m.relink()}
	for _, t := range *m.taken.Load() {
		errs = append(errs, m.readdress(t.index))
		if !t.spec.Observe {
			old, now := before[t], t.present()
			// Else the kernel has flushed its table and every entry is missing.
			t.mu.Lock()
			clear(t.deleting)
			t.mu.Unlock()
			undisturbed := old.MAC == now.MAC && old.CarrierChanges == now.CarrierChanges && running(now)
			errs = append(errs, m.resync(t, undisturbed))
		}
	}
	clear(m.unsettled)
	for index, a := range m.addressed {
		if a.device != nil {
			errs = append(errs, m.readdress(index))
		}
	}
	if len(m.down) > 0 {
		all, err := m.conn.Addrs(0)
		m.overtaken(all)
		errs = append(errs, err)
	}
	errs = append(errs, m.settle())
	return errors.Join(errs...)
}

// resync makes the host's entries and the kernel's neighbours of an interface the
// same: at takeover and whenever notifications may have been missed.
//
//	kernel        host            what is done
//	permanent     -, another      the host adopts it as the administrator's
//	valid         none            the host adopts it, as old as it is
//	incomplete    -               it is demanded: its misses may have been lost
//	probe         -               it is demanded to be confirmed
//	without ARP   any             the host forgets it: others have set it
//	failed, ours  none            deleted: the kernel would keep it for ever
//	failed, unmarked  usable      deleted: somebody is deleting the kernel's
//	other         any             the host's is written again
//	none          permanent       somebody has deleted it, if the link was undisturbed
//	                              and nothing is to be written; else it is written again
//	none          any             deleted
func (m *Manager) resync(t *taken, undisturbed bool) error {
	// The host's come first: what it deletes meanwhile is then lost to nobody.
	ours := make(map[netip.Addr]host.Neighbour)
	for _, n := range t.ifc.Bindings() {
		ours[n.IP] = n
	}
	kernel, err := m.conn.AppendNeighbours(nil, t.index)
	if err != nil {
		return fmt.Errorf("comparing neighbours: %w", err)
	}
	adopt := func(k rtnl.Neighbour) {
		m.betweenWrites(func() {
			if !m.isOldNews(t, k) {
				m.adopt(t, k, k.Ages.Confirmed)
			}
		})
	}
	var demands []host.Miss
	var refuse []rtnl.NeighbourOp
	for _, k := range kernel {
		o, known := ours[k.IP]
		delete(ours, k.IP)
		switch {
		case k.State == rtnl.StatePermanent:
			if (!known || o.State != host.Fixed || o.MAC != k.MAC) && !o.Anew {
				adopt(k)
			}
		case k.State == rtnl.StateIncomplete, k.State == rtnl.StateProbe && !stale(known, o, k):
			demands = append(demands, host.Miss{IP: k.IP, Confirm: k.State == rtnl.StateProbe, Source: m.source(t.index, k.IP)})
		case !known && k.State&anyDynamic != 0:
			adopt(k)
		case !known && k.Protocol == rtnl.ProtocolISAT && k.State != rtnl.StateNoARP:
			refuse = append(refuse, rtnl.NeighbourOp{Action: rtnl.Delete, Index: t.index, IP: k.IP})
		case known && k.State == rtnl.StateNoARP && !o.Untold:
			m.betweenWrites(func() { m.neighbourReplaced(t, k.IP) })
		case known && m.isBeingDeleted(t, o, k):
			m.betweenWrites(func() { m.neighbourDeleted(t, k.IP) })
		case known && stale(known, o, k):
			t.ifc.Tell(k.IP)
		}
	}
	for ip, o := range ours {
		if undisturbed && o.State == host.Fixed && !o.Untold {
			m.betweenWrites(func() { m.neighbourDeleted(t, ip) })
		} else {
			t.ifc.Lost(ip)
		}
	}
	if len(refuse) > 0 {
		if err := m.conn.WriteNeighbours(refuse); err != nil && !rtnl.IsNotExist(err) {
			return err
		}
	}
	if len(demands) > 0 {
		t.ifc.Demand(demands)
	}
	m.compare()
	return nil
}

// isBeingDeleted reports whether somebody is deleting an entry that the kernel was told.
// A deletion makes it FAILED and takes the mark of the externally learned off before it
// takes it out of the table, which it leaves undone while somebody looks at the entry
// (neigh_delete, neigh_remove_one). What isat makes FAILED has the mark, and what the
// kernel does by itself is neither isat's nor had been told by others.
func (m *Manager) isBeingDeleted(t *taken, o host.Neighbour, k rtnl.Neighbour) bool {
	if k.State != rtnl.StateFailed || k.Flags&rtnl.FlagExtLearned != 0 {
		return false
	}
	t.mu.Lock()
	mac, isForeign := t.foreign[k.IP]
	t.mu.Unlock()
	switch o.State {
	case host.Valid, host.Watched, host.Fixed:
		return k.Protocol == rtnl.ProtocolISAT || isForeign && mac == o.MAC
	}
	return false
}

// stale reports whether the kernel's entry is not what the host has told it.
func stale(known bool, o host.Neighbour, k rtnl.Neighbour) bool {
	if !known {
		return false
	}
	switch o.State {
	case host.Valid, host.Watched:
		return !k.State.Valid() || k.MAC != o.MAC
	case host.Fixed:
		return k.State != rtnl.StatePermanent || k.MAC != o.MAC
	case host.Failed:
		return k.State.Valid()
	case host.Refused, host.Discarded:
		return true // its route is enough
	}
	return false
}

// adopt makes a neighbour of the kernel's an entry of the host: a permanent one
// as the administrator's, another as learned and last confirmed age ago. updating is
// held.
func (m *Manager) adopt(t *taken, k rtnl.Neighbour, age time.Duration) {
	c := host.Change{Interface: t.Name(), IP: k.IP, MAC: k.MAC, Age: age}
	t.mu.Lock()
	delete(t.foreign, k.IP)
	if k.State == rtnl.StatePermanent {
		c.Origin = host.Administrator
		c.Known = k.Protocol != rtnl.ProtocolISAT
		c.Again = true
	}
	t.mu.Unlock()
	if c.Origin == host.Administrator || m.isAdministered(t, k.IP) {
		// It is isat's now and not written down yet: another has changed it, or
		// isat was killed. Or it is written down, and is no more.
		m.Administered()
	}
	_, err := m.host.Set(c)
	if errors.Is(err, syscall.EEXIST) {
		return // an administrator has set it with isat meanwhile
	}
	if c.Known { // theirs even if isat cannot have it
		t.mu.Lock()
		t.foreign[k.IP] = k.MAC
		t.mu.Unlock()
	}
	if err != nil {
		m.log.Warn("the kernel has a neighbour that isat does not adopt", "interface", c.Interface, "ip", k.IP, "mac", k.MAC, "error", err)
		return
	}
	m.replaced(t, k.IP)
	if lately, _ := m.written.lately(t.index, k.IP); lately && c.Known {
		t.mu.Lock()
		deleting := t.deleting[k.IP] > 0
		t.mu.Unlock()
		m.crossed = append(m.crossed, crossing{ipKey{t.index, k.IP}, deleting})
	}
}
