package takeover

import (
	"net/netip"
	"slices"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/lladdr"
)

// Administered tells the manager that entries were set or deleted by hand. They
// are written down soon, so that they are there again when isat is started the
// next time in this boot (DESIGN section 4, Records). After a SIGKILL the kernel
// still has them.
func (m *Manager) Administered() { m.unkept.Store(true) }

// keep writes down what was set by hand, if that has changed: neither what the
// configuration sets nor what others have put into the kernel, which stays there.
// mu is held.
func (m *Manager) keep() error {
	if !m.unkept.Swap(false) && !m.temporaryChanged() {
		return nil
	}
	kept, err := m.entries.Load()
	if err != nil {
		return err
	}
	// Of an interface that is not here at the moment everything stays.
	kept = slices.DeleteFunc(kept, func(e record.Entry) bool {
		_, here := m.host.Interface(e.Interface)
		return here
	})
	var temporary []host.Entry
	for _, e := range m.host.Entries() {
		if !isAdministrative(e) || m.isForeign(e) && e.Publish != host.Published || m.isStanding(e) {
			continue
		}
		kept = append(kept, recordOf(e))
		if !e.Expires.IsZero() {
			temporary = append(temporary, e)
		}
	}
	m.temporary = temporary
	return m.entries.Save(kept)
}

// renameKept gives what is written down of an interface its new name: by the old one
// it would stay there, and be set on whatever interface has that name next. mu is
// held.
func (m *Manager) renameKept(old, name string) error {
	kept, err := m.entries.Load()
	if err != nil || !slices.ContainsFunc(kept, func(e record.Entry) bool { return e.Interface == old }) {
		return err
	}
	for i := range kept {
		if kept[i].Interface == old {
			kept[i].Interface = name
		}
	}
	return m.entries.Save(kept)
}

// temporaryChanged reports whether a temporary entry that is written down has moved, or
// ends earlier than is written down. That it was heard of and ends later is not worth
// writing. mu is held.
func (m *Manager) temporaryChanged() bool {
	return slices.ContainsFunc(m.temporary, func(written host.Entry) bool {
		return !slices.ContainsFunc(m.host.Entry(written.IP), func(e host.Entry) bool {
			return e.Index == written.Index && (e.Publish == host.PublishedOnly) == (written.Publish == host.PublishedOnly) &&
				e.MAC == written.MAC && !e.Expires.Before(written.Expires)
		})
	})
}

// isAdministered reports whether an administrator has set the entry of an address, the
// ordinary one.
func (m *Manager) isAdministered(t *taken, ip netip.Addr) bool {
	return slices.ContainsFunc(m.host.Entry(ip), func(e host.Entry) bool {
		return e.Index == t.index && e.Origin == host.Administrator && e.Publish != host.PublishedOnly
	})
}

// isOurs is isAdministered for an entry that was set with isat.
func (m *Manager) isOurs(t *taken, ip netip.Addr) bool {
	t.mu.Lock()
	_, foreign := t.foreign[ip]
	t.mu.Unlock()
	return !foreign && m.isAdministered(t, ip)
}

// isForeign reports whether somebody else has put an entry into the kernel. That it is
// published is isat's all the same.
func (m *Manager) isForeign(e host.Entry) bool {
	t := m.get(e.Index)
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Publish == host.PublishedOnly {
		return t.proxies[e.IP] && e.Auto && e.Expires.IsZero() && e.Action == host.Forward
	}
	mac, ok := t.foreign[e.IP]
	return ok && mac == e.MAC && e.Expires.IsZero()
}

// isAdministrative reports whether somebody has set an entry by hand or in the
// configuration.
func isAdministrative(e host.Entry) bool {
	return e.Origin == host.Administrator && !e.Own && e.MAC.IsValid()
}

// macOf returns the link-layer address that an entry was set with, none if that is
// to be the interface's.
func macOf(e host.Entry) lladdr.Addr {
	if e.Auto {
		return lladdr.Addr{}
	}
	return e.MAC
}

// changeOf returns the change that makes an entry as it is.
func changeOf(e host.Entry) host.Change {
	return host.Change{
		Interface: e.Interface, IP: e.IP, MAC: macOf(e), Publish: e.Publish, Action: e.Action,
		Origin: e.Origin, Authority: e.Authority && !e.Own, Temporary: !e.Expires.IsZero(), Probe: e.Probed,
	}
}

// recordOf returns an entry as it is written down.
func recordOf(e host.Entry) record.Entry {
	return record.Entry{
		Interface: e.Interface, IP: e.IP, MAC: macOf(e), Expires: e.Expires.Round(0).UTC(),
		Published: e.Publish != host.Unpublished, PublishOnly: e.Publish == host.PublishedOnly, Action: e.Action.String(),
		Authority: e.Authority, Probed: e.Probed,
	}
}

// changeOfRecord returns the change that makes an entry that was written down.
func changeOfRecord(e record.Entry) host.Change {
	c := host.Change{Interface: e.Interface, IP: e.IP, MAC: e.MAC, Origin: host.Administrator, Authority: e.Authority, Temporary: !e.Expires.IsZero(), Probe: e.Probed}
	switch {
	case e.PublishOnly:
		c.Publish = host.PublishedOnly
	case e.Published:
		c.Publish = host.Published
	}
	for _, a := range []host.Action{host.Reject, host.Blackhole} {
		if a.String() == e.Action {
			c.Action = a
		}
	}
	return c
}

// administered returns what an administrator has set on an interface by hand, but for
// the kernel's proxy neighbours, which go with it. mu is held.
func (m *Manager) administered(name string) []host.Change {
	var all []host.Change
	for _, e := range m.host.Entries() {
		if e.Interface == name && isAdministrative(e) && !m.isStanding(e) && !(e.Publish == host.PublishedOnly && m.isForeign(e)) {
			all = append(all, changeOf(e))
		}
	}
	return all
}

// isStanding reports whether an entry is the configuration's. mu is held.
func (m *Manager) isStanding(e host.Entry) bool {
	return slices.ContainsFunc(m.standing, func(s standing) bool { return s.is(e) })
}

// kept returns what was set by hand on an interface when isat ran before.
func (m *Manager) kept(name string) ([]host.Change, error) {
	entries, err := m.entries.Load()
	if err != nil {
		return nil, err
	}
	maxAge := m.host.MIB().Settings(name).MaxAge
	var all []host.Change
	for _, e := range entries {
		if e.Interface != name {
			continue
		}
		c := changeOfRecord(e)
		if c.Temporary {
			left := time.Until(e.Expires)
			if left <= 0 {
				continue
			}
			c.Age = max(0, maxAge-left)
		}
		all = append(all, c)
	}
	return all, nil
}

// readopt sets again what was set by hand on an interface that was away, or before
// isat was started. What an administrator has put into the kernel since is newer,
// and stays. mu is held.
func (m *Manager) readopt(name string) error {
	kept, err := m.kept(name)
	if err != nil {
		return err
	}
	for _, c := range append(kept, m.away[name]...) {
		if c.Temporary {
			m.Administered() // to look after it from now on
		}
		if m.isSet(c) {
			m.Administered()
			continue
		}
		c.Again = true
		if _, err := m.host.Set(c); err != nil {
			m.log.Warn("an entry that was set by hand is not set again", "interface", name, "ip", c.IP, "error", err)
		}
	}
	delete(m.away, name)
	return nil
}

// isSet reports whether the host has an administrator's entry where a change would
// make one: as the change would make it, or one that others have put into the kernel
// since. That one says nothing of whether it was published.
func (m *Manager) isSet(c host.Change) bool {
	return slices.ContainsFunc(m.host.Entry(c.IP), func(e host.Entry) bool {
		if e.Interface != c.Interface || e.Origin != c.Origin || (e.Publish == host.PublishedOnly) != (c.Publish == host.PublishedOnly) {
			return false
		}
		foreign := m.isForeign(e) && (c.Publish != host.Published || c.Action != host.Forward || c.Temporary || c.MAC != e.MAC)
		newer := c.Publish != host.PublishedOnly && (foreign || c.MAC.IsValid() && e.MAC.IsValid() && e.MAC != c.MAC)
		if c.Publish == host.PublishedOnly && c.Temporary != !e.Expires.IsZero() {
			return false
		}
		return newer || macOf(e) == c.MAC && e.Publish == c.Publish && e.Action == c.Action
	})
}
