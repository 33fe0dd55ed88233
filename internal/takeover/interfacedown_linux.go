package takeover

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
)

// kindLink is the kind of record of an interface that isat has set down.
const kindLink = "link"

// keyUp is the key of such a record; its value is as truth has it.
const keyUp = "up"

// setInterfaceDown sets a whole interface down, of which some addresses are somebody
// else's (down = "interface"). They stay on it. mu is held.
func (m *Manager) setInterfaceDown(d departure) error {
	routes := m.routes()
	records := d.records(routes, true)
	m.down = append(m.down, records...)
	err := errors.Join(m.saveDown(), m.store.Put(record.Record{Kind: kindLink, Index: d.index, Name: d.name, Key: keyUp, Old: truth(true), New: truth(false)}))
	if err == nil {
		up := false
		err = m.conn.SetLink(d.index, rtnl.LinkSpec{Up: &up})
	}
	if err != nil {
		m.drop(records)
		if len(m.downed(d.index)) == 0 { // nor was it for another address
			err = errors.Join(err, m.forgetLink(d.index))
		}
		return errors.Join(err, m.saveDown())
	}
	m.keepLost(records, routes)
	m.setDown(records)
	if err := m.saveDown(); err != nil {
		m.log.Error("writing down what is taken down", "error", err)
	}
	for _, a := range d.going {
		m.log.Warn("set an interface down that has an address which somebody else uses; set it up to try again", "interface", d.name, "address", prefixOf(a), "mac", d.owner[a.Local])
	}
	return nil
}

// forgetLink forgets that an interface was set down.
func (m *Manager) forgetLink(index int) error {
	return m.store.Remove(func(r record.Record) bool { return r.Kind == kindLink && r.Index == index })
}

// downed returns the addresses for which an interface was set down. mu is held.
func (m *Manager) downed(index int) []record.Address {
	var all []record.Address
	for _, d := range m.down {
		if d.Index == index && d.InterfaceDown {
			all = append(all, d)
		}
	}
	return all
}

// setUp follows that somebody has set an interface up again which isat had set down:
// its routes are added again, and detection of its addresses begins anew. mu is held.
func (m *Manager) setUp(index int) {
	down := m.downed(index)
	a := m.addressed[index]
	if len(down) == 0 || a == nil {
		return
	}
	// What the kernel has told may be older than the setting down.
	if l, err := m.conn.Link(index); err != nil || l.Flags&rtnl.LinkUp == 0 {
		return
	}
	for _, d := range down {
		if err := a.ifc.Reassign(d.Local); err != nil && !errors.Is(err, syscall.ENXIO) { // it was deleted meanwhile
			m.log.Error("probing an address of an interface that is up again", "interface", d.Name, "address", d.Local, "error", err)
		}
	}
	// The host thinks that they are being put back until they are named.
	if err := m.readdress(index); err != nil {
		m.log.Error("reading the addresses of an interface that is up again", "interface", down[0].Name, "error", err)
	}
	m.isUp(index, down)
}

// deletedWhileDown has the host forget addresses for which an interface was set down
// and which somebody has deleted since: addrs, those that it has, are without them. A
// device does not wait for them any more. mu is held.
func (m *Manager) deletedWhileDown(a *addressed, addrs []rtnl.Addr) {
	down := m.downed(a.index)
	if len(down) == 0 {
		return
	}
	there := places(addrs)
	var deleted []netip.Addr
	for _, d := range down {
		if there[d.Local] == nil {
			a.ifc.Forsake(d.Local)
			deleted = append(deleted, d.Local)
		}
	}
	if a.device == nil {
		return // it stays down until somebody sets it up
	}
	if err := m.freed(a.index, deleted); err != nil {
		m.log.Error("setting a device up again", "interface", m.nameOf(a.index), "error", err)
	}
}

// isUp forgets that an interface was set down for some addresses, and adds the
// routes again that went with that. mu is held.
func (m *Manager) isUp(index int, down []record.Address) {
	m.drop(down)
	m.returnRoutes(index, down)
	if err := errors.Join(m.saveDown(), m.forgetLink(index)); err != nil {
		m.log.Error("forgetting that an interface was set down", "interface", down[0].Name, "error", err)
	}
}

// returned follows that addresses may be used, of which some may be those for which
// an interface was set down. mu is held.
func (m *Manager) returned(index int, usable []host.OwnAddress) error {
	if len(usable) == 0 || len(m.downed(index)) == 0 {
		return nil
	}
	ips := make([]netip.Addr, 0, len(usable))
	for _, u := range usable {
		ips = append(ips, u.Address.Prefix.Addr())
	}
	// The host thinks that they are being put back until they are named.
	if err := m.readdress(index); err != nil {
		return err
	}
	return m.freed(index, ips)
}

// freed sets an interface up again when the last of the addresses is free for which
// it was set down: a host of its own can find that out while its device is down. mu
// is held.
func (m *Manager) freed(index int, ips []netip.Addr) error {
	down := m.downed(index)
	var free []record.Address
	for _, d := range down {
		if slices.Contains(ips, d.Local) {
			free = append(free, d)
		}
	}
	switch {
	case len(free) == 0:
		return nil
	case len(free) < len(down):
		// Their routes are added when the interface is up.
		rest := slices.IndexFunc(m.down, func(d record.Address) bool {
			return d.Index == index && d.InterfaceDown && !slices.Contains(ips, d.Local)
		})
		for _, d := range free {
			m.down[rest].Routes = append(m.down[rest].Routes, d.Routes...)
		}
		m.drop(free)
		if err := m.saveDown(); err != nil {
			m.log.Error("writing down what is taken down", "error", err)
		}
		return nil
	}
	up := true
	if err := m.conn.SetLink(index, rtnl.LinkSpec{Up: &up}); err != nil {
		return err
	}
	m.isUp(index, free)
	return nil
}
