package takeover

import (
	"cmp"
	"errors"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/guard"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/link/packet"
)

// Status is one interface as it is at one moment.
type Status struct {
	Spec
	Link  rtnl.Link       // the zero Link while it is absent
	Host  *host.Interface // nil while it is not taken over
	Port  packet.Stats
	Since time.Time
	// Released says that it was handed back by hand, though it is configured.
	Released bool
	Err      error // why it is not taken over, or what is not honoured
}

// Status returns the interfaces that are taken over or wanted by name, by name.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Status
	for _, t := range *m.taken.Load() {
		t.mu.Lock()
		s := Status{Spec: t.spec, Link: t.link, Host: t.ifc, Port: t.port.Stats(), Since: t.since}
		s.Err = t.refused
		t.mu.Unlock()
		s.Name = s.Link.Name
		all = append(all, s)
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(all, func(s Status) bool { return s.Name == name })
	}
	for _, spec := range m.specs {
		if !taken(spec.Name) {
			all = append(all, Status{Spec: spec, Err: m.failed[spec.Name]})
		}
	}
	for name, err := range m.failed {
		if !taken(name) {
			all = append(all, Status{Spec: Spec{Name: name}, Err: err})
		}
	}
	for name := range m.released {
		if taken(name) || m.match == nil {
			continue
		}
		if spec, ok := m.match(name); ok {
			all = append(all, Status{Spec: spec, Released: true})
		}
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Guard returns what the guard has dropped of the kernel's own ARP.
func (m *Manager) Guard() (guard.Counters, error) {
	return m.guard.counters()
}

// Match makes the manager take over interfaces that appear from now on and for
// which match gives a spec, beside those that [Manager.Take] was called for.
// Interfaces that exist are taken over now. One that cannot be is left alone with
// a line in the log, because a pattern means those that can; any other error ends
// that. match must not call the manager.
func (m *Manager) Match(match func(name string) (Spec, bool)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.match = match
	links, err := m.conn.Links()
	if err != nil {
		return err
	}
	for _, l := range links {
		if m.get(l.Index) != nil {
			continue
		}
		spec, ok := m.wants(l)
		if !ok {
			continue
		}
		err := m.take(spec, l)
		if err == nil {
			continue
		}
		m.failed[l.Name] = err
		if !errors.Is(err, syscall.EOPNOTSUPP) {
			return takeError(l.Name, err)
		}
		m.log.Warn("leaving an interface alone that the configuration matches", "interface", l.Name, "reason", err)
	}
	return nil
}
