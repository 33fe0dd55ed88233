package takeover

import (
	"errors"
	"syscall"

	"github.com/isat-project/isat/host"
)

// standing is an entry of the configuration: it is set as soon as there is an
// interface for it.
type standing struct {
	host.Change
	set bool
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
				s.set = old.set
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
			s.set = true
		case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENETUNREACH):
			// No interface for it yet.
		default:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
