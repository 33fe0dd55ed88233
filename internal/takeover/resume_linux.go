package takeover

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
)

// resume goes on with what an earlier daemon, which was killed, has taken down of an
// interface: the host tries whether it is free now. mu is held.
func (m *Manager) resume(t *taken) {
	if m.addressed[t.index] == nil {
		return // Sweep puts it back
	}
	m.setUp(t.index)
	addrs, err := m.conn.Addrs(t.index)
	if err != nil {
		m.log.Error("going on with addresses that were taken down", "interface", t.Name(), "error", err)
		return
	}
	m.overtaken(addrs)
	goesOn := make(map[netip.Addr]bool) // the host knows an address once, in however many networks it was
	var back []record.Address
	off := 0
	for _, d := range m.down {
		if d.Index != t.index {
			continue
		}
		if d.InterfaceDown { // it is down still, and the host took the address for one in use
			if err := t.ifc.Reassign(d.Local); err != nil {
				m.log.Warn("an address is not probed for which its interface was set down before", "interface", d.Name, "address", d.Local, "error", err)
			}
			continue
		}
		a := addrOfRecord(d)
		own := host.Address{
			Prefix: prefixOf(a), HostScope: a.Scope == rtnl.ScopeHost, Label: a.Label,
			Policy: policyOf(m.policies, a, append(addrs, a)),
		}
		watched, known := goesOn[d.Local]
		if !known {
			switch err := t.ifc.Resume(own, d.Owner); {
			case err == nil:
				watched = true
			case own.Policy.Detect == acd.DetectOff:
				off++
			default:
				m.log.Warn("an address that was taken down before is put back: it cannot be watched", "interface", d.Name, "address", own.Prefix, "error", err)
			}
			goesOn[d.Local] = watched
		}
		if !watched {
			back = append(back, d)
			continue
		}
		m.log.Info("going on with an address that was taken down before", "interface", d.Name, "address", own.Prefix, "mac", d.Owner)
	}
	if off > 0 {
		m.log.Info("addresses that were taken down before are put back: their policy is off", "interface", t.Name(), "addresses", off)
	}
	// All at once: each time reads the machine, and writes down all that is down.
	if err := m.putBack(t.index, back); err != nil {
		m.log.Error("putting addresses back", "interface", t.Name(), "error", err)
		m.owe(t.index, err)
	}
}

// abandoned returns the interfaces with something that an earlier daemon has taken
// down and nobody looks after now. mu is held.
func (m *Manager) abandoned() []int {
	var all []int
	for _, d := range m.down {
		if m.addressed[d.Index] == nil && !slices.Contains(all, d.Index) {
			all = append(all, d.Index)
		}
	}
	return all
}

// sweepAddresses puts back what was taken down of interfaces that nobody looks after
// now. mu is held.
func (m *Manager) sweepAddresses() error {
	var errs []error
	for _, index := range m.abandoned() {
		errs = append(errs, m.restoreLink(index), m.putAllBack(index))
	}
	return errors.Join(errs...)
}

// restoreLink sets an interface up again that isat has set down, if it still is. mu
// is held.
func (m *Manager) restoreLink(index int) error {
	_, err := restoreSettings(context.Background(), m.store, m.conn, func(r record.Record) bool { return r.Index == index && r.Kind == kindLink })
	return err
}
