package takeover

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/rtnl"
)

// CheckPort returns an interface that may be the port of a host of its own: its
// kernel is to have nothing to do with IPv4 there (DESIGN section 5). The error
// wraps [ErrAbsent] if there is none of that name, and EOPNOTSUPP with the remedy
// if it may not.
func (m *Manager) CheckPort(name string) (rtnl.Link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.checkPort(name)
}

func (m *Manager) checkPort(name string) (rtnl.Link, error) {
	l, err := m.conn.LinkByName(name)
	if rtnl.IsNotExist(err) {
		err = ErrAbsent
	}
	if err == nil {
		err = m.portable(l)
	}
	if err != nil {
		return rtnl.Link{}, fmt.Errorf("using %s as a port: %w", name, err)
	}
	return l, nil
}

// portable says why an interface may not be a port. mu is held.
func (m *Manager) portable(l rtnl.Link) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, syscall.EOPNOTSUPP)...)
	}
	switch {
	case l.Type != arp.Ethernet || l.MAC.Len() != 6:
		return refuse("it is not an Ethernet interface (it is of type %v)", l.Type)
	case l.Master != 0:
		return refuse("it is a port of a %s already; release it with \"ip link set %s nomaster\"", l.MasterKind, l.Name)
	case m.get(l.Index) != nil:
		return refuse("it is taken over as an interface of its own")
	}
	addrs, err := m.conn.Addrs(l.Index)
	if err != nil {
		return err
	}
	if len(addrs) > 0 {
		var all []string
		for _, a := range addrs {
			all = append(all, a.Local.String())
		}
		return refuse("the kernel has addresses on it (%s); delete them with \"ip -4 address flush dev %s\"", strings.Join(all, ", "), l.Name)
	}
	routes, err := m.conn.Routes(0)
	if err != nil {
		return err
	}
	for _, r := range routes {
		if r.OIF == l.Index || slices.ContainsFunc(r.Hops, func(h rtnl.NextHop) bool { return h.OIF == l.Index }) {
			return refuse("the kernel has a route by it (%v); delete it with \"ip -4 route flush dev %s\"", r.Dst, l.Name)
		}
	}
	return nil
}

// HoldPort keeps the kernel's ARP silent on an interface and its IPv4 packets from
// the kernel, until [Manager.ReleasePort]. Errors are those of CheckPort and of
// package guard; then nothing has changed.
func (m *Manager) HoldPort(name string) (rtnl.Link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, err := m.checkPort(name)
	if err != nil {
		return l, err
	}
	if err := errors.Join(m.guard.add(l.Name), m.ipGuard.add(l.Name)); err != nil {
		return l, errors.Join(err, m.guard.remove(l.Name), m.ipGuard.remove(l.Name))
	}
	m.ports[l.Name] = l.Index
	return l, nil
}

// ReleasePort gives the interface back to the kernel. One that is not held is no
// error.
func (m *Manager) ReleasePort(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.ports[name]; !ok {
		return nil
	}
	delete(m.ports, name)
	return errors.Join(m.guard.remove(name), m.ipGuard.remove(name))
}

// isPort reports whether an interface is held as a port. mu is held.
func (m *Manager) isPort(l rtnl.Link) bool {
	_, held := m.ports[l.Name]
	return held
}

// portRenamed follows a port that has another name now. mu is held.
func (m *Manager) portRenamed(l rtnl.Link) {
	for name, index := range m.ports {
		if index != l.Index || name == l.Name {
			continue
		}
		delete(m.ports, name)
		m.ports[l.Name] = index
		if err := errors.Join(m.guard.rename(name, l.Name), m.ipGuard.rename(name, l.Name)); err != nil {
			m.log.Error("guarding a port that was renamed", "interface", l.Name, "error", err)
		}
		return
	}
}

// Watch makes the manager call changed after links or addresses of the machine
// have changed, and from time to time besides. changed must not wait and not call
// the manager. It is called once, before Run.
func (m *Manager) Watch(changed func()) { m.changed = changed }

// Arrived sets what was set by hand, or stands in the configuration, on an
// interface that the host has got otherwise than by [Manager.Take].
func (m *Manager) Arrived(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.readopt(name); err != nil {
		m.log.Warn("reading what was set by hand before", "error", err)
	}
	if err := m.settle(); err != nil {
		m.log.Warn("an entry of the configuration is not set", "error", err)
	}
}

// Leaving keeps what [Manager.Arrived] sets when such an interface is there again.
func (m *Manager) Leaving(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.keep(); err != nil {
		m.log.Error("writing down what was set by hand", "error", err)
	}
	m.away[name] = m.administered(name)
}
