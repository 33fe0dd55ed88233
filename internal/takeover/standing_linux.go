package takeover

import (
	"errors"
	"slices"
	"syscall"

	"github.com/isat-project/isat/host"
)

// standing is an entry of the configuration: it is set as soon as there is an
// interface for it.
type standing struct {
	host.Change
	set bool
	// displaced says that it has gone because its address is the host's own now.
	displaced bool
}

// is reports whether an entry of the host is this one.
func (s standing) is(e host.Entry) bool {
	return s.set && s.IP == e.IP && s.MAC == macOf(e) && s.Publish == e.Publish && s.Action == e.Action &&
		(s.Interface == "" || s.Interface == e.Interface)
}

// Stand makes the entries of the configuration those given: former ones that are
// not among them are deleted, new ones are set now or when there is an interface
// for them. The error is of entries that can never be set.
func (m *Manager) Stand(entries []host.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var next []standing
	for _, c := range entries {
		c.Origin = host.Administrator
		s := standing{Change: c}
		for _, old := range m.standing {
			if old.Change == c {
				s.set, s.displaced = old.set, old.displaced
			}
		}
		next = append(next, s)
	}
	for _, old := range m.standing {
		if old.set && !stands(next, old.Change) {
			remove := m.host.Delete
			if old.Publish == host.PublishedOnly {
				remove = m.host.DeletePublished
			}
			if err := remove(old.Interface, old.IP); err != nil && !errors.Is(err, syscall.ENXIO) {
				return err
			}
		}
	}
	m.standing = next
	return m.settle()
}

// stands reports whether an address has an entry among all. One that is published
// only is apart from the ordinary one.
func stands(all []standing, c host.Change) bool {
	for _, s := range all {
		if s.IP == c.IP && s.Interface == c.Interface && (s.Publish == host.PublishedOnly) == (c.Publish == host.PublishedOnly) {
			return true
		}
	}
	return false
}

// unsettle notes that an interface is about to lose the entries of the configuration
// that it has: they are set again when they can be. What somebody has deleted or
// changed by hand is none of them. mu is held.
func (m *Manager) unsettle(t *taken) {
	m.unset(t, func(*standing) bool { return true })
}

// displace is unsettle for the addresses that are becoming the host's own.
func (m *Manager) displace(t *taken, own []host.Address) {
	m.unset(t, func(s *standing) bool {
		s.displaced = slices.ContainsFunc(own, func(a host.Address) bool { return a.Prefix.Addr() == s.IP })
		return s.displaced
	})
}

// unset notes of the entries of the configuration that an interface has, and that
// are about to go, that they are not set. mu is held.
func (m *Manager) unset(t *taken, going func(*standing) bool) {
	for i := range m.standing {
		s := &m.standing[i]
		here := func(e host.Entry) bool { return e.Index == t.index && s.is(e) }
		if s.set && slices.ContainsFunc(m.host.Entry(s.IP), here) && going(s) {
			s.set = false
		}
	}
}

// settle sets the standing entries that have an interface now. mu is held.
func (m *Manager) settle() error {
	var errs []error
	for i := range m.standing {
		s := &m.standing[i]
		if s.set {
			continue
		}
		_, err := m.host.Set(s.Change)
		switch {
		case err == nil:
			s.set, s.displaced = true, false
		case s.displaced && errors.Is(err, syscall.EPERM):
			// Its address is still the host's own.
		case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENETUNREACH):
			// No interface for it yet.
		default:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
