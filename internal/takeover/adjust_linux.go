package takeover

import "errors"

// Adjustable reports whether an interface that was taken over by s can be made one
// taken over by o in place: they differ in how own addresses are treated only.
func (s Spec) Adjustable(o Spec) bool {
	s.treat(o)
	return s == o
}

// Adjust makes the interface with the name in spec, if it is taken over or waited
// for, treat its own addresses as spec says. Nothing else of it is disturbed, and
// nothing else in spec is looked at.
func (m *Manager) Adjust(spec Spec) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.specs {
		if m.specs[i].Name == spec.Name {
			m.specs[i].treat(spec)
		}
	}
	t := m.byName(spec.Name)
	if t == nil {
		return
	}
	t.mu.Lock()
	t.spec.treat(spec)
	t.mu.Unlock()
	on := spec.DAD && !t.spec.Observe
	if err := m.address(t); err != nil {
		m.log.Error("treating the addresses of an interface otherwise", "interface", spec.Name, "error", err)
		return
	}
	if !t.spec.Observe {
		if err := m.configure(t.present(), spec.DAD); err != nil {
			m.log.Error("changing how long the kernel waits", "interface", spec.Name, "error", err)
		}
	}
	t.ifc.SetDAD(on, spec.Reprobe)
	if on {
		return
	}
	if err := errors.Join(m.restoreLink(t.index), m.unaddress(t.index)); err != nil {
		m.log.Error("putting back what was taken down", "interface", spec.Name, "error", err)
	}
}

// treat takes over from o how own addresses are treated.
func (s *Spec) treat(o Spec) { s.DAD, s.Down, s.Reprobe = o.DAD, o.Down, o.Reprobe }
