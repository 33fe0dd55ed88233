package datapath

import "errors"

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
	if e.running == nil {
		return
	}
	if err := e.running.treat(spec); err != nil {
		m.options.Log.Error("treating the addresses of a host otherwise", "interface", spec.Name, "error", err)
	}
}

// treat makes a host treat its own addresses as spec says.
func (r *running) treat(spec Spec) error {
	r.spec.treat(spec)
	r.ifc.SetDAD(spec.DAD, spec.Reprobe)
	if spec.DAD {
		return r.serve(true)
	}
	// What was taken down is there again.
	err := r.addressing.Unserve(r.index)
	r.pump.setAddresses(r.spec.Addresses)
	return errors.Join(err, r.ifc.SetAddresses(r.spec.own()))
}

// treat takes over from o how own addresses are treated.
func (s *Spec) treat(o Spec) { s.DAD, s.Down, s.Reprobe = o.DAD, o.Down, o.Reprobe }
