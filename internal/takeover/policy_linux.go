package takeover

import "slices"

// SetPolicies replaces the policies, of which the first that matches an address
// holds. It is called before anything is taken over, and when the configuration
// has changed.
func (m *Manager) SetPolicies(policies []Policy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.policies = slices.Clone(policies)
}
