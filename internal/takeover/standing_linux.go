package takeover

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/isat-project/isat/host"
)

// standing is an entry of the configuration: it is set as soon as there is an
// interface for it.
type standing struct {
	host.Change
	set bool
	// as is how it is published while it is set: by a host route that leads elsewhere
	// a published entry becomes a published-only one (see [host.Host.Set]).
	as host.Publish
	// refused is why it was not set at the last attempt, though there is an interface
	// for it; nil if it was, or none was made.
	refused error
}

// is reports whether an entry of the host is this one.
func (s standing) is(e host.Entry) bool { return s.set && s.as == e.Publish && s.matches(e) }

// matches is is, however the entry is published.
func (s standing) matches(e host.Entry) bool {
	return s.IP == e.IP && s.MAC == macOf(e) && s.Action == e.Action && (s.Interface == "" || s.Interface == e.Interface)
}

// CheckStand returns the error of entries that [Manager.Stand] would refuse, and
// changes nothing.
func (m *Manager) CheckStand(entries []host.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.standingOf(entries)
	return err
}

// Stand makes the entries of the configuration those given: former ones that are
// not among them are deleted, new ones are set now or when there is an interface
// for them. If one of the new ones can never be set, that is the error, and nothing
// has changed.
func (m *Manager) Stand(entries []host.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next, err := m.standingOf(entries)
	if err != nil {
		return err
	}
	var errs []error
	for _, old := range m.standing {
		if old.set && !stands(next, old) {
			remove := m.host.Delete
			if old.as == host.PublishedOnly {
				remove = m.host.DeletePublished
			}
			if err := remove(old.Interface, old.IP); err != nil && !errors.Is(err, syscall.ENXIO) {
				errs = append(errs, err)
			}
		}
	}
	m.standing = next
	return errors.Join(append(errs, m.settle())...)
}

// standingOf returns what a configuration makes of the standing entries. Those that
// stand already are not looked at again: what has become impossible meanwhile is no
// fault of a reload. mu is held.
func (m *Manager) standingOf(entries []host.Change) ([]standing, error) {
	var next []standing
	var errs []error
	for _, c := range entries {
		c.Origin = host.Administrator
		s := standing{Change: c}
		if i := slices.IndexFunc(m.standing, func(old standing) bool { return old.Change == c }); i >= 0 {
			s = m.standing[i]
		} else if err := m.host.Check(c); err != nil && !isAbsent(err) {
			errs = append(errs, err)
		}
		next = append(next, s)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("an entry of the configuration: %w", err)
	}
	return next, nil
}

// isAbsent reports whether an entry is not set because there is no interface for it
// yet.
func isAbsent(err error) bool {
	return errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENETUNREACH)
}

// stands reports whether an address has an entry among all. One that is published
// only is apart from the ordinary one.
func stands(all []standing, old standing) bool {
	for _, s := range all {
		if s.Change == old.Change || s.IP == old.IP && s.Interface == old.Interface && (s.Publish == host.PublishedOnly) == (old.as == host.PublishedOnly) {
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
		return slices.ContainsFunc(own, func(a host.Address) bool { return a.Prefix.Addr() == s.IP })
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

// settle sets the standing entries that have an interface now. The error is of those
// that are refused, once for each reason: settle is called at every change of an
// address. mu is held.
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
			s.set, s.as, s.refused = true, m.publishedAs(s), nil
		case isAbsent(err):
			s.refused = nil
		case s.refused == nil || s.refused.Error() != err.Error():
			s.refused = err
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// publishedAs returns how the host publishes a standing entry that was just set.
func (m *Manager) publishedAs(s *standing) host.Publish {
	asAsked := func(e host.Entry) bool { return e.Publish == s.Publish && s.matches(e) }
	if s.Publish == host.Published && !slices.ContainsFunc(m.host.Entry(s.IP), asAsked) {
		return host.PublishedOnly
	}
	return s.Publish
}
