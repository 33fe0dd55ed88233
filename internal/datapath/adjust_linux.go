package datapath

// Adjustable reports whether the host of s can be made that of o in place: they
// differ in how own addresses are treated only.
func (s Spec) Adjustable(o Spec) bool {
	s.treat(o)
	return s.Equal(o)
}

// Adjust makes the host with the name in spec, if there is one, treat its own
// addresses as spec says. Nothing else of it is disturbed, and nothing else in spec
// is looked at.
func (m *Manager) Adjust(spec Spec) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.hosts[spec.Name]
	if e == nil {
		return
	}
	e.spec.treat(spec)
	if e.running != nil {
		e.running.spec.treat(spec)
		e.running.ifc.SetDAD(spec.DAD, spec.Reprobe)
	}
}

// treat takes over from o how own addresses are treated.
func (s *Spec) treat(o Spec) { s.DAD, s.Down, s.Reprobe = o.DAD, o.Down, o.Reprobe }
