package takeover

import (
	"errors"
	"maps"
	"net/netip"
	"slices"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
)

// postponed is what the host has told of an own address and could not be done: the
// kernel has refused it, or could not be asked. It is tried again every 5 seconds,
// until it is done or the host tells something else.
type postponed struct {
	update host.OwnAddress
	why    string // as it was logged
}

// again has updates followed again if there is an error, which is that of doing so. mu is
// held.
func (m *Manager) again(before []postponed, updates []host.OwnAddress, what string, err error) {
	switch {
	case errors.Is(err, rtnl.ErrInterrupted): // addresses change faster than they can be read
		m.usage.again(updates)
	case err != nil:
		m.postpone(before, updates, what, err)
	}
}

// postpone notes what could not be done. A reason that before has is not logged
// again. mu is held.
func (m *Manager) postpone(before []postponed, updates []host.OwnAddress, what string, err error) {
	why := err.Error()
	if !slices.ContainsFunc(before, func(p postponed) bool { return p.why == why }) && len(updates) > 0 {
		m.log.Error(what+"; it is tried again", "interface", m.nameOf(updates[0].Interface), "error", err)
	}
	m.delay(updates, why)
}

// delay has updates tried again, each once. mu is held.
func (m *Manager) delay(updates []host.OwnAddress, why string) {
	m.resumed(updates)
	for _, u := range updates {
		m.postponed = append(m.postponed, postponed{u, why})
	}
}

// owe postpones putting back what is down of an interface that nobody looks after any
// more. Why is for the caller to log. mu is held.
func (m *Manager) owe(index int, why error) {
	var updates []host.OwnAddress
	owed := make(map[netip.Addr]bool) // it may have been there with more than one network
	for _, d := range m.down {
		if d.Index == index && !owed[d.Local] {
			owed[d.Local] = true
			updates = append(updates, host.OwnAddress{Interface: index, Address: host.Address{Prefix: prefixOf(addrOfRecord(d))}, Usage: host.Usable})
		}
	}
	m.delay(updates, why.Error())
}

// resumed takes those out of what is postponed of whose addresses there is news, and
// returns them. mu is held.
func (m *Manager) resumed(updates []host.OwnAddress) (before []postponed) {
	if len(m.postponed) == 0 {
		return nil
	}
	news := make(map[ipKey]bool, len(updates))
	for _, u := range updates {
		news[keyOf(u)] = true
	}
	m.postponed = slices.DeleteFunc(m.postponed, func(p postponed) bool {
		if news[keyOf(p.update)] {
			before = append(before, p)
		}
		return news[keyOf(p.update)]
	})
	return before
}

// tryAgain does what was postponed, if it can be done now. mu is held.
func (m *Manager) tryAgain() {
	for _, index := range slices.Collect(maps.Keys(m.unfollowed)) {
		m.followPolicies(index)
	}
	updates := make([]host.OwnAddress, 0, len(m.postponed))
	for _, p := range m.postponed {
		updates = append(updates, p.update)
	}
	m.carryOut(updates)
}
