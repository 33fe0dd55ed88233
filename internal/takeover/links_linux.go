package takeover

import (
	"errors"
	"slices"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/internal/rtnl"
)

// linkChanged follows a change of an interface. mu is held.
func (m *Manager) linkChanged(c rtnl.LinkChange) {
	l := c.Link
	if !c.Deleted {
		m.portRenamed(l)
	}
	t := m.get(l.Index)
	switch {
	case c.Deleted && t == nil:
		delete(m.left, l.Index)
		delete(m.failed, l.Name)
	case t == nil:
		m.appeared(l)
	case c.Deleted:
		m.vanished(t)
	default:
		if !running(l) {
			// An interface that is being deleted goes down first. The question waits
			// until it is gone, and one line tells of it.
			if _, err := m.conn.Link(l.Index); rtnl.IsNotExist(err) {
				return
			}
		}
		m.linkFollowed(t, l)
	}
	if !c.Deleted {
		m.setUp(l.Index)
	}
}

// linkFollowed follows a change of an interface that is taken over.
func (m *Manager) linkFollowed(t *taken, l rtnl.Link) {
	t.mu.Lock()
	old := t.link
	if l.IPv4 == nil {
		l.IPv4 = old.IPv4
	}
	t.link = l
	t.mu.Unlock()
	if old.Name != l.Name {
		t.ifc.Rename(l.Name)
		for i := range m.specs {
			if m.specs[i].Name == old.Name {
				m.specs[i].Name = l.Name
			}
		}
		if err := m.guard.rename(old.Name, l.Name); err != nil {
			m.log.Error("guarding an interface that was renamed", "interface", l.Name, "error", err)
		}
		if err := errors.Join(m.renameDown(l.Index, old.Name, l.Name), m.renameKept(old.Name, l.Name)); err != nil {
			m.log.Error("writing down the new name of an interface", "interface", l.Name, "error", err)
		}
	}
	if err := m.eligible(t.spec, l); err != nil {
		m.log.Warn("isat can no longer do ARP on the interface and hands it back", "interface", l.Name, "reason", err)
		if _, ok := m.wants(l); ok {
			m.failed[l.Name] = err
		}
		if err := m.handBack(t); err != nil {
			m.log.Error("handing the interface back", "interface", l.Name, "error", err)
		}
		return
	}
	if err := t.ifc.SetMAC(l.MAC); err != nil {
		m.log.Error("following a change of address", "error", err)
	}
	if running(old) && running(l) && l.CarrierChanges != old.CarrierChanges {
		// It was down and is up again, and nobody has told of that.
		t.ifc.SetRunning(false)
	}
	t.ifc.SetRunning(running(l))
	if running(old) != running(l) {
		m.Administered() // temporary entries have gone
	}
}

// wants returns what is wanted of an interface. No pattern means the loopback
// interface. mu is held.
func (m *Manager) wants(l rtnl.Link) (Spec, bool) {
	if i := slices.IndexFunc(m.specs, func(s Spec) bool { return s.Name == l.Name }); i >= 0 {
		return m.specs[i], true
	}
	if m.match == nil || m.released[l.Name] || l.Flags&rtnl.LinkLoopback != 0 {
		return Spec{}, false
	}
	return m.match(l.Name)
}

// appeared takes an interface over that was waited for. mu is held.
func (m *Manager) appeared(l rtnl.Link) {
	spec, ok := m.wants(l)
	if !ok {
		return
	}
	// The notification may be old and does not have everything.
	l, err := m.conn.Link(l.Index)
	if err != nil || l.Name != spec.Name {
		return
	}
	if err := m.take(spec, l); err != nil {
		if before := m.failed[l.Name]; before == nil || before.Error() != err.Error() {
			m.log.Error("taking over an interface that appeared", "interface", l.Name, "error", err)
		}
		m.failed[l.Name] = err
		return
	}
	// It may have got its addresses and its carrier before anybody looked. With DAD the
	// host announces what is there when it gets the interface.
	if t := m.get(l.Index); running(l) && !t.spec.Observe && m.addressed[l.Index] == nil {
		if err := t.ifc.Announce(); err != nil {
			m.log.Warn("announcing the addresses of an interface that appeared", "interface", l.Name, "error", err)
		}
	}
}

// vanished forgets an interface that is gone, with its settings and its entries;
// what an administrator has set is kept for its return. mu is held.
func (m *Manager) vanished(t *taken) {
	name := t.Name()
	m.away[name] = m.administered(name)
	m.unsettle(t)
	if err := t.ifc.Detach(); err != nil {
		m.log.Debug("closing the port of an interface that vanished", "interface", name, "error", err)
	}
	m.updating.Lock()
	m.put(t.index, nil)
	err := m.unreject(t.index)
	m.updating.Unlock()
	if err != nil {
		m.log.Error("deleting the routes of an interface that vanished", "interface", name, "error", err)
	}
	if !t.spec.Observe {
		if err := m.guard.remove(name); err != nil {
			m.log.Error("taking an interface that vanished out of the guard", "interface", name, "error", err)
		}
		if err := errors.Join(m.restore(t.index), m.unaddress(t.index)); err != nil {
			m.log.Error("forgetting the settings of an interface that vanished", "interface", name, "error", err)
		}
	}
	m.report(event.LinkDown, name, "isat: "+name+" is gone; waiting for it to return")
}

// relink compares the interfaces with the kernel's. mu is held.
func (m *Manager) relink() error {
	links, err := m.conn.Links()
	if err != nil {
		return err
	}
	for _, t := range *m.taken.Load() {
		if !slices.ContainsFunc(links, func(l rtnl.Link) bool { return l.Index == t.index }) {
			m.vanished(t)
		}
	}
	for _, l := range links {
		m.linkChanged(rtnl.LinkChange{Link: l})
	}
	return m.readMachine()
}
